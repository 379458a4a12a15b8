"""Work on homes that takes longer than a request may, with its progress.

It lives in this process alone: a server that stops cuts it off, and what it worked on says by
itself what was left undone (:attr:`models.Home.snapshots_stale`).
"""

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy.exc import DBAPIError

from models import end_reading, utcnow
from orchestrator.errors import HomeBusy, NotFound, RootBloodError
from orchestrator.logs import log
from orchestrator.outages import outage_of

LOG = log(__name__)
REMEMBERED_SECONDS = 300.0
_TELL_SECONDS = 0.5


class JobKind(StrEnum):
    SNAPSHOT = "snapshot"
    RESTORE = "restore"
    DELETE = "delete"


class JobState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class Job:
    """One piece of work; it alone changes these values, others read them at any time."""

    id: str
    user_id: int
    kind: JobKind
    tell: Callable[[int], object]
    """Called with the user's id when something is new."""
    started_at: datetime = field(default_factory=utcnow)
    state: JobState = JobState.RUNNING
    text: str = ""
    done_bytes: int = 0
    total_bytes: int | None = None
    snapshot_id: int | None = None
    error: RootBloodError | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    ended_at: float = 0.0
    told_at: float = 0.0

    @property
    def percent(self) -> float | None:
        if self.state is JobState.DONE:
            return 100.0
        if not self.total_bytes:
            return None
        return round(min(100.0, 100.0 * self.done_bytes / self.total_bytes), 1)

    def progress(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Say what is being done; numbers alone are told twice a second at most."""
        new = text != self.text
        self.text, self.done_bytes, self.total_bytes = text, done, total
        if new or time.monotonic() - self.told_at >= _TELL_SECONDS:
            self.told_at = time.monotonic()
            self.tell(self.user_id)


Work = Callable[[Job], None]


class Jobs:
    """The work under way in this process and what has just ended; one piece a user at a time."""

    def __init__(self) -> None:
        self.context: Callable[[], AbstractContextManager[object]] = nullcontext
        """Gives each thread a database session of its own: Flask's ``app.app_context``."""
        self._guard = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def start(
        self, user_id: int, kind: JobKind, work: Work, *, tell: Callable[[int], object]
    ) -> Job:
        """Begin ``work`` and return at once. Raises: HomeBusy while the user has other work."""
        job = Job(secrets.token_hex(6), user_id, kind, tell)
        with self._guard:
            self._forget()
            if any(one.user_id == user_id for one in self._running()):
                raise HomeBusy("Your home is being worked on already")
            self._jobs[job.id] = job
        tell(user_id)
        threading.Thread(target=self._do, args=(job, work), name="job", daemon=True).start()
        return job

    def wait(self, job: Job, seconds: float) -> bool:
        """Wait until the job has ended; return whether it has. Raises: its error."""
        end_reading()  # else the caller would go on to see the database as it was
        if not job.ended.wait(seconds):
            return False
        if job.error is not None:
            raise job.error
        return True

    def find(self, user_id: int, id: str) -> Job:
        """Return a job of the user's. Raises: NotFound."""
        with self._guard:
            self._forget()
            job = self._jobs.get(id)
        if job is None or job.user_id != user_id:
            raise NotFound("There is no such job", hint="It may have ended some minutes ago.")
        return job

    def of(self, user_id: int) -> list[Job]:
        """Return the user's jobs under way and those of the last minutes, newest first."""
        with self._guard:
            self._forget()
            mine = [job for job in self._jobs.values() if job.user_id == user_id]
        return sorted(mine, key=lambda job: job.started_at, reverse=True)

    def running(self) -> frozenset[int]:
        """Return the users for whom something is being done."""
        with self._guard:
            return frozenset(job.user_id for job in self._running())

    def _running(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.state is JobState.RUNNING]

    def _do(self, job: Job, work: Work) -> None:
        try:
            with self.context():
                work(job)
            job.state = JobState.DONE
        except RootBloodError as error:
            LOG.warning("job.failed", kind=job.kind.value, why=error.message)
            job.error = error
        except Exception as error:
            outage = outage_of(error) if isinstance(error, DBAPIError) else None
            if outage is None:
                LOG.exception("job.crashed", kind=job.kind.value)
            job.error = outage or RootBloodError(hint="It has been logged. Try again.")
        if job.error is not None:
            job.state, job.text = JobState.FAILED, str(job.error)
        job.ended_at = time.monotonic()
        job.ended.set()
        job.tell(job.user_id)

    def _forget(self) -> None:
        oldest = time.monotonic() - REMEMBERED_SECONDS
        over = [
            id for id, job in self._jobs.items() if job.ended.is_set() and job.ended_at < oldest
        ]
        for id in over:
            del self._jobs[id]
