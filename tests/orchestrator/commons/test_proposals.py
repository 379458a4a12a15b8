import pytest

from models import (
    Activity,
    Deed,
    Proposal,
    Repository,
    Stage,
    User,
    Visibility,
    db,
    utcnow,
)
from orchestrator.commons import (
    proposals,
    repositories,
    source,
)
from orchestrator.commons.repositories import Change
from orchestrator.errors import (
    AlreadyExists,
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
)
from orchestrator.platform import Platform
from tests.app_fixtures import account, on_both_databases
from tests.orchestrator.commons.published import Work, merge, offer, sound

pytestmark = on_both_databases


def test_a_proposal_shows_its_commits_and_changes(platform: Platform, offered: Proposal) -> None:
    assert (offered.number, offered.stage, offered.author) == (1, Stage.OPEN, "bob")
    view = proposals.view(platform, offered)
    assert [one.subject for one in view.commits] == ["Add a file", "Say more"]
    assert view.diff is not None
    assert [(one.path, one.status) for one in view.diff.files] == [
        ("README.md", "M"), ("new.txt", "A")
    ]  # fmt: skip
    assert (view.conflicts, view.gone) == ([], False)


def test_it_costs_the_target_nothing_until_it_is_merged(
    platform: Platform, hello: Repository, offered: Proposal
) -> None:
    proposals.view(platform, offered)
    assert not source.of(platform, hello).known(offered.head)
    merge(platform, hello.owner, offered)
    assert source.of(platform, hello).known(offered.head)


def test_a_push_to_the_branch_goes_on_with_it(
    platform: Platform, fork: Repository, bobs: Work, offered: Proposal
) -> None:
    bobs.commit("One more", more_txt="x\n")
    head = bobs.push(fork, "fix")
    db.session.refresh(offered)
    assert offered.head == head
    assert len(proposals.view(platform, offered).commits) == 3


def test_what_a_push_brings_in_counts_as_merged(
    platform: Platform, hello: Repository, offered: Proposal, bobs: Work
) -> None:
    bobs.push(hello, "main", offered.head)
    found = proposals.numbered(hello, 1)
    assert (found.stage, found.merge_commit) == (Stage.MERGED, offered.head)


def test_a_merged_proposal_is_shown_when_its_source_is_gone(
    platform: Platform, ann: User, bob: User, hello: Repository, fork: Repository,
    offered: Proposal,
) -> None:  # fmt: skip
    merge(platform, ann, offered)
    repositories.remove(platform, bob, utcnow(), fork)
    db.session.expire_all()
    view = proposals.view(platform, proposals.numbered(hello, 1))
    assert not view.gone
    assert view.diff is not None
    assert len(view.diff.files) == 2
    sound(platform, hello)


def test_an_open_proposal_whose_source_is_gone_says_so(
    platform: Platform, ann: User, bob: User, hello: Repository, fork: Repository,
    offered: Proposal,
) -> None:  # fmt: skip
    repositories.remove(platform, bob, utcnow(), fork)
    db.session.expire_all()
    found = proposals.numbered(hello, 1)
    assert proposals.view(platform, found).gone
    with pytest.raises(Conflict):
        merge(platform, ann, found)


def test_a_deleted_branch_closes_it_and_a_new_one_can_reopen_it(
    platform: Platform, hello: Repository, fork: Repository, offered: Proposal, bobs: Work
) -> None:
    bobs.delete(fork, "fix")
    found = proposals.numbered(hello, 1)
    assert found.stage is Stage.CLOSED
    with pytest.raises(NotFound):
        proposals.reopen(platform, bobs.user, utcnow(), found)
    bobs.push(fork, "fix", offered.head)
    assert proposals.reopen(platform, bobs.user, utcnow(), found).stage is Stage.OPEN


def test_the_same_branch_is_offered_once_at_a_time(
    platform: Platform, bob: User, hello: Repository, fork: Repository, offered: Proposal
) -> None:
    with pytest.raises(AlreadyExists):
        offer(platform, bob, hello, fork)
    proposals.close(platform, bob, utcnow(), offered)
    assert offer(platform, bob, hello, fork).number == 2


def test_nobody_offers_what_is_not_theirs(
    platform: Platform, ann: User, hello: Repository, fork: Repository, bobs: Work
) -> None:
    bobs.commit("Mine", mine_txt="mine")
    bobs.push(fork, "fix")
    with pytest.raises(Forbidden):
        offer(platform, ann, hello, fork)


@pytest.mark.parametrize("branch", ["nope", "--all", "a b", "../x", "x\n"])
def test_branches_that_are_not_there_are_not_offered(
    platform: Platform, bob: User, hello: Repository, fork: Repository, branch: str
) -> None:
    with pytest.raises((NotFound, BadInput)):
        offer(platform, bob, hello, fork, branch)


def test_nothing_new_is_no_proposal(
    platform: Platform, bob: User, hello: Repository, fork: Repository
) -> None:
    with pytest.raises(Conflict, match="nothing to merge"):
        offer(platform, bob, hello, fork, "main")


def test_an_archived_repository_takes_nothing(
    platform: Platform, ann: User, hello: Repository, offered: Proposal
) -> None:
    repositories.change(platform, ann, utcnow(), hello, Change(archived=True))
    with pytest.raises(Conflict, match="archived"):
        merge(platform, ann, proposals.numbered(hello, 1))


def test_a_private_source_stays_private_and_its_offer_is_seen(
    platform: Platform, ann: User, hello: Repository, fork: Repository, bobs: Work
) -> None:
    hidden = Change(visibility=Visibility.PRIVATE)
    fork = repositories.change(platform, bobs.user, utcnow(), fork, hidden)
    bobs.commit("Mine", mine_txt="mine")
    bobs.push(fork, "fix")
    made = offer(platform, bobs.user, hello, fork)
    assert proposals.view(platform, made).diff is not None
    assert merge(platform, ann, made).stage is Stage.MERGED


def test_what_happened_is_told(platform: Platform, ann: User, offered: Proposal) -> None:
    merge(platform, ann, offered)
    told = db.session.query(Activity).order_by(Activity.id).all()
    assert [one.deed for one in told] == [
        Deed.CREATE, Deed.PUSH, Deed.FORK, Deed.PUSH, Deed.PROPOSE, Deed.MERGE
    ]  # fmt: skip
    assert told[-1].facts == {"number": 1, "title": "Make it better"}


def test_two_accounts_of_one_name_are_two_people(
    platform: Platform, hello: Repository, offered: Proposal
) -> None:
    """What somebody said stays theirs by name, and is nobody's to change."""
    carl = account(platform.settings, "carl")
    with pytest.raises(Forbidden):
        proposals.edit(carl, utcnow(), offered, title="Mine")
    assert proposals.edit(hello.owner, utcnow(), offered, title="Better").title == "Better"
