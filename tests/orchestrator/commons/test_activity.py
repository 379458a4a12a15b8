"""What is told of what people do, and to whom."""

from models import (
    Activity,
    Level,
    Repository,
    User,
    Visibility,
    db,
    utcnow,
)
from orchestrator.commons import (
    activity,
    collaborators,
    repositories,
)
from orchestrator.commons.repositories import Change
from orchestrator.platform import Platform
from tests.app_fixtures import account, on_both_databases
from tests.orchestrator.commons.published import create

pytestmark = on_both_databases

PRIVATE = Change(visibility=Visibility.PRIVATE)


def test_the_feed_is_paged_by_ids(platform: Platform, ann: User, bob: User) -> None:
    for number in range(5):
        create(platform, ann, f"r{number}")
    told = activity.recent(bob)
    assert [one.id for one in told] == sorted((one.id for one in told), reverse=True)
    assert [one.id for one in activity.recent(bob, after=told[1].id)] == [told[0].id]
    older = activity.recent(bob, before=told[2].id, count=2)
    assert [one.id for one in older] == [told[3].id, told[4].id]
    assert activity.recent(bob, owner="bob") == activity.recent(bob, actor="bob") == []


def test_the_name_of_a_hidden_parent_is_told_to_nobody_else(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    hello = repositories.change(platform, ann, utcnow(), hello, PRIVATE)
    collaborators.put(ann, utcnow(), hello, "bob", Level.READ)
    fork = repositories.fork(platform, bob, utcnow(), hello)
    published = Change(visibility=Visibility.PUBLIC)
    repositories.change(platform, bob, utcnow(), fork, published)
    carl = account(platform.settings, "carl")
    assert [one.facts for one in activity.recent(carl)] == [{"parent": None}]
    told = activity.recent(bob, actor="bob")
    assert [one.facts for one in told] == [{"parent": "ann/hello"}]


def test_a_page_that_follows_is_woken(platform: Platform, ann: User) -> None:
    before = platform.feed.version(activity.EVERYONE)
    create(platform, ann)
    assert platform.feed.version(activity.EVERYONE) > before


def test_what_is_deleted_is_not_told_any_more(
    platform: Platform, ann: User, hello: Repository
) -> None:
    repositories.remove(platform, ann, utcnow(), hello)
    assert db.session.query(Activity).all() == []
