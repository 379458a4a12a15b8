"""The loops that run beside the requests: sampling, heartbeats, the collector, engine events."""

import threading
import time
from collections.abc import Callable

from sqlalchemy import select

from models import State, Workspace, db, utcnow
from orchestrator import deletion, expiry, tending
from orchestrator.commons import mending
from orchestrator.commons.doors import TURN_SECONDS, Doors
from orchestrator.engines import Phase
from orchestrator.errors import EngineError, EngineUnreachable
from orchestrator.files.rescue import Unused
from orchestrator.logs import log
from orchestrator.platform import Context, Platform
from orchestrator.previews import passes, shares
from orchestrator.snapshot_schedule import Schedule
from orchestrator.sweep import Collector

LOG = log(__name__)
SAMPLE_SECONDS = 5.0
HEARTBEAT_SECONDS = 1.0
REVOKED_SECONDS = 2.0
RETRY_SECONDS = 5.0
SCHEDULE_SECONDS = 30.0
FILES_SECONDS = 10.0


class Background:
    """Starts and stops the loops; ``context`` gives each turn a database session of its own."""

    def __init__(self, platform: Platform, context: Context, doors: Doors | None = None) -> None:
        self._platform = platform
        self._context = context
        self._doors = doors
        self._stopping = threading.Event()
        self.collector = Collector(platform, utcnow())
        self.schedule = Schedule()
        self.rescues = Unused()

    def start(self) -> None:
        """Free what a crashed predecessor left, then begin. Call once the port is bound.

        Raises: EngineError when isolation cannot be enforced; an absent engine is waited for.
        """
        try:
            self._platform.engine.prepare()
        except EngineUnreachable as error:
            LOG.warning("engine.unreachable", reason=error.message)
        with self._context():
            self._platform.claims.free_leftovers()
            self._platform.connections.free_leftovers()
            tending.recover(self._platform)
            mending.mend(self._platform)
        for name, loop in (
            ("samples", lambda: self._every(SAMPLE_SECONDS, self._sample)),
            ("heartbeat", lambda: self._every(HEARTBEAT_SECONDS, self._heartbeat)),
            ("revoked", lambda: self._every(REVOKED_SECONDS, self._revoked)),
            ("collector",
             lambda: self._every(self._platform.settings.collector_seconds, self._collect)),
            ("snapshots", lambda: self._every(SCHEDULE_SECONDS, self._snapshots)),
            ("files", lambda: self._every(FILES_SECONDS, self._tidy_files)),
            ("doors", lambda: self._every(TURN_SECONDS, self._keep_doors)),
            ("events", self._watch),
        ):  # fmt: skip
            threading.Thread(target=loop, name=name, daemon=True).start()

    def stop(self) -> None:
        """Let the loops end and hang up every connection."""
        self._stopping.set()
        self._platform.feed.close()
        self._platform.connections.close_all()
        if self._doors is not None:
            self._doors.close()

    def _every(self, seconds: float, turn: Callable[[], object]) -> None:
        while not self._stopping.is_set():
            try:
                with self._context():
                    turn()
            except EngineUnreachable:
                pass  # the collector says so once a sweep
            except Exception:
                LOG.exception("background.failed", loop=threading.current_thread().name)
            self._stopping.wait(seconds)

    def _sample(self) -> None:
        tending.brake(self._platform)
        running = select(Workspace).where(Workspace.state == State.RUNNING)
        rows = [(row.container, row.user_id) for row in db.session.scalars(running)]
        db.session.rollback()
        for container, _ in rows:
            try:
                usage = self._platform.engine.usage(container)
            except EngineUnreachable:
                raise
            except EngineError:
                continue
            if usage is not None:
                self._platform.sampler.add(container, time.monotonic(), usage)
        for user_id in {user_id for _, user_id in rows}:
            self._platform.feed.publish(user_id)

    def _heartbeat(self) -> None:
        self._platform.viewers.dismiss_idle(self._platform.connections, time.monotonic())
        self._platform.connections.touch(utcnow())
        for user_id in self._platform.connections.bury():
            self._platform.feed.publish(user_id)

    def _revoked(self) -> None:
        shares.end_expired(self._platform, utcnow())
        passes.delete_expired(utcnow())
        self._platform.connections.hang_up_revoked()

    def _collect(self) -> None:
        try:
            self._platform.engine.prepare()  # another program may have flushed the firewall
        except EngineUnreachable:
            pass  # the sweep says so
        except EngineError as error:
            LOG.error("egress.unprotected", reason=error.message, hint=error.hint)
        expiry.delete_expired(self._platform, utcnow())
        self.collector.sweep(utcnow(), time.monotonic())
        deletion.finish_all(self._platform)
        tending.tend(self._platform, utcnow())

    def _snapshots(self) -> None:
        self.schedule.turn(self._platform, utcnow())

    def _tidy_files(self) -> None:
        self._platform.pools.close_idle(time.monotonic())
        self.rescues.sweep(self._platform, time.monotonic())

    def _keep_doors(self) -> None:
        if self._doors is not None:
            self._doors.turn()

    def _watch(self) -> None:
        """Follow the engine's events, so that a killed container shows at once."""
        while not self._stopping.is_set():
            try:
                for status in self._platform.engine.watch():
                    if self._stopping.is_set():
                        return
                    if status.phase is not Phase.RUNNING:
                        with self._context():
                            self.collector.observe(utcnow(), status.name)
            except EngineUnreachable:
                self._stopping.wait(RETRY_SECONDS)
            except Exception:
                LOG.exception("background.failed", loop="events")
                self._stopping.wait(RETRY_SECONDS)
