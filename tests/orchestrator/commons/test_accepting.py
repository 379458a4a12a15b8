"""Merging what was proposed: three ways, all of it or nothing."""

import pytest

from models import (
    Level,
    Method,
    Proposal,
    Repository,
    Stage,
    User,
    db,
    utcnow,
)
from orchestrator.commons import (
    accepting,
    collaborators,
    proposals,
)
from orchestrator.errors import (
    AllowanceReached,
    Conflict,
    Forbidden,
)
from orchestrator.platform import Platform
from tests.app_fixtures import on_both_databases
from tests.orchestrator.commons.published import MakeWork, Work, merge, offer, on_main, sound

pytestmark = on_both_databases


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


def test_a_merge_that_does_not_fit_is_refused(
    platform: Platform, ann: User, hello: Repository, offered: Proposal
) -> None:
    ann.max_disk_bytes = 1
    db.session.commit()
    with pytest.raises(AllowanceReached):
        merge(platform, ann, offered)
