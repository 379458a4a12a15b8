"""A repository opened in a workspace: cloned once, never over something else."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Repository, User, Visibility, utcnow
from orchestrator.commons import checkout, repositories
from orchestrator.commons.checkout import Place
from orchestrator.engines import Result
from orchestrator.errors import Conflict
from orchestrator.names import parse_session
from orchestrator.platform import Platform
from orchestrator.workspaces import Actor
from tests.app_fixtures import PROOF
from tests.engine import WatchedEngine

pytestmark = pytest.mark.usefixtures("context")


class Inside:
    """What a workspace answers, and what it was asked to run."""

    def __init__(self, origin: str = "", clones: bool = True) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.origin = origin
        self.clones = clones

    def exec(self, name: str, argv: Sequence[str], **_: object) -> Result:
        self.asked.append(tuple(argv))
        if "remote" in argv:
            return Result(0 if self.origin else 128, f"{self.origin}\n".encode(), b"")
        return Result(0 if self.clones or argv[0] != "git" else 128, b"", b"")

    def clones_made(self) -> list[tuple[str, ...]]:
        return [argv for argv in self.asked if "clone" in argv]


@pytest.fixture
def row(platform: Platform, ann: User) -> Repository:
    return repositories.create(platform, ann, utcnow(), "Hello.World")


def opened(
    platform: Platform, engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch,
    user: User, row: Repository, inside: Inside,
) -> Place:  # fmt: skip
    monkeypatch.setattr(engine, "exec", inside.exec)
    actor = Actor(user.username, proof=PROOF)
    return checkout.open_in_workspace(platform, user, utcnow(), row, actor)


def test_it_is_cloned_into_the_home_and_a_terminal_stands_there(
    platform: Platform, engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch,
    bob: User, row: Repository,
) -> None:  # fmt: skip
    inside = Inside()
    place = opened(platform, engine, monkeypatch, bob, row, inside)
    assert place == Place("main", "hello-world")
    target = "/home/bob/Hello.World"
    clone = ("git", "clone", "--quiet", "--", "/global/ann/Hello.World", target)
    assert inside.clones_made() == [clone]
    assert inside.asked[-1] == (
        "tmux",
        "-u",
        "new-session",
        "-d",
        "-s",
        "hello-world",
        "-c",
        target,
    )


def test_a_private_one_comes_through_the_server(
    platform: Platform, engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch, ann: User
) -> None:
    row = repositories.create(platform, ann, utcnow(), "own", visibility=Visibility.PRIVATE)
    inside = Inside()
    opened(platform, engine, monkeypatch, ann, row, inside)
    assert "commons::/global/ann/own" in inside.clones_made()[0]


@pytest.mark.parametrize(
    "origin",
    ["/global/ann/Hello.World", "/global/ann/Hello.World.git", "commons::/global/ann/Hello.World"],
)
def test_what_is_there_already_is_only_opened(
    platform: Platform, engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch,
    bob: User, row: Repository, origin: str,
) -> None:  # fmt: skip
    inside = Inside(origin)
    opened(platform, engine, monkeypatch, bob, row, inside)
    assert inside.clones_made() == []
    assert "tmux" in inside.asked[-1]


@pytest.mark.parametrize("inside", [Inside("/global/carl/Hello.World"), Inside(clones=False)])
def test_something_else_is_left_alone(
    platform: Platform, engine: WatchedEngine, monkeypatch: pytest.MonkeyPatch,
    bob: User, row: Repository, inside: Inside,
) -> None:  # fmt: skip
    with pytest.raises(Conflict, match=r"~/Hello\.World"):
        opened(platform, engine, monkeypatch, bob, row, inside)
    assert not [argv for argv in inside.asked if "tmux" in argv]


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", fullmatch=True))
def test_every_repository_has_a_session_of_a_valid_name(name: str) -> None:
    assert parse_session(checkout.session_of(name))
