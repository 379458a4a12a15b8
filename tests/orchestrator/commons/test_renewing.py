"""An open proposal shows no pushes that its source's owner would not show."""

from collections.abc import Callable

import pytest

from models import Level, Proposal, Repository, Stage, User, Visibility, db, utcnow
from orchestrator.commons import collaborators, discussion, proposals, repositories, source
from orchestrator.commons.proposals import Offer
from orchestrator.commons.repositories import Change
from orchestrator.errors import Forbidden
from orchestrator.platform import Platform
from tests.app_fixtures import on_both_databases
from tests.orchestrator.commons.published import Work

pytestmark = on_both_databases

PRIVATE, PUBLIC = Change(visibility=Visibility.PRIVATE), Change(visibility=Visibility.PUBLIC)


def change(platform: Platform, row: Repository, change: Change) -> Repository:
    return repositories.change(platform, row.owner, utcnow(), row, change)


@pytest.fixture
def bobs(work: Callable[[User], Work], bob: User) -> Work:
    return work(bob)


def forked(platform: Platform, hello: Repository, bobs: Work) -> Repository:
    """Bob's fork with a branch ``fix``."""
    fork = repositories.fork(platform, bobs.user, utcnow(), hello)
    bobs.tree.ok("pull", "--quiet", str(source.path_of(platform, fork)), "main")
    bobs.commit("Say more", README_md="Hello world\n")
    bobs.push(fork, "fix")
    return fork


def offer(platform: Platform, user: User, row: Repository, origin: Repository) -> Proposal:
    made = Offer(origin, "fix", "main", "Make it better")
    return proposals.create(platform, user, utcnow(), row, made)


def test_hiding_the_source_closes_what_it_offers_and_says_why(
    platform: Platform, ann: User, bob: User, hello: Repository, bobs: Work
) -> None:
    fork = forked(platform, hello, bobs)
    offered = offer(platform, bob, hello, fork)
    shown = offered.head
    change(platform, fork, PRIVATE)
    bobs.commit("A secret", secret_txt="x\n")
    bobs.push(fork, "fix")
    db.session.refresh(offered)
    assert (offered.stage, offered.head) == (Stage.CLOSED, shown)
    (said,) = discussion.of(offered).said
    assert (said.author, "made private" in said.text) == ("bob", True)
    with pytest.raises(Forbidden, match="hidden"):
        proposals.reopen(platform, ann, utcnow(), offered)
    db.session.refresh(offered)
    assert offered.head == shown
    assert proposals.reopen(platform, bob, utcnow(), offered).head != shown


def test_what_a_private_repository_offers_to_itself_stays_open(
    platform: Platform, ann: User, hello: Repository, anns: Work
) -> None:
    anns.commit("Say more", README_md="Hello world\n")
    anns.push(hello, "fix")
    offered = offer(platform, ann, hello, hello)
    change(platform, hello, PRIVATE)
    db.session.refresh(offered)
    assert offered.stage is Stage.OPEN


def test_publishing_the_target_closes_what_private_ones_offer(
    platform: Platform, ann: User, bob: User, hello: Repository, bobs: Work
) -> None:
    hello = change(platform, hello, PRIVATE)
    collaborators.put(ann, utcnow(), hello, "bob", Level.READ)
    fork = forked(platform, hello, bobs)
    offered = offer(platform, bob, hello, fork)
    change(platform, hello, PUBLIC)
    db.session.refresh(offered)
    assert offered.stage is Stage.CLOSED
    assert "made public" in discussion.of(offered).said[0].text


def test_a_push_of_who_may_not_see_the_target_any_more_is_not_shown(
    platform: Platform, ann: User, bob: User, hello: Repository, bobs: Work
) -> None:
    hello = change(platform, hello, PRIVATE)
    collaborators.put(ann, utcnow(), hello, "bob", Level.READ)
    fork = forked(platform, hello, bobs)
    offered = offer(platform, bob, hello, fork)
    bobs.commit("Still in", more_txt="x\n")
    shown = bobs.push(fork, "fix")
    collaborators.take(ann, utcnow(), hello, "bob")
    bobs.commit("Out", out_txt="x\n")
    bobs.push(fork, "fix")
    db.session.refresh(offered)
    assert (offered.stage, offered.head) == (Stage.CLOSED, shown)
