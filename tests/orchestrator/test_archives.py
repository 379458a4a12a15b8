import pytest

from models import User, Workspace, db
from orchestrator import archives
from orchestrator.engines.memory_shell import MemoryProcess
from orchestrator.platform import Platform
from tests.app_fixtures import PROOF
from tests.engine import WatchedEngine


@pytest.fixture
def packed(engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The containers in which an archive is made; each writes ``abc``."""
    names: list[str] = []

    def spawn(self: WatchedEngine, name: str, _argv: object) -> MemoryProcess:
        assert not db.session().in_transaction()
        names.append(name)
        return MemoryProcess(["echo", "abc"])

    monkeypatch.setattr(WatchedEngine, "spawn", spawn)
    return names


def archived(platform: Platform, user: User) -> bytes:
    # As in a request: the user has just been read, and the transaction is open.
    db.session.refresh(user)
    archive = archives.open_archive(platform, user, "download", PROOF)
    try:
        return b"".join(archive)
    finally:
        archive.close()


def test_a_running_workspace_packs_its_own_home(
    platform: Platform, running: Workspace, packed: list[str]
) -> None:
    assert archived(platform, running.user) == b"abc\n"
    assert packed == [running.container]


def test_a_helper_packs_the_home_while_nothing_runs_and_goes(
    platform: Platform, made: Workspace, packed: list[str]
) -> None:
    assert archived(platform, made.user) == b"abc\n"
    (helper,) = packed
    assert helper.startswith("rbx-")
    assert list(platform.engine.census()) == []


def test_progress_is_told_to_the_end(
    platform: Platform, running: Workspace, packed: list[str]
) -> None:
    archived(platform, running.user)
    (transfer,) = platform.feed.transfers(running.user_id)
    assert (transfer.id, transfer.state, transfer.sent_bytes) == ("download", "done", 4)


def test_a_download_that_is_given_up_leaves_nothing(
    platform: Platform, made: Workspace, packed: list[str]
) -> None:
    archive = archives.open_archive(platform, made.user, "download", PROOF)
    archive.close()
    archive.close()
    assert list(platform.engine.census()) == []
    (transfer,) = platform.feed.transfers(made.user_id)
    assert transfer.state == "failed"
