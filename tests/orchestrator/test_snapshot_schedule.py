"""When snapshots are taken that nobody asked for."""

from datetime import timedelta

import pytest

from models import Reason, Snapshot, User, Workspace, db, utcnow, writing
from orchestrator import snapshots
from orchestrator.leases import writing_lease
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.snapshot_schedule import RETRY_SECONDS, Schedule, next_due
from tests.local_restic import home_directory

SECONDS = 60.0
HOUR = timedelta(hours=1)


@pytest.fixture
def platform(local_platform: Platform) -> Platform:
    return local_platform


def due(platform: Platform, user: User) -> object:
    found = next_due(platform, user)
    db.session.rollback()
    return found


def wait_for(platform: Platform, user: User) -> None:
    for job in platform.jobs.of(user.id):
        job.ended.wait(SECONDS)


def kept(user: User, taken_at: object) -> None:
    with writing():
        db.session.add(
            Snapshot(
                user_id=user.id,
                restic_id="a" * 64,
                reason=Reason.MANUAL,
                note="",
                taken_at=taken_at,
                files=0,
                total_bytes=0,
                added_bytes=0,
                consistent=True,
            )
        )


def test_nothing_is_due_while_nothing_runs(platform: Platform, made: Workspace) -> None:
    assert due(platform, made.user) is None


def test_the_first_is_due_an_hour_after_the_start(platform: Platform, running: Workspace) -> None:
    assert due(platform, running.user) == running.started_at + HOUR


def test_the_next_is_due_an_hour_after_the_newest(platform: Platform, running: Workspace) -> None:
    taken_at = utcnow() - timedelta(minutes=20)
    kept(running.user, taken_at)
    assert due(platform, running.user) == taken_at + HOUR


@pytest.mark.slow
def test_what_is_due_is_taken_with_the_key_that_is_kept(
    platform: Platform, running: Workspace
) -> None:
    user, schedule = running.user, Schedule()
    (home_directory(platform, user) / "a").write_text("a")
    schedule.turn(platform, utcnow())
    assert platform.jobs.of(user.id) == []
    schedule.turn(platform, utcnow() + HOUR)
    wait_for(platform, user)
    (row,) = snapshots.of_user(user)
    assert row.reason is Reason.SCHEDULED
    schedule.turn(platform, utcnow() + HOUR / 2)
    assert len(platform.jobs.of(user.id)) == 1


def test_without_a_key_at_hand_the_home_is_left_alone(
    platform: Platform, running: Workspace
) -> None:
    platform.keyring.drop(home_of(running.user))
    Schedule().turn(platform, utcnow() + HOUR)
    assert platform.jobs.of(running.user_id) == []


@pytest.mark.slow
def test_of_two_servers_one_takes_it(platform: Platform, running: Workspace) -> None:
    user, schedule = running.user, Schedule()
    (home_directory(platform, user) / "a").write_text("a")
    with platform.leases.alone(writing_lease(home_of(user))):
        schedule.turn(platform, utcnow() + HOUR)
        wait_for(platform, user)
    assert snapshots.of_user(user) == []
    schedule.turn(platform, utcnow() + HOUR)
    assert len(platform.jobs.of(user.id)) == 1  # not again at once
    schedule.failed[user.id] -= RETRY_SECONDS
    schedule.turn(platform, utcnow() + HOUR)
    wait_for(platform, user)
    assert len(snapshots.of_user(user)) == 1
