"""Who is here, as far as they show it."""

import pytest

from models import (
    Repository,
    User,
    db,
    utcnow,
    writing,
)
from orchestrator.commons import (
    presence,
)
from orchestrator.errors import (
    NotFound,
)
from orchestrator.platform import Platform
from tests.app_fixtures import on_both_databases

pytestmark = on_both_databases


def test_people_are_here_unless_they_hide(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    now = utcnow()
    with writing():
        db.session.get(User, bob.id).last_seen_at = now
    listed = {one.username: one for one in presence.people(ann, now)}
    assert (listed["ann"].online, listed["bob"].online) == (False, True)
    assert (listed["ann"].repositories, listed["bob"].repositories) == (1, 0)
    assert [one.username for one in presence.people(ann, now, online_only=True)] == ["bob"]
    presence.show(bob, False)
    db.session.expire_all()
    assert presence.person(ann, now, "bob").online is None
    assert presence.person(bob, now, "bob").online is True
    with pytest.raises(NotFound):
        presence.person(ann, now, "nobody")
