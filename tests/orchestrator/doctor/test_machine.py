from dataclasses import replace

import pytest

from orchestrator import doctor, homes
from orchestrator.doctor import Finding, Verdict, examine, machine
from orchestrator.doctor.machine import hardware_aes
from orchestrator.engines import Feature as EngineFeature
from orchestrator.errors import EgressUnprotected, EngineUnreachable
from orchestrator.platform import Platform
from orchestrator.settings import Settings, StorageChoice
from orchestrator.storage import Feature
from orchestrator.storage.memory import MemoryStorage
from tests.engine import WatchedEngine

SOFTWARE = """name         : xts(aes)
driver       : xts(ecb(aes-fixed-time))
module       : kernel

name         : aes
driver       : aes-generic
name         : stdrng
driver       : drbg_nopr_ctr_aes256
"""
SECRET_URL = "rest:https://user:hunter22@backup.example/"


def found(platform: Platform, **settings: object) -> dict[str, Finding]:
    changed = replace(platform, settings=replace(platform.settings, **settings))
    return {one.name: one for one in examine(changed)}


def verdict(platform: Platform, name: str, **settings: object) -> Verdict:
    return found(platform, **settings)[name].verdict


@pytest.mark.parametrize(
    "driver", ["xts-aes-aesni", "__xts-aes-aesni", "xts-aes-vaes-avx10_512", "xts-aes-ce",
               "xts-aes-neonbs", "aes-arm64", "aes-s390"],
)  # fmt: skip
def test_drivers_of_the_processor_are_known(driver: str) -> None:
    assert hardware_aes(f"{SOFTWARE}\nname : xts(aes)\ndriver       : {driver}\n")


@pytest.mark.parametrize("text", ["", SOFTWARE, "driver : ghash-clmulni\ndriver : sha256-ce\n"])
def test_the_kernels_own_are_no_help(text: str) -> None:
    assert not hardware_aes(text)


def test_what_is_well_is_said_to_be(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_read", lambda _: "driver : xts-aes-aesni")
    by_name = found(platform, backup_url=SECRET_URL)
    bad = {name for name, one in by_name.items() if one.verdict is not Verdict.OK}
    bad -= {"clock"}  # that of the machine
    assert bad == {"keyring", "egress"}, "the tests' keyring and engine have no kernel's help"


def test_a_slow_cipher_is_said(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_read", lambda _: SOFTWARE)
    assert found(platform)["cipher"].what.endswith("90 MB/s.")


@pytest.mark.parametrize(
    ("choice", "hint"),
    [
        (StorageChoice.AUTO, "A vault is not possible here: no loop devices"),
        (StorageChoice.PLAIN, "ROOTBLOOD_STORAGE asks for it"),
    ],
)
def test_homes_that_nothing_protects_are_said_with_the_reason(
    platform: Platform, choice: StorageChoice, hint: str
) -> None:
    storage = MemoryStorage(frozenset())
    storage.reason = "no loop devices"
    bare = replace(platform, storage=storage)
    one = found(bare, storage=choice)["storage"]
    assert one.verdict is Verdict.WARN
    assert "neither encrypted nor capped" in one.what
    assert one.hint.startswith(hint)
    assert "cipher" not in found(bare)
    assert doctor.unprotected(bare)
    assert not doctor.unprotected(replace(bare, storage=MemoryStorage({Feature.CAPPED})))


def test_a_full_disk_is_said(platform: Platform) -> None:
    free = homes.host_free_bytes(platform)
    assert verdict(platform, "disk", reserve_bytes=free // 2) is Verdict.OK
    short = found(platform, reserve_bytes=free * 2)["disk"]
    assert (short.verdict, "do not start" in short.what) == (Verdict.FAIL, True)
    platform.brake.on = True
    assert "no further writes" in found(platform)["disk"].what


def test_an_engine_that_does_not_answer_is_said(platform: Platform, engine: WatchedEngine) -> None:
    engine.failing["images"] = EngineUnreachable("No answer from tcp://10.0.0.9:2376")
    by_name = found(platform)
    assert by_name["engine"].verdict is Verdict.FAIL
    assert "tcp://" not in by_name["engine"].what, "which everybody reads"
    assert "tcp://10.0.0.9:2376" in by_name["engine"].hint
    assert "image" not in by_name, "unknown, not missing"


def test_a_missing_image_is_said(platform: Platform, engine: WatchedEngine) -> None:
    engine.known_images = frozenset()
    assert verdict(platform, "image") is Verdict.FAIL


@pytest.mark.parametrize("url", [SECRET_URL, "s3:s3.example/pail"])
def test_where_snapshots_are_is_said_without_the_address(platform: Platform, url: str) -> None:
    one = found(platform, backup_url=url)["backup"]
    assert one.verdict is Verdict.OK
    for secret in ("hunter22", "example", "pail", "me@host"):
        assert secret not in f"{one.what} {one.hint}"


def test_snapshots_beside_the_homes_are_said(platform: Platform) -> None:
    assert verdict(platform, "backup") is Verdict.WARN
    assert "snapshots" not in found(platform)
    assert verdict(platform, "snapshots", snapshot_seconds=0) is Verdict.WARN


def test_escrow_without_a_key_is_broken(platform: Platform, settings: Settings) -> None:
    assert verdict(platform, "escrow") is Verdict.OK
    assert verdict(platform, "escrow", escrow=True) is Verdict.FAIL


def test_a_server_without_git_is_told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one.verdict for one in examine(platform) if one.name == "commons"] == [Verdict.OK]
    monkeypatch.setattr(machine, "missing_programs", lambda: ["git"])
    (found,) = [one for one in examine(platform) if one.name == "commons"]
    assert (found.verdict, "git" in found.what) == (Verdict.FAIL, True)


def test_egress_rules_that_are_not_in_force_are_said(
    platform: Platform, engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verdict(platform, "egress") is Verdict.WARN, "there are to be none"
    monkeypatch.setattr(engine, "features", frozenset({EngineFeature.EGRESS_RULES}))
    assert verdict(platform, "egress") is Verdict.OK
    engine.failing["verify"] = EgressUnprotected("chain RB-FWD is not as it should be")
    broken = found(platform)["egress"]
    assert broken.verdict is Verdict.FAIL
    assert "RB-FWD" in broken.hint
    assert "RB-FWD" not in broken.what, "chains are the operator's business"
    stopped = {one.name: one for one in examine(platform, serving=False)}["egress"]
    assert stopped.verdict is Verdict.WARN, "a start puts them there"
    engine.failing["verify"] = EngineUnreachable()
    assert "egress" not in found(platform), "unknown, not missing"


def test_a_clock_that_nobody_keeps_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for state, expected in ((0, Verdict.OK), (5, Verdict.WARN)):
        monkeypatch.setattr(machine, "_clock_state", lambda state=state: state)
        assert machine.clock().verdict is expected
    monkeypatch.undo()
    assert machine._clock_state() in range(-1, 6), "adjtimex(2) says one of these"
