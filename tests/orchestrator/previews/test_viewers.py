from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from models import ActiveSession, Audience, User, Workspace, db, utcnow
from orchestrator.platform import Platform
from orchestrator.previews import Decision, shares
from orchestrator.previews.viewers import IDLE_SECONDS, Viewer
from tests.orchestrator.conftest import ACTOR, Carrier
from tests.orchestrator.previews.conftest import PORT


@pytest.fixture
def viewer(platform: Platform, running: Workspace, look: Callable[..., Decision]) -> Viewer:
    shares.change(platform, running, PORT, Audience.PUBLIC, None, utcnow(), ACTOR)
    found = look().viewer
    assert found is not None
    return found


def dismiss(platform: Platform, viewer: Viewer, seconds: float) -> int:
    """Return how many rows are left ``seconds`` after the viewer was seen."""
    platform.viewers.dismiss_idle(platform.connections, viewer.seen + seconds)
    platform.connections.bury()
    db.session.rollback()
    return db.session.scalar(select(func.count(ActiveSession.id))) or 0


def test_who_asks_for_nothing_any_more_has_left(
    platform: Platform, viewer: Viewer, look: Callable[..., Decision]
) -> None:
    assert dismiss(platform, viewer, IDLE_SECONDS - 1) == 1
    assert dismiss(platform, viewer, IDLE_SECONDS + 1) == 0
    again = look().viewer
    assert again is not viewer
    assert again.hold(Carrier())


def test_an_open_exchange_keeps_its_viewer(platform: Platform, viewer: Viewer) -> None:
    carrier = Carrier()
    assert viewer.hold(carrier)
    assert dismiss(platform, viewer, 10 * IDLE_SECONDS) == 1
    viewer.release(carrier)
    assert dismiss(platform, viewer, IDLE_SECONDS + 1) == 0
    assert carrier.closed == 0


def test_what_was_released_is_not_closed(viewer: Viewer) -> None:
    done, open_ = Carrier(), Carrier()
    viewer.hold(done), viewer.hold(open_)
    viewer.release(done)
    viewer.release(done)
    viewer.close()
    viewer.close()
    assert (done.closed, open_.closed) == (0, 1)


def test_its_end_shows_on_the_owners_pages(platform: Platform, viewer: Viewer, ann: User) -> None:
    platform.viewers.dismiss_idle(platform.connections, viewer.seen + IDLE_SECONDS + 1)
    assert platform.connections.bury() == {ann.id}


def test_of_two_that_come_at_once_one_is_kept(platform: Platform) -> None:
    first, second = Viewer(("stranger", 1)), Viewer(("stranger", 1))
    assert platform.viewers.add(first) is first
    assert platform.viewers.add(second) is first
    first.close()
    assert platform.viewers.add(second) is second
