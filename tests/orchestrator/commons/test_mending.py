"""What a crash leaves between rows and disk, and what becomes of it at the next start."""

from pathlib import Path

import pytest

from models import Repository, User, Visibility, utcnow, writing
from orchestrator.commons import mending, repositories, source
from orchestrator.commons.names import RepoName
from orchestrator.platform import Platform

pytestmark = pytest.mark.usefixtures("context")
HELLO = RepoName("ann", "hello")


@pytest.fixture
def hello(platform: Platform, ann: User) -> Repository:
    row = repositories.create(platform, ann, utcnow(), "hello")
    (source.path_of(platform, row) / "canary").write_text("hello's")
    return row


def canary(path: Path) -> str:
    return (path / "canary").read_text()


def everywhere(platform: Platform) -> set[tuple[str, bool]]:
    return {(str(name), private) for name, private, _ in platform.store.places()}


def test_what_is_as_it_should_be_is_left_alone(platform: Platform, hello: Repository) -> None:
    mending.mend(platform)
    assert canary(source.path_of(platform, hello)) == "hello's"
    assert everywhere(platform) == {("ann/hello", False)}


@pytest.mark.parametrize("again", [False, True])
def test_a_repository_goes_where_its_row_says(
    platform: Platform, ann: User, hello: Repository, again: bool
) -> None:
    platform.store.move(HELLO, private=False, to=RepoName("ann", "renamed"), to_private=True)
    if again:  # a name that is taken meanwhile is no reason to take the other's place
        other = repositories.create(platform, ann, utcnow(), "other")
        platform.store.move(source.name_of(other), private=False, to_private=True)
    mending.mend(platform)
    assert canary(source.path_of(platform, hello)) == "hello's"
    assert ("ann/renamed", True) not in everywhere(platform)


def test_a_hidden_one_is_not_left_for_everybody_to_read(
    platform: Platform, hello: Repository
) -> None:
    with writing():
        hello.visibility = Visibility.PRIVATE
    mending.mend(platform)
    assert everywhere(platform) == {("ann/hello", True)}
    assert source.path_of(platform, hello).stat().st_mode & 0o777 == 0o700


def test_what_no_row_stands_for_is_set_aside_and_not_lost(
    platform: Platform, hello: Repository
) -> None:
    for private in (False, True):
        path = platform.store.create(RepoName("bob", "ghost"), private=private)
        (path / "canary").write_text("ghost's")
    mending.mend(platform)
    assert everywhere(platform) == {("ann/hello", False)}
    lost = platform.store.root / "lost"
    assert lost.stat().st_mode & 0o077 == 0
    assert [canary(path) for path in lost.glob("*/repository.git")] == ["ghost's"] * 2


def test_a_copy_that_lies_elsewhere_never_replaces_the_one_in_place(
    platform: Platform, hello: Repository
) -> None:
    ghost = platform.store.create(HELLO, private=True)
    platform.store.mark(ghost, hello.id)
    mending.mend(platform)
    assert canary(source.path_of(platform, hello)) == "hello's"
    assert everywhere(platform) == {("ann/hello", False)}
