import sqlite3
import threading
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from orchestrator import jobs
from orchestrator.errors import (
    DatabaseUnreachable,
    HomeBusy,
    NoSpace,
    NotFound,
    RootBloodError,
    SnapshotError,
)
from orchestrator.jobs import Job, JobKind, Jobs, JobState

SECONDS = 10.0

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def told() -> list[int]:
    return []


@pytest.fixture
def start(told: list[int]) -> Callable[..., tuple[Jobs, Job]]:
    """Return ``start(work)``: a job of user 1, and the jobs that it is one of."""
    them = Jobs()
    return lambda work, user_id=1: (
        them,
        them.start(user_id, JobKind.SNAPSHOT, work, tell=told.append),
    )


def test_a_job_ends_with_what_it_said_last(
    start: Callable[..., tuple[Jobs, Job]], told: list[int]
) -> None:
    them, job = start(lambda job: job.progress("Reading", 5, 10))
    assert them.wait(job, SECONDS)
    assert (job.state, job.text, job.percent) == (JobState.DONE, "Reading", 100.0)
    assert told.count(1) >= 3  # begun, progress, ended


def test_an_error_is_kept_and_raised_to_who_waits(
    start: Callable[..., tuple[Jobs, Job]],
) -> None:
    def fail(job: Job) -> None:
        raise SnapshotError("restic: no")

    them, job = start(fail)
    with pytest.raises(SnapshotError, match="restic: no"):
        them.wait(job, SECONDS)
    assert job.state is JobState.FAILED
    assert job.text.startswith("restic: no.")


@pytest.mark.parametrize(
    ("code", "meant"), [(sqlite3.SQLITE_FULL, NoSpace), (sqlite3.SQLITE_BUSY, DatabaseUnreachable)]
)
def test_what_keeps_the_database_from_working_is_called_by_its_name(
    start: Callable[..., tuple[Jobs, Job]], code: int, meant: type[RootBloodError]
) -> None:
    def fail(job: Job) -> None:
        error = sqlite3.OperationalError("no")
        error.sqlite_errorcode = code
        raise OperationalError("INSERT", {}, error)

    them, job = start(fail)
    with pytest.raises(meant):
        them.wait(job, SECONDS)
    assert job.text.startswith(meant.title)


def test_a_bug_fails_the_job_without_its_details(
    start: Callable[..., tuple[Jobs, Job]], caplog: pytest.LogCaptureFixture
) -> None:
    them, job = start(lambda job: 1 // 0)
    with pytest.raises(Exception, match="Something went wrong"):
        them.wait(job, SECONDS)
    assert "division" not in job.text


def test_a_user_has_one_job_at_a_time(start: Callable[..., tuple[Jobs, Job]]) -> None:
    go = threading.Event()
    them, job = start(lambda job: go.wait(SECONDS))
    with pytest.raises(HomeBusy):
        start(lambda job: None)
    assert them.running() == {1}
    assert not them.wait(job, 0.0)
    _, other = start(lambda job: None, user_id=2)
    assert them.wait(other, SECONDS)
    go.set()
    assert them.wait(job, SECONDS)
    _, again = start(lambda job: None)
    assert them.wait(again, SECONDS)
    assert them.of(1) == [again, job]


def test_a_job_is_its_owners_alone(start: Callable[..., tuple[Jobs, Job]]) -> None:
    them, job = start(lambda job: None)
    assert them.find(1, job.id) is job
    with pytest.raises(NotFound):
        them.find(2, job.id)


def test_what_ended_is_forgotten_in_time(
    start: Callable[..., tuple[Jobs, Job]], monkeypatch: pytest.MonkeyPatch
) -> None:
    them, job = start(lambda job: None)
    assert them.wait(job, SECONDS)
    monkeypatch.setattr(jobs, "REMEMBERED_SECONDS", -1.0)
    assert them.of(1) == []
    with pytest.raises(NotFound):
        them.find(1, job.id)


def test_numbers_alone_are_told_now_and_then(told: list[int]) -> None:
    job = Job("a", 1, JobKind.RESTORE, told.append)
    for done in range(1000):
        job.progress("Reading", done, 1000)
    assert len(told) < 10
    assert job.percent == 99.9
