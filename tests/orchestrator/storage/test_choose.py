import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from docker import APIClient

from orchestrator.errors import StorageError
from orchestrator.storage import Home, Kind, Storage, choose
from orchestrator.storage.choose import choose_storage
from orchestrator.storage.vault import VaultStorage
from tests.conftest import DOCKER_URL, PREFIX

NOWHERE = "unix:///nowhere.sock"

Choose = Callable[..., Storage]


@pytest.fixture
def choosing(tmp_path: Path, mount_root: Path, run_id: str) -> Choose:
    def make(choice: str, **changes: object) -> Storage:
        given: dict[str, object] = {
            "directory": tmp_path / "homes",
            "mount_root": mount_root,
            "engine_url": DOCKER_URL,
            "helper_image": "chaospine:1.0.0",
            "instance": f"{PREFIX}{run_id}",
        }
        chosen = choose_storage(choice, **(given | changes))  # type: ignore[arg-type]
        chosen.close()
        return chosen

    return make


def test_plain_is_plain_where_asked_for(choosing: Choose, tmp_path: Path) -> None:
    chosen = choosing("plain", engine_url=NOWHERE)
    assert chosen.kind is Kind.PLAIN
    assert chosen.reason != ""
    assert not (tmp_path / "homes").exists(), "nothing is tried"


@pytest.mark.engine
@pytest.mark.parametrize("choice", ["auto", "vault"])
def test_a_machine_that_can_gets_a_vault_and_no_trace_of_the_trial(
    choosing: Choose,
    can_vault: None,
    choice: str,
    tmp_path: Path,
    mount_root: Path,
    docker_client: APIClient,
    run_id: str,
) -> None:
    assert choosing(choice).kind is Kind.VAULT
    assert [path for path in (tmp_path / "homes").rglob("*") if path.suffix == ".img"] == []
    assert list(mount_root.glob("probe*")) == []
    label = f"rootblood.helper={PREFIX}{run_id}"
    assert docker_client.containers(all=True, filters={"label": label}) == []


@pytest.mark.engine
def test_an_engine_that_is_down_is_trusted(choosing: Choose, can_vault: None) -> None:
    assert choosing("auto", engine_url=NOWHERE).kind is Kind.VAULT


@pytest.mark.engine
def test_an_image_that_is_not_built_yet_does_not_matter(choosing: Choose, can_vault: None) -> None:
    assert choosing("auto", helper_image="rootblood/no-such:1").kind is Kind.VAULT


def test_an_engine_elsewhere_gets_plain_homes(choosing: Choose) -> None:
    chosen = choosing("auto", engine_url="tcp://192.0.2.1:2376")
    assert chosen.kind is Kind.PLAIN
    assert chosen.reason != ""
    with pytest.raises(StorageError, match="vault") as refused:
        choosing("vault", engine_url="tcp://192.0.2.1:2376")
    assert "ROOTBLOOD_STORAGE=plain" in refused.value.hint


def test_a_missing_tool_is_named(choosing: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("orchestrator.storage.commands._ENVIRONMENT", {"PATH": "/nowhere"})
    chosen = choosing("auto")
    assert chosen.kind is Kind.PLAIN
    assert "mkfs.ext4" in chosen.reason


def test_without_root_homes_are_plain(choosing: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in choosing("auto").reason


def test_homes_that_are_there_decide(choosing: Choose, tmp_path: Path) -> None:
    (tmp_path / "homes").mkdir()
    (tmp_path / "homes" / "home_a.img").write_bytes(b"")
    assert choosing("auto", engine_url=NOWHERE).kind is Kind.VAULT


_IN_ITS_OWN_NAMESPACE = """
import sys
from pathlib import Path
from orchestrator.storage.choose import choose_storage
directory, root, image, url, instance = sys.argv[1:]
chosen = choose_storage("auto", directory=Path(directory), mount_root=Path(root), engine_url=url,
                        helper_image=image, instance=instance)
print(chosen.kind, chosen.reason)
"""


@pytest.mark.engine
@pytest.mark.parametrize("helper", ["chaospine:1.0.0", "rootblood/no-such:1"])
def test_an_engine_that_does_not_see_our_mounts_gets_plain_homes(
    can_vault: None, helper: str, tmp_path: Path, mount_root: Path, run_id: str
) -> None:
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c",
         _IN_ITS_OWN_NAMESPACE, str(tmp_path / "homes"), str(mount_root), helper, DOCKER_URL,
         f"{PREFIX}{run_id}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "plain The container engine does not see what the server mounts\n"


@pytest.mark.engine
def test_a_trial_that_was_killed_is_cleared_away_when_a_server_starts(
    make_vault: Callable[..., VaultStorage], mount_root: Path
) -> None:
    vault = make_vault()
    vault.unlock(Home("probe", (65534, 65534), 64 << 20), bytes(32))
    make_vault().reconcile()
    assert vault.unlocked() == frozenset()
    assert not (mount_root / "probe").exists()


def test_a_process_shares_mounts_with_itself() -> None:
    assert choose._shares_mounts(NOWHERE), "nobody to ask is trusted"
    assert VaultStorage.reason == ""
