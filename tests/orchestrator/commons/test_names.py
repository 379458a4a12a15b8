"""What may be named, and what hostile names never get past."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.commons import names
from orchestrator.errors import BadInput

HOSTILE = [
    "", "-", "--upload-pack=touch x", "-oProxyCommand=x", "../x", "a..b", "a/b", "a\nb", "a\0b",
    "a\x1b[31mb", "x.lock", "x.git", "x.GIT", ".git", ".", "..", "a b", "ä", "a" * 65, "x.", None,
    7,     "ext::sh -c x", "http://x", "a\\b", "%2e%2e",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_repository_has_such_a_name(text: object) -> None:
    with pytest.raises(BadInput):
        names.parse_repository(text)


@pytest.mark.parametrize("text", ["a", "hello", "Hello_World-2.0", "_x", "a" * 64, "git", "share"])
def test_a_repository_can_have_such_a_name(text: str) -> None:
    assert names.parse_repository(text) == text


def test_gits_customary_ending_is_no_part_of_the_name() -> None:
    assert str(names.parse_full_name("alice", "hello.git")) == "alice/hello"
    assert names.parse_full_name("alice", "hello").directory == "alice/hello.git"
    with pytest.raises(BadInput):
        names.parse_full_name("alice", "hello.git.git")


@pytest.mark.parametrize("text", ["", "-x", "a_b", "Alice", "..", "a" * 31, None, "a\n"])
def test_no_owner_has_such_a_name(text: object) -> None:
    with pytest.raises(BadInput):
        names.parse_owner(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "main", "HEAD", "refs/heads/", "refs/heads/-x", "refs/heads/--upload-pack=x",
        "refs/heads/HEAD", "refs/heads/a..b", "refs/heads/.a", "refs/heads/a.lock",
        "refs/heads/a.lock/b", "refs/heads/a b", "refs/heads/a\x1b[2J", "refs/heads/a\nb",
        "refs/heads/a\u202eb", "refs/heads/a\u009b1m", "refs/heads/a@{0}", "refs/heads/a//b",
        "refs/heads/a/", "refs/heads/a.", "refs/heads/" + "a" * 200, "refs/heads/" + "a" * 40,
        "refs/heads/" + "ä" * 100, "refs/proposals/1/head", "refs/remotes/x", "refs/stash", None,
    ],
)  # fmt: skip
def test_no_such_ref_is_pushed(text: object) -> None:
    with pytest.raises(BadInput):
        names.parse_ref(text)


@pytest.mark.parametrize("name", ["main", "feature/x-1", "v1.0", "größe", "日本語", "a@b", "x{y}"])
def test_such_a_branch_is_pushed(name: str) -> None:
    assert names.parse_branch(name) == name


@given(st.text(max_size=40))
def test_what_passes_is_a_ref_for_git_too(text: str) -> None:
    try:
        ref = names.parse_ref(f"refs/heads/{text}")
    except BadInput:
        return
    checked = subprocess.run(["git", "check-ref-format", ref], check=False)
    assert checked.returncode == 0


@pytest.mark.parametrize("text", ["HEAD", "main", "refs/tags/v1", "abcd", "a" * 40])
def test_such_a_revision_is_looked_up(text: str) -> None:
    assert names.parse_revision(text) == text


@pytest.mark.parametrize(
    "text", ["--all", "-", "main~1", "main:x", "^main", "a..b", "@{-1}", ":/x"]
)
def test_no_such_revision_is_looked_up(text: str) -> None:
    with pytest.raises(BadInput):
        names.parse_revision(text)


@pytest.mark.parametrize("text", ["", "a", "a/b c", "-x", "a\nb", "\x1b[2J", ":(top)x"])
def test_a_tree_can_hold_such_a_path(text: str) -> None:
    assert names.parse_path(text) == text


@pytest.mark.parametrize(
    "text", ["/a", "a/", "a//b", "../a", "a/../b", ".", "a\0", "a" * 4097, None]
)
def test_no_tree_holds_such_a_path(text: object) -> None:
    with pytest.raises(BadInput):
        names.parse_path(text)
