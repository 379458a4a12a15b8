"""One allowance for files, snapshots and what is published, however many publish at once."""

import fcntl
import io
import os
import threading
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from models import Home, Repository, User, db, utcnow, writing
from orchestrator import homes
from orchestrator.commons import holds, quota, repositories, share
from orchestrator.errors import AllowanceReached
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from tests.app_fixtures import PROOF, on_both_databases, together

pytestmark = on_both_databases
MIB = 1 << 20
DEADLINE_SECONDS = 20.0


@pytest.fixture
def ann(ann: User) -> User:
    with writing():
        ann = db.session.get(User, ann.id)
        ann.max_disk_bytes = 100 * MIB
    return ann


def repository(ann: User, size: int) -> Repository:
    row = Repository(owner_id=ann.id, name="hello", size_bytes=size, created_at=utcnow())
    with writing():
        db.session.add(row)
    return row


def test_files_snapshots_images_and_what_is_published_are_one_allowance(
    platform: Platform, ann: User
) -> None:
    assert quota.left(platform, ann) == 100 * MIB, "of somebody who has no home yet"
    homes.unlock(platform, ann, utcnow(), PROOF)
    with writing():
        db.session.execute(update(Home).values(snapshots_bytes=20 * MIB, images_bytes=4 * MIB))
    platform.storage.used_bytes[home_of(ann)] = 30 * MIB
    assert quota.left(platform, ann) == 46 * MIB, "measured afresh while it is open"
    repository(ann, 16 * MIB)
    assert quota.left(platform, ann) == 30 * MIB
    with pytest.raises(AllowanceReached, match=r"30\.0 MiB left"):
        quota.require(platform, ann, 30 * MIB + 1)


def test_files_of_a_locked_home_count_as_they_last_were(platform: Platform, ann: User) -> None:
    homes.unlock(platform, ann, utcnow(), PROOF)
    homes.lock(platform, ann)
    with writing():
        db.session.execute(update(Home).values(files_bytes=70 * MIB))
    assert quota.left(platform, ann) == 30 * MIB
    repository(ann, 60 * MIB)
    assert quota.left(platform, ann) == 0


def test_what_everybody_publishes_is_known_at_once(
    platform: Platform, ann: User, bob: User
) -> None:
    repository(ann, 5)
    share.publish(platform, ann, utcnow(), Path("a/b"), io.BytesIO(b"xyz"))
    assert quota.used_by_all(platform)["ann"] == quota.used(platform, ann) == 8
    assert quota.used_by_all(platform).get("bob", 0) == quota.used(platform, bob) == 0


def test_what_is_being_published_is_left_to_nobody_else(platform: Platform, ann: User) -> None:
    with quota.holding(platform, ann, 60 * MIB) as hold:
        assert quota.left(platform, ann) == 40 * MIB
        with pytest.raises(AllowanceReached), quota.holding(platform, ann, 41 * MIB):
            pass
        hold.grow(90 * MIB)
        hold.grow(10 * MIB)
        assert quota.left(platform, ann) == 10 * MIB
        with pytest.raises(AllowanceReached):
            hold.grow(101 * MIB)
        assert quota.left(platform, ann) == 10 * MIB
    assert quota.left(platform, ann) == 100 * MIB


def test_of_many_at_once_as_many_are_let_in_as_fit(
    app: Flask, platform: Platform, ann: User
) -> None:
    tried = threading.Barrier(8)

    def publish(_: int) -> None:
        user = db.session.get(User, ann.id)
        try:
            with quota.holding(platform, user, 30 * MIB):
                tried.wait(DEADLINE_SECONDS)
        except AllowanceReached:
            tried.wait(DEADLINE_SECONDS)
            raise

    came_of = together(app, 8, publish)
    assert came_of.count(None) == 3
    assert sum(isinstance(one, AllowanceReached) for one in came_of) == 5


def test_what_a_killed_server_held_is_free_again(platform: Platform, ann: User) -> None:
    with quota.holding(platform, ann, 1):
        directory = platform.store.private / ".held"
        dead, alive = directory / f"{ann.id}.dead", directory / f"{ann.id}.alive"
        for path in (dead, alive):
            path.write_bytes(b"x" * MIB)
        with alive.open() as file:  # of another server
            fcntl.flock(file, fcntl.LOCK_EX)
            assert holds.total(directory, ann.id) == MIB + 1
        assert not dead.exists()
    assert quota.left(platform, ann) == 100 * MIB
    assert os.listdir(directory) == []


class Slow(io.RawIOBase):
    """A body of which nobody has sent the end before everybody has sent the rest."""

    def __init__(self, pieces: int, last: threading.Barrier) -> None:
        self._left = pieces
        self._last = last

    def read(self, size: int = -1) -> bytes:
        self._left -= 1
        if self._left == 0:
            self._last.wait(DEADLINE_SECONDS)
        return b"x" * MIB if self._left >= 0 else b""


@pytest.mark.parametrize("told", [True, False])
def test_shared_files_that_arrive_at_once_stay_within_the_allowance(
    app: Flask, platform: Platform, ann: User, told: bool
) -> None:
    with writing():
        db.session.get(User, ann.id).max_disk_bytes = 10 * MIB
    last = threading.Barrier(4)

    def publish(number: int) -> int:
        user = db.session.get(User, ann.id)
        try:
            body = Slow(4, last)
            expected = 4 * MIB if told else 0
            path = Path(f"{number}.bin")
            return share.publish(platform, user, utcnow(), path, body, expected)
        except AllowanceReached:
            last.wait(DEADLINE_SECONDS)
            raise

    came_of = together(app, 4, publish)
    assert 1 <= came_of.count(4 * MIB) <= 2
    assert sum(isinstance(one, AllowanceReached) for one in came_of) == 4 - came_of.count(4 * MIB)
    assert quota.used(platform, ann) == came_of.count(4 * MIB) * 4 * MIB


def test_forks_at_once_stay_within_the_allowance(
    app: Flask, platform: Platform, ann: User, bob: User
) -> None:
    row = repositories.create(platform, bob, utcnow(), "large")
    with writing():
        db.session.get(Repository, row.id).size_bytes = 40 * MIB
    started = threading.Barrier(4)

    def fork(number: int) -> int:
        user, origin = db.session.get(User, ann.id), db.session.get(Repository, row.id)
        started.wait(DEADLINE_SECONDS)
        return repositories.fork(platform, user, utcnow(), origin, f"fork{number}").size_bytes

    came_of = together(app, 4, fork)
    made = came_of.count(40 * MIB)
    assert 1 <= made <= 2, "what just became a row may count twice for a moment, never not at all"
    assert sum(isinstance(one, AllowanceReached) for one in came_of) == 4 - made
    assert quota.used(platform, ann) == made * 40 * MIB
