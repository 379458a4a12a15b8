import mmap
import os
import secrets
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from orchestrator import offload
from orchestrator.engines.docker import DockerEngine
from orchestrator.errors import EngineError, HomeBusy, WrongKey
from orchestrator.spec import Limits, Spec
from orchestrator.storage import Home, mounts
from orchestrator.storage.vault import VaultStorage
from tests.orchestrator.storage.conftest import MIB, OWNER

MakeVault = Callable[..., VaultStorage]

pytestmark = pytest.mark.engine


@pytest.fixture
def workspace(
    docker_engine: DockerEngine, image: str, run_id: str, home: Home
) -> Callable[[VaultStorage], str]:
    """Return a starter of a container that has the home: ``workspace(vault)`` is its name."""

    def start(vault: VaultStorage) -> str:
        spec = Spec(
            name=f"rb-{run_id}-vault",
            image=image,
            user=OWNER,
            limits=Limits(1.0, 64 << 20, 32),
            entrypoint=("sleep", "1000"),
            mounts=(vault.mount(home.name, "/home/alice"),),
        )
        docker_engine.run(spec)
        return spec.name

    return start


def holds(file: Path, canary: bytes) -> bool:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as content:
        return content.find(canary) >= 0


def test_names_and_contents_are_ciphertext_in_the_image(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    canary = secrets.token_hex(16)
    vault.unlock(home, key)
    (tree / f"name-{canary}").write_text(f"content-{canary}\n" * 1000)
    (tree / "link").symlink_to(f"target-{canary}")
    os.sync()
    assert (tree / f"name-{canary}").read_text().startswith(f"content-{canary}")
    assert not holds(raw, canary.encode()), "while unlocked"
    vault.lock(home.name)
    assert not holds(raw, canary.encode()), "while locked"
    vault.unlock(home, key)
    assert os.readlink(tree / "link") == f"target-{canary}"
    # The search itself finds what is not encrypted.
    (tree.parent / "beside").write_text(canary * 300)
    vault.lock(home.name)
    assert holds(raw, canary.encode())


def test_a_locked_home_is_neither_mounted_nor_held(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    vault.unlock(home, key)
    assert mounts.loops_of(raw) != []
    vault.lock(home.name)
    assert mounts.loops_of(raw) == []
    assert not tree.parent.exists()


def test_the_key_is_in_no_error_and_on_no_command_line(
    vault: VaultStorage, home: Home, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = subprocess.Popen.__init__

    def spy(self: object, args: object, *more: object, **named: object) -> None:
        seen.append(f"{args!r} {named.get('env')!r}")
        real(self, args, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(subprocess.Popen, "__init__", spy)
    wrong = secrets.token_bytes(32)
    vault.unlock(home, key)
    vault.lock(home.name)
    with pytest.raises(WrongKey) as caught:
        vault.unlock(home, wrong)
    said = "\n".join([*seen, str(caught.value), repr(caught.value.__dict__), repr(vault)])
    assert "mkfs.ext4" in said
    for secret in (key, wrong):
        assert secret.hex() not in said
        assert repr(secret)[2:-1] not in said


def test_the_owner_writes_in_a_workspace_where_no_setuid_counts(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    tree: Path,
    workspace: Callable[[VaultStorage], str],
    docker_engine: DockerEngine,
) -> None:
    vault.unlock(home, key)
    name = workspace(vault)
    shown = docker_engine.exec(name, ["sh", "-c", "cd /home/alice && touch mine && ls -A"])
    assert (shown.exit_code, shown.stdout) == (0, b"mine\n")
    table = docker_engine.exec(name, ["grep", " /home/alice ", "/proc/mounts"]).stdout.decode()
    assert {"nosuid", "nodev"} <= set(table.split()[3].split(","))
    assert (tree / "mine").stat().st_uid == OWNER[0]


def test_a_home_in_use_is_not_locked_replaced_or_destroyed(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    workspace: Callable[[VaultStorage], str],
    docker_engine: DockerEngine,
) -> None:
    vault.unlock(home, key)
    vault.stage(home, key)
    name = workspace(vault)
    for attempt in (
        lambda: vault.lock(home.name),
        lambda: vault.adopt(home, key),
        lambda: vault.destroy(home.name),
    ):
        with pytest.raises(HomeBusy):
            attempt()
        write = docker_engine.exec(name, ["sh", "-c", "echo x >> /home/alice/a"])
        assert write.exit_code == 0
    docker_engine.stop(name, grace=0.0)
    vault.lock(home.name)
    assert home.name not in vault.unlocked()


def test_no_container_starts_on_a_locked_home(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    workspace: Callable[[VaultStorage], str],
) -> None:
    vault.unlock(home, key)
    vault.lock(home.name)
    with pytest.raises(EngineError):
        workspace(vault)


def test_a_volume_that_was_pruned_is_made_again_before_it_is_mounted(
    vault: VaultStorage, home: Home, key: bytes, docker_client: APIClient, tree: Path
) -> None:
    vault.unlock(home, key)
    docker_client.remove_volume(home.name)
    vault.mount(home.name, "/home/alice")
    assert docker_client.inspect_volume(home.name)["Options"]["device"] == str(tree)


def test_files_held_open_on_the_server_keep_the_home_from_being_locked(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(home, key)
    with (tree / "held").open("w") as file:
        with pytest.raises(HomeBusy):
            vault.lock(home.name)
        file.write("still here")
    vault.lock(home.name)
    vault.unlock(home, key)
    assert (tree / "held").read_text() == "still here"


def test_homes_that_come_and_go_at_once_never_take_each_others_devices(
    make_vault: MakeVault, key: bytes, mount_root: Path
) -> None:
    vaults = [make_vault() for _ in range(6)]

    def live(number: int) -> None:
        one = Home(f"home_busy{number}", OWNER, 64 * MIB)
        for _ in range(4):
            vaults[number].unlock(one, key)
            (mount_root / one.name / "home" / "mine").write_text(one.name)
            vaults[number].lock(one.name)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(live, range(6)))


def test_a_device_that_went_on_to_another_home_is_left_to_it(
    make_vault: MakeVault, home: Home, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other home is opened between the unmounting and the look whether it is done."""
    vault, next_one = make_vault(), replace(home, name="home_next")
    vault.unlock(home, key)
    run = mounts.run

    def run_and_open_another(*command: str, **options: Any) -> Any:
        done = run(*command, **options)
        if command[0] == "umount":
            monkeypatch.undo()
            vault.unlock(next_one, key)
        return done

    monkeypatch.setattr(mounts, "run", run_and_open_another)
    vault.lock(home.name)
    assert vault.is_unlocked(next_one.name)
    assert not vault.is_unlocked(home.name)


def test_looking_at_one_home_looks_at_no_other(
    vault: VaultStorage, home: Home, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.unlock(home, key)
    monkeypatch.setattr(mounts, "table", None)
    monkeypatch.setattr(mounts, "loops", None)
    assert vault.is_unlocked(home.name)
    assert vault.usage(home.name) is not None
    assert vault.capacity(home.name) is not None


def test_what_would_stop_the_loop_runs_elsewhere_where_no_tool_is_started(
    vault: VaultStorage, home: Home, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    inside = threading.local()

    def runner(function: Callable[..., object], arguments: tuple[object, ...]) -> object:
        def work() -> object:
            inside.now = True
            return function(*arguments)

        seen.append(function.__name__)
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(work).result()

    real = subprocess.Popen.__init__

    def spy(self: object, args: object, *more: object, **named: object) -> None:
        assert not getattr(inside, "now", False), "the server's tools are the loop's to wait for"
        real(self, args, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(offload, "_runner", runner)
    monkeypatch.setattr(subprocess.Popen, "__init__", spy)
    vault.unlock(replace(home, reserved_bytes=MIB), key)
    assert seen[-1] == "_allocate"
    vault.brake(home.name, True)
    vault.brake(home.name, False)
    vault.stage(home, key)
    vault.adopt(home, key)
    seen.clear()
    vault.lock(home.name)
    assert seen[-1] == "remove_key"
    assert set(seen[:-1]) == {"unlink"}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_hundred_homes_are_unlocked_at_once(
    vault: VaultStorage, key: bytes, mount_root: Path
) -> None:
    homes = [Home(f"home_many{number}", OWNER, 64 * MIB) for number in range(200)]
    for one in homes:
        vault.unlock(one, key)
    assert vault.unlocked() == {one.name for one in homes}
    for one in homes:
        (mount_root / one.name / "home" / "mine").write_text(one.name)
        vault.brake(one.name, False)
    for one in homes:
        assert (mount_root / one.name / "home" / "mine").read_text() == one.name
        vault.lock(one.name)
    assert vault.unlocked() == frozenset()
