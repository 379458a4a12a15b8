"""Stars: one of each person, told once."""

import pytest

from models import (
    Deed,
    Repository,
    User,
    utcnow,
)
from orchestrator.commons import (
    activity,
    finding,
    stars,
)
from orchestrator.platform import Platform
from tests.app_fixtures import on_both_databases
from tests.orchestrator.commons.published import names

pytestmark = on_both_databases


def test_stars_count_once(platform: Platform, ann: User, bob: User, hello: Repository) -> None:
    for _ in range(2):
        stars.star(platform, bob, utcnow(), hello)
    assert finding.listed(ann, hello).stars == 1
    assert names(ann, starred_by="ann") == []
    assert names(ann, starred_by="bob") == ["ann/hello"]
    assert [one.deed for one in activity.recent(ann)].count(Deed.STAR) == 1
    stars.unstar(bob, hello)
    assert finding.listed(ann, hello).stars == 0


def test_a_star_that_is_taken_back_and_given_again_is_told_once(
    platform: Platform, ann: User, bob: User, hello: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken = list[int]()
    monkeypatch.setattr(platform.feed, "publish", woken.append)
    for _ in range(3):
        stars.star(platform, bob, utcnow(), hello)
        stars.unstar(bob, hello)
    stars.star(platform, ann, utcnow(), hello)
    deeds = [(one.actor.username, one.deed) for one in activity.recent(ann)]
    assert deeds.count(("bob", Deed.STAR)) == deeds.count(("ann", Deed.STAR)) == 1
    assert len(woken) == 2
    assert finding.listed(ann, hello).stars == 1
