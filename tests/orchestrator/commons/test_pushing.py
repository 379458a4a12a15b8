"""Pushes through the whole server, many at once."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.wsgi import get_input_stream

from models import Repository, User, Visibility, db, utcnow, writing
from orchestrator import tokens
from orchestrator.commons import pushed, pushing, repositories
from orchestrator.commons.names import RepoName
from orchestrator.commons.pushing import Visitor
from orchestrator.commons.repositories import Change
from orchestrator.commons.transport import Service
from orchestrator.errors import NotFound, TooManyRequests
from orchestrator.platform import TRANSFERS_EACH, Platform
from tests.app_fixtures import on_both_databases, together
from tests.orchestrator.commons.git_client import Client
from tests.orchestrator.commons.smart_http import serving

pytestmark = on_both_databases
KIB = 1 << 10
DEADLINE_SECONDS = 60.0


@dataclass
class Whole:
    """The product behind a plain WSGI server, whose bodies end where the request does."""

    app: Flask
    port: int = 0

    def __call__(self, environ: Any, start: Any) -> Any:
        environ["wsgi.input"] = get_input_stream(environ)
        return self.app(environ, start)


@pytest.fixture
def url(app: Flask, ann: User) -> Iterator[str]:
    """Return the address of Ann's repositories, with her token in it."""
    _, secret = tokens.create(ann, utcnow(), "git", 1, address="")
    with serving(Whole(app)) as served:
        yield f"http://ann:{secret}@127.0.0.1:{served.port}/git/ann"


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Client]:
    """Return ``tree(name)``: a work tree with a commit of some 300 KiB."""

    def make(name: str) -> Client:
        made = Client(tmp_path).init(name)
        made.commit(data_bin=secrets.token_bytes(300 * KIB))
        return made

    return make


def test_pushes_at_once_stay_within_the_allowance(
    app: Flask,
    platform: Platform,
    ann: User,
    url: str,
    tree: Callable[[str], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repositories.create(platform, ann, utcnow(), "shared")
    with writing():
        db.session.get(User, ann.id).max_disk_bytes = 1000 * KIB
    trees = [tree(f"tree{number}") for number in range(6)]
    judged = threading.Barrier(len(trees))
    refusals = pushing.checks.refusals

    def all_wait(*given: Any) -> list[str]:
        found = refusals(*given)
        judged.wait(DEADLINE_SECONDS)
        return found

    monkeypatch.setattr(pushing.checks, "refusals", all_wait)

    def push(number: int) -> str:
        # Half of them into one repository, half into one of their own, which this makes.
        name = "shared" if number % 2 else f"own{number}"
        done = trees[number].run("push", f"{url}/{name}", f"HEAD:refs/heads/branch{number}")
        return "" if done.returncode == 0 else done.stderr.decode()

    came_of = together(app, len(trees), push)
    said = [one for one in came_of if one]
    assert 1 <= came_of.count("") <= 3, said
    assert all("the owner's allowance has" in str(one) for one in said), said
    db.session.rollback()
    sizes = db.session.scalars(select(Repository.size_bytes)).all()
    assert sum(sizes) < 1000 * KIB
    assert len(sizes) == 1 + sum(came_of[number] == "" for number in (0, 2, 4)), "no empty ones"
    db.session.rollback()


def test_what_was_measured_first_is_not_written_down_last(
    app: Flask, platform: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = repositories.create(platform, ann, utcnow(), "shared").id
    overtaken = threading.Event()
    sizes = iter([300 * KIB, 600 * KIB])

    def size(*_: Any, **__: Any) -> int:
        found = next(sizes)
        if found == 300 * KIB:
            overtaken.wait(1)  # or for as long as it takes the other to come past
        return found

    def measure(_: int) -> None:
        pushed.measure(platform, db.session.get(Repository, row_id))
        overtaken.set()

    monkeypatch.setattr(type(platform.store), "size", size)
    assert together(app, 2, measure) == [None, None]
    db.session.rollback()
    assert db.session.get(Repository, row_id).size_bytes == 600 * KIB


def test_a_push_that_was_refused_holds_nothing(
    app: Flask, platform: Platform, ann: User, url: str, tree: Callable[[str], Client]
) -> None:
    with writing():
        db.session.get(User, ann.id).max_disk_bytes = 500 * KIB
    first, second = tree("first"), tree("second")
    first.ok("push", f"{url}/hello", "main")
    second.refused("push", f"{url}/other", "main")
    assert not list((platform.store.private / ".held").iterdir())
    small = Client(second.where.parent).init("small")
    small.commit(a="1")
    small.ok("push", f"{url}/small", "main")


@pytest.mark.parametrize("meanwhile", ["hidden", "renamed", "deleted"])
def test_what_a_push_creates_lies_where_its_row_says_by_then(
    platform: Platform,
    ann: User,
    url: str,
    tree: Callable[[str], Client],
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: str,
) -> None:
    create = repositories.create
    changes = {"hidden": Change(visibility=Visibility.PRIVATE), "renamed": Change(name="other")}

    def create_and_change(*given: Any, **named: Any) -> Repository:
        row = create(*given, **named)
        if meanwhile == "deleted":
            repositories.remove(platform, row.owner, utcnow(), row)
        else:
            repositories.change(platform, row.owner, utcnow(), row, changes[meanwhile])
        return row

    monkeypatch.setattr(pushing.repositories, "create", create_and_change)
    tree("work").run("push", "--quiet", f"{url}/fresh.git", "main")
    there = {
        f"{root.name}/{path.name}"
        for root in (platform.store.public, platform.store.private)
        for path in root.glob("ann/*.git")
        if (path / "refs/heads/main").exists()
    }
    expected = {"hidden": {"private/fresh.git"}, "renamed": {"global/other.git"}, "deleted": set()}
    assert there == expected[meanwhile]
    assert not (platform.store.public / "ann" / "fresh.git").exists()


HELLO = RepoName("ann", "hello")
CONVERSATIONS: list[Callable[[Platform, Visitor, RepoName], Iterator[bytes]]] = [
    lambda platform, who, name: pushing.advertise(platform, who, name, Service.FETCH, ""),
    lambda platform, who, name: pushing.advertise(platform, who, name, Service.PUSH, ""),
    lambda platform, who, name: pushing.fetch(platform, who, name, "", BytesIO(b"0000")),
    lambda platform, who, name: pushing.push(platform, who, name, "", BytesIO(b"0000")),
]


@pytest.mark.parametrize("begin", CONVERSATIONS, ids=["refs", "push-refs", "fetch", "push"])
@pytest.mark.parametrize("there", [True, False])
def test_one_person_has_so_many_fetches_and_pushes_under_way(
    platform: Platform, ann: User, bob: User, begin: Any, there: bool
) -> None:
    if there:
        repositories.create(platform, ann, utcnow(), HELLO.name)
    elif begin in (CONVERSATIONS[0], CONVERSATIONS[2]):
        with pytest.raises(NotFound):
            begin(platform, Visitor(ann.id, "ann"), HELLO)
        return
    who = Visitor(ann.id, "ann")
    under_way = [begin(platform, who, HELLO) for _ in range(TRANSFERS_EACH)]
    with pytest.raises(TooManyRequests) as refused:
        begin(platform, who, HELLO)
    assert "Wait until some" in str(refused.value)
    repositories.create(platform, bob, utcnow(), "his")
    with closing(begin(platform, Visitor(bob.id, "bob"), RepoName("bob", "his"))):
        pass

    under_way.pop()  # forgotten before it was sent
    under_way.append(begin(platform, who, HELLO))
    under_way.pop().close()
    under_way.append(begin(platform, who, HELLO))
    for _ in under_way.pop():  # sent whole
        pass
    under_way.append(begin(platform, who, HELLO))
    with pytest.raises(TooManyRequests):
        begin(platform, who, HELLO)


def test_a_fetch_that_fails_counts_no_more(
    platform: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    repositories.create(platform, ann, utcnow(), HELLO.name)

    def fail(*_: Any) -> Iterator[bytes]:
        raise OSError("no more processes")
        yield b""

    monkeypatch.setattr(pushing.transport, "fetch", fail)
    for _ in range(TRANSFERS_EACH + 1):
        answer = pushing.fetch(platform, Visitor(ann.id, "ann"), HELLO, "", BytesIO())
        with pytest.raises(OSError, match="no more"):
            next(answer)


def test_git_shows_why_there_are_too_many(
    platform: Platform, ann: User, url: str, tree: Callable[[str], Client]
) -> None:
    work, who = tree("work"), Visitor(ann.id, "ann")
    under_way = [
        pushing.advertise(platform, who, HELLO, Service.PUSH, "") for _ in range(TRANSFERS_EACH)
    ]
    assert "Too many fetches and pushes" in work.refused("push", f"{url}/hello", "main")
    under_way.clear()
    work.ok("push", f"{url}/hello", "main")
