import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BadInput
from orchestrator.worktree import git
from orchestrator.worktree.status import MOST, Change, parsed

HEAD = b"/home/ann/repo\0\0# branch.oid 1234\0# branch.head main\0"


def test_nothing_is_no_repository() -> None:
    assert parsed(b"") is None


def test_headers_and_each_kind_of_line_are_read() -> None:
    found = parsed(
        HEAD + b"# branch.upstream origin/main\0# branch.ab +2 -3\0# stash 4\0"
        b"1 .M N... 100644 100644 100644 aa bb a file\0"
        b"2 R. N... 100644 100644 100644 aa bb R100 new name\0old name\0"
        b"u AA N... 1 2 3 4 aa bb cc both\0? left \xff\0! ignored\0"
    )
    assert found is not None
    assert (found.root, found.head, found.branch) == ("/home/ann/repo", "1234", "main")
    assert (found.upstream, found.ahead, found.behind) == ("origin/main", 2, 3)
    assert found.changes == [
        Change("a file", " ", "M"), Change("new name", "R", " ", "old name"),
        Change("both", "U", "U"), Change("left \U0010ffff", "?", "?"),
    ]  # fmt: skip


def test_states_and_missing_heads_have_their_words() -> None:
    found = parsed(b"/r\0rebase-merge\0# branch.oid (initial)\0# branch.head (detached)\0")
    assert found is not None
    assert (found.state, found.head, found.branch) == ("rebasing", None, None)


def test_what_was_cut_ends_with_its_last_whole_line() -> None:
    found = parsed(HEAD + b"? one\0? tw", cut=True)
    assert found is not None
    assert ([change.path for change in found.changes], found.truncated) == (["one"], True)
    found = parsed(HEAD + b"? x\0" * (MOST + 1))
    assert found is not None
    assert (len(found.changes), found.truncated) == (MOST, True)


@given(st.binary(max_size=300))
def test_anything_can_be_read(text: bytes) -> None:
    parsed(text)
    parsed(HEAD + text)


@pytest.mark.parametrize(
    ("path", "inner"),
    [("a", "a"), ("", "."), (".", "."), ("/r", "."), ("/r/a/b", "a/b"), ("/r/", "."), ("-a", "-a")],
)
def test_a_path_is_seen_from_the_root(path: str, inner: str) -> None:
    assert git.inner(path, "/r") == inner


@pytest.mark.parametrize("path", ["/", "/rest", "/etc/passwd", "..", "a/../b", "a\0b", "/r/../x"])
def test_what_is_not_below_the_root_is_refused(path: str) -> None:
    with pytest.raises(BadInput):
        git.inner(path, "/r")


def test_the_root_of_everything_can_be_a_work_tree() -> None:
    assert git.inner("/etc/passwd", "/") == "etc/passwd"


@pytest.mark.parametrize("text", ["HEAD", "HEAD^", "abcd", "a" * 64, "0123456789^"])
def test_commits_are_parsed(text: str) -> None:
    assert git.parse_commit(text) == text


@pytest.mark.parametrize(
    "text", ["", "main", "--all", "HEAD:a", "HEAD~1", "abc", "HEAD\n", "abcd^^"]
)
def test_other_revisions_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        git.parse_commit(text)


@pytest.mark.parametrize("text", ["", "-d", "--orphan", "a b", "a\n", "@{-1}:x", "a~1", "\udcff"])
def test_what_is_no_branch_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        git.parse_branch(text)
