"""Repositories that were made to attack who clones, shows or serves them."""

import os
from binascii import unhexlify
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.commons import space
from orchestrator.commons.names import RepoName
from orchestrator.commons.store import Store
from tests.orchestrator.commons.git_client import Client
from tests.orchestrator.commons.smart_http import Endpoint, serving

UID = 299_001
BLOB, TREE, LINK, MODULE = b"100644", b"40000", b"120000", b"160000"
Entry = tuple[bytes, bytes, str]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    uid = UID if os.geteuid() == 0 else None
    made = space.prepare(tmp_path / "commons", uid=uid, run_root=Path("/run/rb-test-commons"))
    yield made
    space.unmount(made)


@pytest.fixture
def endpoint(store: Store) -> Iterator[Endpoint]:
    with serving(Endpoint(store, store.create(RepoName("eve", "x"), private=False))) as served:
        yield served


@pytest.fixture
def tree(tmp_path: Path) -> Client:
    where = tmp_path / "client"
    where.mkdir()
    return Client(where).init("tree")


def blob(tree: Client, content: str) -> str:
    return tree.ok("hash-object", "-w", "--stdin", stdin=content.encode())


def raw_tree(tree: Client, *entries: Entry) -> str:
    """Write a tree that git itself would refuse to make."""
    data = b"".join(mode + b" " + name + b"\0" + unhexlify(oid) for mode, name, oid in entries)
    return tree.ok("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=data)


def offer(tree: Client, *entries: Entry) -> None:
    """Make the entries the content of ``main``."""
    commit = tree.ok("commit-tree", raw_tree(tree, *entries), "-m", "x")
    tree.ok("update-ref", "refs/heads/main", commit)


def refused(tree: Client, endpoint: Endpoint) -> str:
    said = tree.refused("push", endpoint.url, "main")
    assert endpoint.store.git.text(endpoint.path, "for-each-ref") == ""
    assert endpoint.moved == []
    return said


@pytest.mark.parametrize(
    "name",
    [b".git", b".GIT", b".Git", b"git~1", b".git ", b".git.", b".g\xe2\x80\x8cit", b".git\\x",
     b"..", b".", b"a/b"],
    ids=ascii,
)  # fmt: skip
def test_no_tree_writes_into_gits_own_directory_or_out_of_the_tree(
    tree: Client, endpoint: Endpoint, name: bytes
) -> None:
    config = blob(tree, "[core]\n\tfsmonitor = touch /tmp/owned\n")
    inner = raw_tree(tree, (BLOB, b"config", config))
    offer(tree, (TREE, name, inner))
    assert "fsck error" in refused(tree, endpoint) or "object" in refused(tree, endpoint)


@pytest.mark.parametrize(
    "modules",
    [
        '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch /tmp/owned\n',
        '[submodule "x"]\n\tpath = x\n\turl = -oProxyCommand=touch\n',
        '[submodule "../../x"]\n\tpath = x\n\turl = https://example.org/x\n',
        '[submodule "x"]\n\tpath = -x\n\turl = https://example.org/x\n',
        '[submodule "x"]\n\tpath = x\n\turl = "https://example.org/%0ahost=evil"\n',
        '[submodule "x"]\n\tpath = x\n\turl = https://example.org/x\n\tupdate = !touch owned\n',
    ],
)
def test_no_submodule_brings_options_or_commands(
    tree: Client, endpoint: Endpoint, modules: str
) -> None:
    offer(tree, (BLOB, b".gitmodules", blob(tree, modules)))
    assert "gitmodules" in refused(tree, endpoint)


def test_the_list_of_submodules_is_no_link(tree: Client, endpoint: Endpoint) -> None:
    offer(tree, (LINK, b".gitmodules", blob(tree, "/etc/passwd")))
    assert "gitmodulesSymlink" in refused(tree, endpoint)


def test_one_name_does_not_come_twice(tree: Client, endpoint: Endpoint) -> None:
    content = blob(tree, "x")
    offer(tree, (BLOB, b"a", content), (LINK, b"a", content))
    assert "duplicateEntries" in refused(tree, endpoint)


def test_links_out_of_the_tree_are_kept_as_links_and_never_followed(
    tree: Client, endpoint: Endpoint
) -> None:
    offer(tree, (LINK, b"passwd", blob(tree, "/etc/passwd")))
    tree.ok("push", endpoint.url, "main")
    shown = endpoint.store.git.text(endpoint.path, "cat-file", "blob", "main:passwd")
    assert shown == "/etc/passwd"


def test_an_embedded_bare_repository_runs_nothing(
    tree: Client, endpoint: Endpoint, tmp_path: Path
) -> None:
    mark = tmp_path / "owned"
    inner = tree.where / "inner"
    tree.ok("init", "--quiet", "--bare", "inner")
    (inner / "config").write_text(
        f"[core]\n\tbare = false\n\tworktree = .\n\tfsmonitor = touch {mark}; false\n"
    )
    (inner / "hooks").mkdir(exist_ok=True)
    for hook in ("post-checkout", "pre-receive", "update", "reference-transaction"):
        (inner / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (inner / "hooks" / hook).chmod(0o755)
    (inner / "refs" / "keep").touch()
    tree.commit("Embed it")
    tree.ok("push", endpoint.url, "main")
    git = endpoint.store.git
    for arguments in (("ls-tree", "-r", "main"), ("log", "-p", "main"), ("grep", "x", "main")):
        git.run(endpoint.path, *arguments)
    assert not mark.exists()


def test_attributes_of_a_repository_run_no_programs(
    tree: Client, endpoint: Endpoint, tmp_path: Path
) -> None:
    mark = tmp_path / "owned"
    tree.ok("config", "filter.x.clean", "cat")
    tree.ok("config", "diff.x.command", f"touch {mark}")
    tree.ok("config", "diff.x.textconv", f"touch {mark}")
    tree.commit(_gitattributes="* filter=x diff=x merge=x export-subst\n", a="1")
    tree.commit(a="2")
    tree.ok("push", endpoint.url, "main")
    git = endpoint.store.git
    git.run(endpoint.path, "diff", "--end-of-options", "main~1", "main")
    git.run(endpoint.path, "archive", "--format=tar", "main")
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", [b"a\nb", b"a\x1b[2Jb", b"-rf", b"--output=x", b"\xff\xfe"], ids=ascii
)
def test_odd_file_names_are_only_names(tree: Client, endpoint: Endpoint, name: bytes) -> None:
    offer(tree, (BLOB, name, blob(tree, "x")))
    tree.ok("push", endpoint.url, "main")
    listed = endpoint.store.git.run(endpoint.path, "ls-tree", "-z", "--name-only", "main")
    assert listed == name + b"\0"


def test_a_refusal_shows_no_escapes_of_a_files_name(tree: Client, endpoint: Endpoint) -> None:
    offer(tree, (BLOB, b"a\x1b[2J\x07b", blob(tree, "x" * (9 << 20))))
    said = tree.refused("-c", "http.postBuffer=33554432", "push", endpoint.url, "main")
    assert "Too large" in said
    assert "\x1b[2J" not in said
    assert "\x07" not in said


def test_a_huge_directory_is_refused(tree: Client, endpoint: Endpoint) -> None:
    content = blob(tree, "x")
    offer(tree, *((BLOB, b"%08d" % number, content) for number in range(480_000)))
    said = tree.refused("-c", "http.postBuffer=33554432", "push", endpoint.url, "main")
    assert "Too large" in said


def test_a_tree_that_doubles_at_each_level_costs_what_it_weighs(
    tree: Client, endpoint: Endpoint
) -> None:
    inner = raw_tree(tree, (BLOB, b"a", blob(tree, "x")))
    for _ in range(40):
        inner = raw_tree(tree, (TREE, b"a", inner), (TREE, b"b", inner))
    tree.ok("update-ref", "refs/heads/main", tree.ok("commit-tree", inner, "-m", "x"))
    tree.ok("push", endpoint.url, "main")
    endpoint.store.git.run(endpoint.path, "fsck", "--strict", seconds=20)


@pytest.mark.parametrize(
    "ref", ["--upload-pack=touch", "-x", "a..b", "a\nb", "a\x1b[2J", "HEAD", "x.lock", "@{-1}"]
)
def test_a_forged_request_names_no_odd_ref(tree: Client, endpoint: Endpoint, ref: str) -> None:
    """What git's client would never send, straight to the server."""
    commit = tree.commit(a="1")
    pack = tree.run("pack-objects", "--stdout", "--revs", stdin=f"{commit}\n".encode()).stdout
    line = f"{'0' * 40} {commit} refs/heads/{ref}\0report-status side-band-64k".encode()
    body = b"%04x%s0000" % (len(line) + 4, line) + pack
    endpoint.post("git-receive-pack", body)
    assert endpoint.store.git.text(endpoint.path, "for-each-ref") == ""
    assert not [*endpoint.path.rglob("*upload-pack*")]


def test_a_forged_line_feed_hides_no_other_ref(tree: Client, endpoint: Endpoint) -> None:
    """git asks its hook before it looks at names: what follows an odd one is judged, too."""
    kept = tree.commit(a="1")
    tree.ok("push", endpoint.url, "main")
    tree.ok("commit", "--quiet", "--amend", "-m", "another past")
    new = tree.head()
    pack = tree.run("pack-objects", "--stdout", "--revs", stdin=f"{new}\n".encode()).stdout
    first = f"{'0' * 40} {new} refs/heads/a\n\n\0report-status".encode()
    second = f"{kept} {new} refs/heads/main".encode()
    lines = b"".join(b"%04x%s" % (len(line) + 4, line) for line in (first, second))
    endpoint.post("git-receive-pack", lines + b"0000" + pack)
    assert endpoint.store.git.text(endpoint.path, "rev-parse", "main") == kept


def test_an_object_that_is_not_what_its_name_says_is_refused(
    tree: Client, endpoint: Endpoint
) -> None:
    commit = tree.commit(a="1")
    pack = bytearray(
        tree.run("pack-objects", "--stdout", "--revs", stdin=f"{commit}\n".encode()).stdout
    )
    pack[30] ^= 0xFF
    line = f"{'0' * 40} {commit} refs/heads/main\0report-status".encode()
    answer = endpoint.post("git-receive-pack", b"%04x%s0000" % (len(line) + 4, line) + bytes(pack))
    assert b"unpack ok" not in answer
    assert endpoint.store.git.text(endpoint.path, "for-each-ref") == ""
