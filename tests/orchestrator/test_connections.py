from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, event, select

from models import ActiveSession, Kind, Workspace, db, utcnow, writing
from orchestrator import accounts, tokens
from orchestrator.connections import TOUCH_SECONDS, Connection, Connections
from orchestrator.errors import Conflict
from orchestrator.platform import Platform
from tests.app_fixtures import on_both_databases, open_sessions

pytestmark = on_both_databases
Connect = Callable[..., Connection]
Again = Callable[[Workspace], Workspace]


@pytest.fixture
def live(platform: Platform, running: Workspace, connect: Connect) -> Connection:
    connection = connect(platform, running, now=running.started_at)
    connection.opened -= timedelta(minutes=1)  # long enough ago for input to be a person's
    return connection


def row_of(connection: Connection) -> ActiveSession:
    db.session.rollback()
    found = db.session.get(ActiveSession, connection.id, populate_existing=True)
    assert found is not None
    return found


def writes(act: Callable[[], object]) -> list[str]:
    """Return the statements that change rows while ``act`` runs."""
    seen: list[str] = []

    def note(_c: object, _cur: object, statement: str, *_: object) -> None:
        if statement.startswith(("UPDATE", "INSERT", "DELETE")):
            seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    act()
    event.remove(db.engine, "before_cursor_execute", note)
    return seen


def later(connection: Connection, seconds: float) -> datetime:
    return row_of(connection).opened_at + timedelta(seconds=seconds)


def test_a_connection_has_a_row_that_says_who_what_and_where(
    platform: Platform, live: Connection, running: Workspace
) -> None:
    row = row_of(live)
    assert (row.user_id, row.workspace_id) == (running.user_id, running.id)
    assert (row.server, row.address, row.kind) == (
        platform.connections.server,
        "192.0.2.1",
        "terminal",
    )
    assert row.opened_at == row.last_seen_at == running.started_at


def test_connections_are_counted_by_workspace_and_kind(
    platform: Platform, running: Workspace, live: Connection
) -> None:
    count = platform.connections.count
    assert count(running.id, Kind.TERMINAL) == 1
    assert count(running.id, Kind.EDITOR) == count(running.id + 1, Kind.TERMINAL) == 0
    platform.connections.ended(live)
    assert count(running.id, Kind.TERMINAL) == 0


def test_typing_writes_nothing_by_itself(live: Connection) -> None:
    assert writes(lambda: [live.on_input() for _ in range(1000)]) == []


def test_what_a_terminal_answers_when_it_opens_is_no_input(
    platform: Platform, running: Workspace, connect: Connect
) -> None:
    fresh = connect(platform, running)
    fresh.on_input()
    assert fresh.last_input is None
    fresh.opened -= timedelta(seconds=4)
    fresh.on_input()
    assert fresh.last_input is not None


def test_each_row_is_written_at_most_once_a_minute(platform: Platform, live: Connection) -> None:
    def minute(begin: float) -> list[str]:
        seen = []
        for second in range(60):
            live.on_input()
            now = later(live, begin + second)
            seen += writes(lambda now=now: platform.connections.touch(now))
        return [s for s in seen if s.startswith("UPDATE active_sessions")]

    assert len(minute(0)) == 0, "its row has just been written"
    assert len(minute(60)) == 1
    assert len(minute(120)) == 1


def test_the_heartbeat_carries_the_last_input(
    platform: Platform, live: Connection, running: Workspace, again: Again
) -> None:
    live.on_input()
    assert live.last_input is not None
    now = later(live, TOUCH_SECONDS)
    platform.connections.touch(now)
    assert row_of(live).last_seen_at == now
    assert row_of(live).last_input_at == live.last_input
    assert again(running).last_input_at == live.last_input


def test_a_clock_set_back_does_not_silence_the_heartbeat(
    platform: Platform, live: Connection
) -> None:
    platform.connections.touch(later(live, 3600))
    now = later(live, 0)
    platform.connections.touch(now)
    assert row_of(live).last_seen_at == now


def test_an_older_input_never_replaces_a_newer_one(
    platform: Platform, running: Workspace, connect: Connect, again: Again
) -> None:
    first, second = connect(platform, running), connect(platform, running)
    now = utcnow()
    first.last_input, second.last_input = now, now - timedelta(minutes=5)
    platform.connections.touch(now + timedelta(seconds=TOUCH_SECONDS))
    assert again(running).last_input_at == now
    assert platform.connections.last_input(running.id) == now


def test_nobody_typed_yet_is_no_time(
    platform: Platform, live: Connection, running: Workspace
) -> None:
    assert platform.connections.last_input(running.id) is None
    assert platform.connections.last_input(running.id + 1) is None


def test_the_last_input_survives_the_connection(
    platform: Platform, live: Connection, running: Workspace, again: Again
) -> None:
    live.on_input()
    assert live.last_input is not None
    platform.connections.ended(live)
    assert open_sessions() == [live.id], "ending it must not touch the database"
    assert platform.connections.bury() == {running.user_id}
    assert open_sessions() == []
    assert again(running).last_input_at == live.last_input
    assert platform.connections.bury() == set()


def test_an_ended_connection_is_neither_touched_nor_hung_up(
    platform: Platform, live: Connection
) -> None:
    platform.connections.ended(live)
    now = later(live, 3600)
    assert writes(lambda: platform.connections.touch(now)) == []
    platform.connections.bury()
    assert platform.connections.hang_up_revoked() == 0
    assert live.carrier.closed == 0


def test_deleting_the_row_hangs_up_and_only_that_one(
    platform: Platform, running: Workspace, connect: Connect
) -> None:
    doomed, other = connect(platform, running), connect(platform, running)
    assert platform.connections.hang_up_revoked() == 0
    with writing():
        db.session.execute(delete(ActiveSession).where(ActiveSession.id == doomed.id))
    assert platform.connections.hang_up_revoked() == 1
    assert (doomed.carrier.closed, other.carrier.closed) == (1, 0)
    assert platform.connections.hang_up_revoked() == 0


def test_what_is_revoked_while_it_still_opens_is_hung_up_once_it_is_open(
    platform: Platform, live: Connection
) -> None:
    carrier, live.carrier = live.carrier, None  # the handshake with the workspace takes its time
    with writing():
        db.session.execute(delete(ActiveSession))
    assert platform.connections.hang_up_revoked() == 0
    live.carrier = carrier
    assert platform.connections.hang_up_revoked() == 1
    assert carrier.closed == 1


def test_ending_a_login_or_a_token_hangs_up_what_it_opened(
    platform: Platform, running: Workspace, connect: Connect
) -> None:
    login, _ = accounts.sign_in(running.user, utcnow(), address="", agent="")
    token, _ = tokens.create(running.user, utcnow(), "x", 1, address="")
    by_login = connect(platform, running, login_id=login.id)
    by_token = connect(platform, running, token_id=token.id)
    accounts.sign_out(login.id)
    platform.connections.hang_up_revoked()
    assert (by_login.carrier.closed, by_token.carrier.closed) == (1, 0)
    tokens.revoke(running.user, utcnow(), token.id, address="")
    platform.connections.hang_up_revoked()
    assert by_token.carrier.closed == 1


def test_what_is_revoked_while_it_connects_is_hung_up_when_it_has(
    platform: Platform, running: Workspace, connect: Connect
) -> None:
    half = connect(platform, running)
    carrier, half.carrier = half.carrier, None
    with writing():
        db.session.execute(delete(ActiveSession).where(ActiveSession.id == half.id))
    assert platform.connections.hang_up_revoked() == 0
    half.carrier = carrier
    assert platform.connections.hang_up_revoked() == 1
    assert carrier.closed == 1


def test_a_login_that_ended_meanwhile_opens_nothing(
    platform: Platform, running: Workspace, connect: Connect
) -> None:
    login, _ = accounts.sign_in(running.user, utcnow(), address="", agent="")
    accounts.sign_out(login.id)
    with pytest.raises(Conflict):
        connect(platform, running, login_id=login.id)
    assert open_sessions() == []


def test_a_server_hangs_up_only_its_own(
    platform: Platform, live: Connection, running: Workspace, connect: Connect
) -> None:
    other = Connections("another:8000")
    assert other.hang_up_revoked() == 0
    other.free_leftovers()
    assert open_sessions() == [live.id]


def test_what_a_crash_left_is_deleted_by_the_servers_name(
    platform: Platform, live: Connection
) -> None:
    Connections(platform.connections.server).free_leftovers()
    assert open_sessions() == []


def test_stopping_hangs_up_everything(
    platform: Platform, running: Workspace, connect: Connect
) -> None:
    both = [connect(platform, running), connect(platform, running)]
    platform.connections.close_all()
    assert [connection.carrier.closed for connection in both] == [1, 1]
    assert db.session.scalars(select(ActiveSession.id)).all(), "the next start frees the rows"


def test_what_a_token_opened_ends_when_it_expires(platform: Platform, running: Workspace) -> None:
    class Carrier:
        closed = False

        def close(self) -> None:
            self.closed = True

    now = utcnow()
    token, _ = tokens.create(running.user, now, "ci", 1, address="192.0.2.1")
    connection = platform.connections.open(
        now, user_id=running.user_id, workspace_id=running.id, kind=Kind.TERMINAL,
        address="192.0.2.1", login_id=None, token_id=token.id,
    )  # fmt: skip
    connection.carrier = carrier = Carrier()
    tokens.delete_expired(token.expires_at)
    platform.connections.hang_up_revoked()
    assert not carrier.closed
    tokens.delete_expired(token.expires_at + timedelta(seconds=1))
    platform.connections.hang_up_revoked()
    assert carrier.closed


def test_a_saved_file_is_input_at_once_and_written_down_once_a_minute(
    platform: Platform, running: Workspace, again: Again
) -> None:
    began = utcnow()
    saves = [began + timedelta(seconds=seconds) for seconds in (0, 1, TOUCH_SECONDS - 1)]
    for now in saves:
        platform.connections.note_input(running.id, now)
        assert platform.connections.last_input(running.id) == now
        assert writes(lambda now=now: platform.connections.touch(now)) == []
    platform.connections.touch(began + timedelta(seconds=TOUCH_SECONDS))
    assert again(running).last_input_at == saves[-1]
    assert writes(lambda: platform.connections.touch(utcnow() + timedelta(hours=1))) == []


def test_a_previews_viewer_shows_on_the_pages_of_the_workspaces_owner(
    platform: Platform, running: Workspace
) -> None:
    now = utcnow()
    row = ActiveSession(workspace_id=running.id, port=80, address="192.0.2.9",
                        opened_at=now, last_seen_at=now)  # fmt: skip
    connection = platform.connections.open_preview(row, running.user_id)
    found = row_of(connection)
    assert (found.kind, found.user_id, found.port) == (Kind.PREVIEW, None, 80)
    assert found.server == platform.connections.server
    platform.connections.ended(connection)
    assert platform.connections.bury() == {running.user_id}
    assert open_sessions() == []


def test_every_look_for_revoked_ones_is_counted(platform: Platform, running: Workspace) -> None:
    """What was decided before one may not hold after it, open connections or not."""
    for _ in range(3):
        before = platform.connections.looked
        platform.connections.hang_up_revoked()
        assert platform.connections.looked == before + 1
