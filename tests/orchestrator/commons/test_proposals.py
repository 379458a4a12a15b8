from collections.abc import Callable

import pytest

from models import (
    Activity,
    Deed,
    Level,
    Method,
    Proposal,
    Repository,
    Side,
    Stage,
    User,
    Visibility,
    db,
    utcnow,
)
from orchestrator.commons import (
    accepting,
    collaborators,
    discussion,
    history,
    proposals,
    reading,
    repositories,
    source,
)
from orchestrator.commons.discussion import Spot
from orchestrator.commons.proposals import Offer
from orchestrator.commons.repositories import Change
from orchestrator.errors import (
    AllowanceReached,
    AlreadyExists,
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
)
from orchestrator.platform import Platform
from tests.app_fixtures import account, on_both_databases
from tests.orchestrator.commons.git_client import Client
from tests.orchestrator.commons.published import Work

pytestmark = on_both_databases

MakeWork = Callable[..., Work]


@pytest.fixture
def fork(platform: Platform, hello: Repository, bob: User) -> Repository:
    return repositories.fork(platform, bob, utcnow(), hello)


@pytest.fixture
def bobs(platform: Platform, fork: Repository, bob: User, work: MakeWork) -> Work:
    """Bob's work tree on his fork."""
    made = work(bob)
    made.tree.ok("pull", "--quiet", str(source.path_of(platform, fork)), "main")
    return made


@pytest.fixture
def offered(platform: Platform, hello: Repository, fork: Repository, bobs: Work) -> Proposal:
    """Bob's branch ``fix`` of two commits, offered to Ann."""
    bobs.commit("Say more", README_md="Hello world\n")
    bobs.commit("Add a file", new_txt="new\n")
    bobs.push(fork, "fix")
    return offer(platform, bobs.user, hello, fork)


def offer(
    platform: Platform, user: User, row: Repository, origin: Repository, branch: str = "fix"
) -> Proposal:
    made = Offer(origin, branch, "main", "Make it better", "Because.")
    return proposals.create(platform, user, utcnow(), row, made)


def merge(
    platform: Platform, user: User, proposal: Proposal, method: Method = Method.MERGE
) -> Proposal:
    return accepting.merge(platform, user, utcnow(), proposal, method)


def on_main(platform: Platform, row: Repository) -> list[history.Commit]:
    here = source.of(platform, row)
    head = reading.head(here, row)
    assert head is not None
    return history.log(here, head)


def sound(platform: Platform, row: Repository) -> None:
    """git finds nothing wrong with the repository, alone."""
    done = Client(source.path_of(platform, row)).run("fsck", "--strict", "--no-dangling")
    assert (done.returncode, done.stderr) == (0, b"")


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


def test_a_merge_commit_joins_both_and_names_who_merged(
    platform: Platform, ann: User, hello: Repository, offered: Proposal
) -> None:
    merged = merge(platform, ann, offered)
    assert (merged.stage, merged.method, merged.merged_by) == (Stage.MERGED, Method.MERGE, "ann")
    top, *_ = on_main(platform, hello)
    assert (top.id, top.parents) == (merged.merge_commit, (merged.base, merged.head))
    assert (top.author, top.committer) == ("ann", "ann")
    assert top.subject == "Merge proposal 1 from bob/hello:fix"
    sound(platform, hello)


def test_a_squash_is_one_commit_of_its_author(
    platform: Platform, ann: User, hello: Repository, offered: Proposal
) -> None:
    merged = merge(platform, ann, offered, Method.SQUASH)
    top, before = on_main(platform, hello)
    assert (top.id, top.parents) == (merged.merge_commit, (before.id,))
    assert (top.author, top.email, top.committer) == ("bob", "bob@example.org", "ann")
    assert top.subject == "Make it better (proposal 1)"
    sound(platform, hello)


def test_a_squash_names_all_who_wrote_it(
    platform: Platform, ann: User, hello: Repository, fork: Repository, bobs: Work
) -> None:
    bobs.commit("One", one_txt="1")
    bobs.commit("Two", two_txt="2")
    bobs.tree.ok("commit", "--allow-empty", "-m", "Three", "--author=Carl <carl@example.org>")
    bobs.push(fork, "fix")
    merge(platform, ann, offer(platform, bobs.user, hello, fork), Method.SQUASH)
    assert on_main(platform, hello)[0].body.endswith("Co-authored-by: Carl <carl@example.org>")


def test_a_rebase_keeps_the_authors_and_makes_a_line(
    platform: Platform, ann: User, hello: Repository, offered: Proposal, work: MakeWork, bobs: Work
) -> None:
    bobs.tree.ok("checkout", "--quiet", "-B", "other", f"{offered.head}~2")
    bobs.commit("Meanwhile", other_txt="other\n")
    bobs.push(hello)  # as one with the right to would
    merged = merge(platform, ann, offered, Method.REBASE)
    commits = on_main(platform, hello)
    assert [one.subject for one in commits] == ["Add a file", "Say more", "Meanwhile", "Begin"]
    assert all(len(one.parents) == 1 for one in commits[:3])
    assert {(one.author, one.committer) for one in commits[:2]} == {("bob", "ann")}
    assert commits[0].id == merged.merge_commit
    sound(platform, hello)


def test_a_rebase_of_what_is_ahead_already_moves_the_branch(
    platform: Platform, ann: User, hello: Repository, offered: Proposal
) -> None:
    assert merge(platform, ann, offered, Method.REBASE).merge_commit == offered.head


@pytest.mark.parametrize("method", list(Method))
def test_conflicts_are_named_and_change_nothing(
    platform: Platform, ann: User, hello: Repository, offered: Proposal, bobs: Work, method: Method
) -> None:
    bobs.tree.ok("checkout", "--quiet", "-B", "other", f"{offered.head}~2")
    tip = bobs.commit("Otherwise", README_md="Good morning\n")
    bobs.push(hello)
    assert proposals.view(platform, offered).conflicts == ["README.md"]
    with pytest.raises(Conflict, match=r"README\.md"):
        merge(platform, ann, offered, method)
    assert on_main(platform, hello)[0].id == tip
    assert proposals.numbered(hello, 1).stage is Stage.OPEN


def test_only_who_can_write_merges(
    platform: Platform, ann: User, bob: User, hello: Repository, offered: Proposal
) -> None:
    with pytest.raises(Forbidden):
        merge(platform, bob, offered)
    collaborators.put(ann, utcnow(), hello, "bob", Level.WRITE)
    assert merge(platform, bob, offered).merged_by == "bob"


def test_what_is_merged_is_merged_once(
    platform: Platform, ann: User, hello: Repository, offered: Proposal
) -> None:
    merge(platform, ann, offered)
    with pytest.raises(Conflict, match="merged"):
        merge(platform, ann, proposals.numbered(hello, 1))
    with pytest.raises(Conflict, match="merged"):
        proposals.close(platform, ann, utcnow(), proposals.numbered(hello, 1))


def test_a_branch_that_moves_meanwhile_wins(
    platform: Platform, ann: User, hello: Repository, offered: Proposal,
    bobs: Work, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    let_in = accepting.merging.let_in

    def late(*given: object) -> None:
        bobs.tree.ok("checkout", "--quiet", "-B", "other", f"{offered.head}~2")
        bobs.commit("Faster", fast_txt="fast\n")
        bobs.push(hello)
        let_in(*given)

    monkeypatch.setattr(accepting.merging, "let_in", late)
    with pytest.raises(Conflict, match="just now"):
        merge(platform, ann, offered)
    assert on_main(platform, hello)[0].subject == "Faster"


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


def test_a_merge_that_does_not_fit_is_refused(
    platform: Platform, ann: User, hello: Repository, offered: Proposal
) -> None:
    ann.max_disk_bytes = 1
    db.session.commit()
    with pytest.raises(AllowanceReached):
        merge(platform, ann, offered)


def test_discussion(platform: Platform, ann: User, bob: User, offered: Proposal) -> None:
    spot = Spot("README.md", Side.NEW, 1, offered.head)
    discussion.say(platform, ann, utcnow(), offered, "Why?\r\nReally?")
    said = discussion.say(platform, bob, utcnow(), offered, "Here", spot)
    first, second = discussion.of(offered).said
    assert (first.author, first.text, first.path) == ("ann", "Why?\nReally?", None)
    assert (second.path, second.side, second.line) == ("README.md", Side.NEW, 1)
    with pytest.raises(Forbidden):
        discussion.take_back(platform, bob, offered, first.id)
    discussion.take_back(platform, bob, offered, said.id)
    assert discussion.of(offered).total == 1


@pytest.mark.parametrize(
    "spot",
    [Spot("../x", Side.NEW, 1, "a" * 40), Spot("x", Side.NEW, 0, "a" * 40),
     Spot("x", Side.NEW, 1, "--all"), Spot("a\0b", Side.OLD, 1, "a" * 40)],
)  # fmt: skip
def test_comments_on_lines_that_cannot_be_are_refused(
    platform: Platform, ann: User, offered: Proposal, spot: Spot
) -> None:
    with pytest.raises(BadInput):
        discussion.say(platform, ann, utcnow(), offered, "x", spot)


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
