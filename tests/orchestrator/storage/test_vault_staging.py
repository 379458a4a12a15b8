"""What is staged stays whole until it takes the home's place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.engines.docker import DockerEngine
from orchestrator.errors import HomeBusy, StorageError
from orchestrator.spec import Limits, Spec
from orchestrator.storage import Home
from orchestrator.storage.vault import VaultStorage
from tests.orchestrator.storage.conftest import OWNER

MakeVault = Callable[..., VaultStorage]

pytestmark = pytest.mark.engine


def test_what_is_staged_is_not_taken_from_a_container_that_fills_it(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    docker_engine: DockerEngine,
    image: str,
    run_id: str,
    make_vault: MakeVault,
    tree: Path,
) -> None:
    vault.unlock(home, key)
    vault.stage(home, key)
    spec = Spec(
        name=f"rb-{run_id}-restore",
        image=image,
        user=OWNER,
        limits=Limits(1.0, 64 << 20, 32),
        entrypoint=("sleep", "1000"),
        mounts=(vault.mount(f"{home.name}.staged", "/home/alice"),),
    )
    docker_engine.run(spec)
    for attempt in (
        lambda: vault.stage(home, key),
        lambda: vault.adopt(home, key),
        lambda: vault.discard(home.name),
        lambda: vault.destroy(home.name),
    ):
        with pytest.raises(HomeBusy):
            attempt()
    make_vault().reconcile()
    wrote = docker_engine.exec(spec.name, ["sh", "-c", "echo new > /home/alice/file"])
    assert wrote.exit_code == 0
    docker_engine.remove(spec.name)
    vault.adopt(home, key)
    assert home.name in vault.unlocked(), "as it was before"
    assert (tree / "file").read_text() == "new\n"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.storage.vault._ORPHAN_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
def test_what_another_server_works_on_is_left_to_it(
    vault: VaultStorage, home: Home, key: bytes, make_vault: MakeVault, mount_root: Path, tree: Path
) -> None:
    vault.unlock(home, key)
    vault.stage(home, key)
    other = make_vault()
    other.reconcile()
    for attempt in (
        lambda: other.stage(home, key),
        lambda: other.adopt(home, key),
        lambda: other.discard(home.name),
        lambda: other.destroy(home.name),
    ):
        with pytest.raises(HomeBusy):
            attempt()
    (mount_root / f"{home.name}.staged" / "home" / "file").write_text("new")
    vault.adopt(home, key)
    assert (tree / "file").read_text() == "new"
    other.stage(home, key)
    other.discard(home.name)
    vault.stage(home, key)


def test_what_a_server_staged_that_is_no_more_is_anybodys(
    vault: VaultStorage, home: Home, key: bytes, make_vault: MakeVault, mount_root: Path, tree: Path
) -> None:
    vault.unlock(home, key)
    vault.stage(home, key)
    (mount_root / f"{home.name}.staged" / "home" / "file").write_text("new")
    vault.close()
    make_vault().adopt(home, key)
    assert (tree / "file").read_text() == "new"


def kill(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def killed(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    make_vault: MakeVault,
    mount_root: Path,
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[object, str], VaultStorage]:
    """Return what kills a server in a call while it adopts ``new``, and starts the next one."""

    def kill_in(where: object, name: str) -> VaultStorage:
        vault.unlock(home, key)
        (tree / "file").write_text("old")
        vault.stage(home, key)
        (mount_root / f"{home.name}.staged" / "home" / "file").write_text("new")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(where, name, kill)
            vault.adopt(home, key)
        vault.close()
        other = make_vault()
        other.reconcile()
        return other

    return kill_in


def test_a_server_killed_before_the_home_is_replaced_leaves_the_old_one_and_says_so(
    killed: Callable[[object, str], VaultStorage], home: Home, key: bytes, tree: Path
) -> None:
    later = killed(Path, "replace")
    with pytest.raises(StorageError, match="is gone"):
        later.adopt(home, key)
    later.unlock(home, key)
    assert (tree / "file").read_text() == "old"


def test_a_server_killed_after_the_home_was_replaced_has_adopted(
    killed: Callable[[object, str], VaultStorage],
    vault: VaultStorage,
    home: Home,
    key: bytes,
    tree: Path,
) -> None:
    later = killed(vault, "_open")
    later.adopt(home, key)
    later.unlock(home, key)
    assert (tree / "file").read_text() == "new"
