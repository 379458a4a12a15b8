"""What a push is refused for, in words that reach the person who pushes."""

import secrets
from dataclasses import replace

import pytest

from orchestrator.commons import checks
from tests.orchestrator.commons.git_client import Client
from tests.orchestrator.commons.smart_http import RULES, Endpoint

BIG = "http.postBuffer=67108864"


@pytest.fixture
def tree(endpoint: Endpoint, client: Client) -> Client:
    """A work tree whose ``main`` is pushed."""
    made = client.init("tree")
    made.commit(README_md="hello\n")
    made.ok("push", endpoint.url, "main")
    made.commit(README_md="hello again\n")
    return made


def refs(endpoint: Endpoint) -> str:
    return endpoint.store.git.text(endpoint.path, "for-each-ref", "--format=%(refname)")


def test_nothing_is_pushed_to_an_archive(endpoint: Endpoint, tree: Client) -> None:
    endpoint.rules = replace(RULES, archived=True)
    assert "is archived" in tree.refused("push", endpoint.url, "main")


def test_the_protected_branch_is_neither_rewritten_nor_deleted(
    endpoint: Endpoint, tree: Client
) -> None:
    tree.ok("push", endpoint.url, "main", "main:free")
    tree.ok("commit", "--quiet", "--amend", "-m", "another past")
    assert "'main' is protected" in tree.refused("push", "--force", endpoint.url, "main")
    assert "'main' is protected" in tree.refused("push", endpoint.url, ":main")
    tree.ok("push", "--force", endpoint.url, "main:free")
    tree.ok("push", endpoint.url, ":free")
    endpoint.rules = replace(RULES, protected=False)
    tree.ok("push", "--force", endpoint.url, "main")


@pytest.mark.parametrize("ref", ["refs/proposals/1/head", "refs/hidden/x", "refs/heads/HEAD"])
def test_only_branches_tags_and_notes_are_pushed(
    endpoint: Endpoint, tree: Client, ref: str
) -> None:
    assert f"'{ref}' cannot be pushed" in tree.refused("push", endpoint.url, f"main:{ref}")
    assert refs(endpoint) == "refs/heads/main"


def test_a_ref_with_a_terminals_escapes_is_refused_and_quoted(
    endpoint: Endpoint, tree: Client
) -> None:
    said = tree.refused("push", endpoint.url, "main:refs/heads/a\u009b31mb")
    assert "\\x9b" in said
    assert "\u009b" not in said.split("remote: '")[1].splitlines()[0]


def test_a_file_may_only_be_so_large(endpoint: Endpoint, tree: Client) -> None:
    endpoint.rules = replace(RULES, file_bytes_max=1 << 20)
    tree.commit(film_mkv=secrets.token_bytes((1 << 20) + 1), other="x")
    said = tree.refused("-c", BIG, "push", endpoint.url, "main")
    assert "A file may have 1.0 MiB" in said
    assert "film.mkv" in said
    assert "other" not in said
    assert tree.ok("ls-remote", endpoint.url, "main").split()[0] != tree.head()


def test_a_large_file_of_the_past_counts_too(endpoint: Endpoint, tree: Client) -> None:
    endpoint.rules = replace(RULES, file_bytes_max=1 << 20)
    tree.commit(film_mkv=b"x" * (2 << 20))
    tree.ok("rm", "--quiet", "film.mkv")
    tree.commit("Forget it")
    assert "film.mkv" in tree.refused("-c", BIG, "push", endpoint.url, "main")


def test_what_is_there_already_is_not_measured_again(endpoint: Endpoint, tree: Client) -> None:
    tree.commit(film_mkv=b"x" * (2 << 20))
    tree.ok("-c", BIG, "push", endpoint.url, "main")
    endpoint.rules = replace(RULES, file_bytes_max=1 << 20, left_bytes=64 << 10)
    tree.commit(small="x")
    tree.ok("push", endpoint.url, "main")


def test_a_push_may_only_bring_so_much(endpoint: Endpoint, tree: Client) -> None:
    endpoint.rules = replace(RULES, push_bytes_max=1 << 20)
    tree.commit(noise=secrets.token_bytes(2 << 20))
    assert "exceeds maximum allowed size" in tree.refused("-c", BIG, "push", endpoint.url, "main")


def test_a_push_fits_into_what_the_allowance_has_left(endpoint: Endpoint, tree: Client) -> None:
    endpoint.rules = replace(RULES, left_bytes=1 << 20)
    tree.commit(noise=secrets.token_bytes(2 << 20))
    said = tree.refused("-c", BIG, "push", endpoint.url, "main")
    assert "allowance has 1.0 MiB left" in said
    assert not list(endpoint.path.glob("objects/*incoming*")), "nothing stays of it"


def test_a_refused_push_moves_none_of_its_refs(endpoint: Endpoint, tree: Client) -> None:
    tree.refused("push", endpoint.url, "main:good", "main:refs/bad/x")
    assert refs(endpoint) == "refs/heads/main"


def test_many_refs_at_once_are_refused(
    endpoint: Endpoint, tree: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "UPDATES_MAX", 2)
    said = tree.refused("push", endpoint.url, "main:a", "main:b", "main:c")
    assert "2 refs at once" in said


def test_an_update_tells_what_it_does() -> None:
    new = checks.Update.parse(f"{'0' * 40} {'1' * 40} refs/heads/a b")
    assert (new.creates, new.deletes, new.branch) == (True, False, "a b")
    assert checks.Update("1" * 40, "0" * 40, "refs/tags/v1").branch is None
