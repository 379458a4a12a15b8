"""Files that are not git: published whole, counted, and taken away."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import User, utcnow
from orchestrator.commons import quota, share
from orchestrator.errors import AllowanceReached, BadInput, Conflict, NotFound
from orchestrator.platform import Platform
from tests.app_fixtures import account

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def ann(context: None, platform: Platform) -> User:
    return account(platform.settings, "ann")


def publish(platform: Platform, user: User, path: str, content: bytes = b"x") -> int:
    return share.publish(platform, user, utcnow(), share.parse_path(path), io.BytesIO(content))


def test_a_file_is_published_replaced_and_withdrawn(platform: Platform, ann: User) -> None:
    there = platform.store.public / "ann" / "share" / "a" / "b.txt"
    assert publish(platform, ann, "a/b.txt", b"one") == 3
    assert publish(platform, ann, "a/b.txt", b"three") == 5
    assert there.read_bytes() == b"three"
    assert quota.used(platform, ann) == 5
    share.remove(platform, ann, Path("a/b.txt"))
    assert not there.exists()
    with pytest.raises(NotFound):
        share.remove(platform, ann, Path("a/b.txt"))


def test_what_the_allowance_has_no_room_for_is_not_published(platform: Platform, ann: User) -> None:
    ann.max_disk_bytes = 1000
    publish(platform, ann, "small", b"x" * 600)
    with pytest.raises(AllowanceReached):
        publish(platform, ann, "large", b"x" * 401)
    assert quota.left(platform, ann) == 400
    assert [file.name for file in platform.store.share("ann").iterdir()] == ["small"]
    assert not list(platform.store.private.glob(".new-*"))


def test_what_is_said_to_be_too_large_is_not_even_read(platform: Platform, ann: User) -> None:
    ann.max_disk_bytes = 1000
    body = io.BytesIO(b"x" * 2000)
    with pytest.raises(AllowanceReached):
        share.publish(platform, ann, utcnow(), Path("large"), body, 2000)
    assert body.tell() == 0


def test_a_file_does_not_take_the_place_of_a_directory(platform: Platform, ann: User) -> None:
    publish(platform, ann, "a/b")
    for path in ("a", "a/b/c"):
        with pytest.raises(Conflict):
            publish(platform, ann, path)


@pytest.mark.parametrize(
    "text", ["", "/", "/etc/passwd", "../x", "a/../../x", "a//b", ".hidden", "a/.b", "a\nb",
             "a\x1b[2J", "a\0", "x" * 201, "/".join("x" * 17), "a/", None],
)  # fmt: skip
def test_no_shared_file_has_such_a_name(text: object) -> None:
    with pytest.raises(BadInput):
        share.parse_path(text)


@given(st.text(max_size=60))
def test_a_path_stays_below_the_share(text: str) -> None:
    try:
        path = share.parse_path(text)
    except BadInput:
        return
    assert not path.is_absolute()
    assert ".." not in path.parts
