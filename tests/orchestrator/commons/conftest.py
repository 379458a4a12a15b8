"""A commons on the disk and a git client beside it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models import Proposal, Repository, User, utcnow
from orchestrator.commons import repositories, source, space
from orchestrator.commons.names import RepoName
from orchestrator.commons.store import Store
from orchestrator.platform import Platform
from tests.orchestrator.commons.git_client import Client
from tests.orchestrator.commons.published import MakeWork, Work, offer
from tests.orchestrator.commons.smart_http import Endpoint, serving

UID = 299_000
HELLO = RepoName("alice", "hello")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A commons whose git runs as a user of its own where we may do that."""
    uid = UID if os.geteuid() == 0 else None
    # Not below pytest's own directories, which are closed: git could not walk there.
    made = space.prepare(tmp_path / "commons", uid=uid, run_root=Path("/run/rb-test-commons"))
    yield made
    space.unmount(made)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    where = tmp_path / "client"
    where.mkdir()
    return Client(where)


@pytest.fixture
def endpoint(store: Store) -> Iterator[Endpoint]:
    """``alice/hello`` behind HTTP."""
    with serving(Endpoint(store, store.create(HELLO, private=False))) as served:
        yield served


@pytest.fixture
def work(platform: Platform, tmp_path: Path) -> Callable[[User], Work]:
    """Return ``work(user)``: a work tree of that person."""

    def make(user: User) -> Work:
        names = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                 for what, value in (("NAME", user.username),
                                     ("EMAIL", f"{user.username}@example.org"))}  # fmt: skip
        return Work(platform, user, Client(tmp_path, names).init(user.username))

    return make


@pytest.fixture
def anns(ann: User, work: Callable[[User], Work]) -> Work:
    """Ann's work tree."""
    return work(ann)


@pytest.fixture
def hello(platform: Platform, ann: User, anns: Work) -> Repository:
    """Ann's repository with one commit."""
    row = repositories.create(platform, ann, utcnow(), "hello")
    anns.commit("Begin", README_md="Hello\n", main_py="a\nb\nc\nd\ne\nf\ng\nh\n")
    anns.push(row)
    return row


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
