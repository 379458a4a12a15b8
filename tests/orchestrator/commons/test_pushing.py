"""Pushes through the whole server, many at once."""

import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.wsgi import get_input_stream

from models import Repository, User, Visibility, db, utcnow, writing
from orchestrator import tokens
from orchestrator.commons import pushing, repositories
from orchestrator.commons.repositories import Change
from orchestrator.platform import Platform
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
