"""What goes through git's own programs, streamed both ways, and what a lost end does to it."""

import gzip
import io
import subprocess
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import pytest

from orchestrator.commons import transport
from orchestrator.commons.store import Store
from orchestrator.commons.transport import Inflated, Service
from tests.orchestrator.commons.conftest import HELLO
from tests.orchestrator.commons.git_client import Client
from tests.orchestrator.commons.smart_http import Endpoint


def test_what_was_pushed_is_cloned(endpoint: Endpoint, client: Client) -> None:
    tree = client.init("tree")
    pushed = tree.commit(README_md="hello\n")
    tree.ok("push", endpoint.url, "main")
    client.ok("clone", "--quiet", endpoint.url, "copy")
    assert client.inside("copy").head() == pushed
    assert [(update.ref, update.new) for update in endpoint.moved] == [("refs/heads/main", pushed)]


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_every_version_of_the_protocol_is_spoken(
    endpoint: Endpoint, client: Client, version: str
) -> None:
    tree = client.init("tree")
    pushed = tree.commit(a="1")
    tree.ok("-c", f"protocol.version={version}", "push", endpoint.url, "main")
    traced = Client(client.where, {"GIT_TRACE_PACKET": str(client.where / "trace")})
    listed = traced.ok("-c", f"protocol.version={version}", "ls-remote", endpoint.url, "main")
    assert listed.split()[0] == pushed
    trace = (client.where / "trace").read_text()
    assert ("< version 2" in trace) == (version == "2")


def test_a_clone_can_be_shallow_partial_or_of_one_branch(
    endpoint: Endpoint, client: Client
) -> None:
    tree = client.init("tree")
    for number in range(5):
        tree.commit(**{f"file{number}": f"{number}" * 100})
    tree.ok("push", endpoint.url, "main", "main:other")
    client.ok("clone", "--quiet", "--depth=2", endpoint.url, "shallow")
    shallow = client.inside("shallow")
    assert shallow.ok("rev-list", "--count", "HEAD") == "2"
    shallow.ok("fetch", "--quiet", "--unshallow")
    assert shallow.ok("rev-list", "--count", "HEAD") == "5"
    client.ok("clone", "--quiet", "--filter=blob:none", "--no-checkout", endpoint.url, "partial")
    partial = client.inside("partial")
    assert "?" in partial.ok("rev-list", "--objects", "--missing=print", "HEAD")
    assert partial.ok("cat-file", "-p", "HEAD:file0") == "0" * 100, "fetched when it is needed"
    client.ok("clone", "--quiet", "--single-branch", "--branch=other", endpoint.url, "one")
    assert client.inside("one").ok("branch", "-r").split() == ["origin/other"]


def test_a_second_push_deletes_renames_and_tags(endpoint: Endpoint, client: Client) -> None:
    tree = client.init("tree")
    tree.commit(a="1")
    tree.ok("push", endpoint.url, "main", "main:old")
    tree.ok("tag", "-m", "first", "v1")
    tree.ok("push", endpoint.url, ":old", "main:new", "v1")
    refs = {line.split("\t")[1] for line in client.ok("ls-remote", endpoint.url).splitlines()}
    assert refs == {"HEAD", "refs/heads/main", "refs/heads/new", "refs/tags/v1", "refs/tags/v1^{}"}


def test_an_atomic_push_moves_all_or_nothing(endpoint: Endpoint, client: Client) -> None:
    tree = client.init("tree")
    tree.commit(a="1")
    tree.ok("push", endpoint.url, "main")
    tree.commit(b="2")
    assert "cannot be pushed" in tree.refused(
        "push", "--atomic", endpoint.url, "main:good", "main:refs/bad/x"
    )
    assert "good" not in client.ok("ls-remote", endpoint.url)


def test_a_large_push_arrives_in_one_piece(endpoint: Endpoint, client: Client) -> None:
    noise = zlib.compress(bytes(range(256)), 0) * 20_000
    tree = client.init("tree")
    tree.commit(noise=noise)
    tree.ok("-c", "http.postBuffer=33554432", "push", endpoint.url, "main")
    client.ok("clone", "--quiet", endpoint.url, "copy")
    assert (client.where / "copy" / "noise").read_bytes() == noise


def test_many_wants_are_sent_compressed(endpoint: Endpoint, client: Client) -> None:
    tree = client.init("tree")
    head = tree.commit(a="1")
    tree.ok("push", endpoint.url, "main")
    lines = "".join(f"create refs/tags/tag-{n} {head}\n" for n in range(2000)).encode()
    endpoint.store.git.run(endpoint.path, "update-ref", "--stdin", stdin=lines)
    client.ok("clone", "--quiet", endpoint.url, "copy")
    assert len(client.inside("copy").ok("tag").splitlines()) == 2000


def test_the_answer_begins_as_gits_own_server_begins_it(endpoint: Endpoint) -> None:
    with urllib.request.urlopen(f"{endpoint.url}/info/refs?service=git-upload-pack") as answer:
        assert answer.read(34) == b"001e# service=git-upload-pack\n0000"


def test_a_request_that_is_cut_off_moves_nothing(store: Store, client: Client) -> None:
    path = store.create(HELLO, private=False)
    tree = client.init("tree")
    commit = tree.commit(a="1")
    pack = tree.run("pack-objects", "--stdout", "--revs", stdin=f"{commit}\n".encode()).stdout
    line = f"{'0' * 40} {commit} refs/heads/main\0report-status".encode()
    body = b"%04x%s0000" % (len(line) + 4, line) + pack[:-10]
    moved: list[object] = []
    terms = transport.Terms(store.hooks, 1 << 30, lambda *_: [], moved.extend)
    answer = b"".join(transport.push(store.git, path, "", io.BytesIO(body), terms))
    assert b"unpack ok" not in answer
    assert moved == []
    assert store.git.text(path, "for-each-ref") == ""
    whole = io.BytesIO(b"%04x%s0000" % (len(line) + 4, line) + pack)
    assert b"unpack ok" in b"".join(transport.push(store.git, path, "", whole, terms))


def test_a_reader_that_leaves_ends_git(endpoint: Endpoint, client: Client) -> None:
    tree = client.init("tree")
    tree.commit(noise=zlib.compress(bytes(range(256)), 0) * 4000)
    tree.ok("-c", "http.postBuffer=33554432", "push", endpoint.url, "main")
    want = f"want {tree.head()} ofs-delta\n".encode()
    body = b"%04x%s00000009done\n" % (len(want) + 4, want)
    answer = transport.fetch(endpoint.store.git, endpoint.path, "", io.BytesIO(body))
    next(answer)
    answer.close()  # type: ignore[attr-defined]
    assert _children() == []


def _children() -> list[str]:
    listed = subprocess.run(
        ["pgrep", "-f", "git upload-pack --stateless-rpc"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [pid for pid in listed.stdout.split() if _is_mine(pid)]


def _is_mine(pid: str) -> bool:
    try:
        return "rb-test-commons" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def test_a_judge_that_fails_refuses(endpoint: Endpoint, client: Client) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    endpoint.before_verdict = fail
    tree = client.init("tree")
    tree.commit(a="1")
    assert "could not check this push" in tree.refused("push", endpoint.url, "main")
    assert client.ok("ls-remote", endpoint.url) == ""


def test_a_wrong_service_is_none() -> None:
    with pytest.raises(ValueError, match="upload-archive"):
        Service("git-upload-archive")


@pytest.mark.parametrize("text", ["version=2\nx", "a" * 101, "version=2 --x", "ä", "", None])
def test_git_sees_no_odd_protocol_header(text: str | None) -> None:
    assert transport.parse_protocol(text) == ""


def test_a_compressed_body_is_read_in_bounded_pieces() -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    body = Inflated(io.BytesIO(bomb))
    size = 0
    while piece := body.read(4096):
        assert len(piece) <= 4096
        size += len(piece)
    assert size == 64 << 20


def test_a_compressed_body_that_is_cut_off_is_no_end() -> None:
    body = Inflated(io.BytesIO(gzip.compress(b"hello" * 1000)[:-20]))
    with pytest.raises(EOFError):
        while body.read(65536):
            pass
