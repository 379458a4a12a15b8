"""Gather the collector's facts and carry out its plan."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from models import ActiveSession, State, Workspace, db, end_reading, rows_changed, writing
from orchestrator import hours, workspaces
from orchestrator.collector import (
    STALE_AFTER,
    Action,
    Do,
    Facts,
    SessionFact,
    WorkspaceFact,
    plan,
)
from orchestrator.engines import Phase, Status
from orchestrator.errors import Busy, EngineError, NotFound
from orchestrator.idleness import Activity, Hours, Policy, working
from orchestrator.logs import log
from orchestrator.platform import Platform

LOG = log(__name__)
COLLECTOR = workspaces.Actor("collector")
JUMP_SECONDS = 30.0
"""A clock that moved this much against the monotonic one was set, or the machine slept."""
_BUSY_WRITE = timedelta(seconds=60)
_FRESH = select(Workspace).execution_options(populate_existing=True)
"""As the rows are now, not as this session read them a moment ago."""


def activity_of(platform: Platform, row: Workspace, left: Hours | None) -> Activity:
    """Return what is known of a running workspace, in the row and in this process.

    ``left`` is what its owner has left of the week: see hours.left.
    """
    times = (row.last_input_at, platform.connections.last_input(row.id))
    return Activity(
        started_at=row.started_at or row.created_at,
        last_input_at=max((t for t in times if t is not None), default=None),
        last_busy_at=row.last_busy_at,
        snoozed_until=row.snoozed_until,
        rates=platform.sampler.window(row.container),
        hours=left,
    )


class Collector:
    """One per process; servers on one database share the work through claims."""

    def __init__(self, platform: Platform, started: datetime) -> None:
        self._platform = platform
        self._policy = Policy.of(platform.settings)
        self._last: tuple[datetime, float] | None = None
        platform.watch.since = started
        self.failures = 0

    def sweep(self, now: datetime, monotonic: float) -> list[Action]:
        """Look once and act; return what was done. One failure never stops the sweep."""
        self._watch_clock(now, monotonic)
        self._note_work(now)
        facts = self._facts(now)
        if facts.census is not None:
            alive = (Phase.RUNNING, Phase.PAUSED)
            hours.tend(now, {s.name for s in facts.census.values() if s.phase in alive})
        return [action for action in plan(now, self._policy, facts) if self._try(now, action)]

    def observe(self, now: datetime, container: str) -> list[Action]:
        """Look at one container at once, as when the engine says that it has ended."""
        facts = self._facts(now, only=container)
        planned = plan(now, self._policy, replace(facts, sessions=()))
        return [a for a in planned if a.name == container and self._try(now, a)]

    def _watch_clock(self, now: datetime, monotonic: float) -> None:
        if self._last is not None:
            drift = (now - self._last[0]).total_seconds() - (monotonic - self._last[1])
            if abs(drift) > JUMP_SECONDS:
                self._platform.watch.since = now
                LOG.warning("clock.jumped", seconds=round(drift))
        self._last = (now, monotonic)

    def _note_work(self, now: datetime) -> None:
        """Remember which workspaces work, at most once a minute each."""
        rows = db.session.scalars(select(Workspace).where(Workspace.state == State.RUNNING)).all()
        busy = [
            row.id
            for row in rows
            if working(self._policy, self._platform.sampler.window(row.container))
            and (row.last_busy_at is None or abs(now - row.last_busy_at) >= _BUSY_WRITE)
        ]
        if busy:
            with writing():
                db.session.execute(
                    update(Workspace).where(Workspace.id.in_(busy)).values(last_busy_at=now)
                )

    def _facts(self, now: datetime, *, only: str | None = None) -> Facts:
        census: Mapping[str, Status] | None
        end_reading()
        try:
            census = (
                {status.name: status for status in self._platform.engine.census()}
                if only is None
                else {only: self._platform.engine.inspect(only)}
            )
        except EngineError as error:
            census = None
            LOG.warning("engine.unreachable", reason=error.message)
        rows = db.session.scalars(_FRESH).all()
        left = hours.left(self._platform.settings, rows, now)
        facts = tuple(
            WorkspaceFact(
                container=row.container,
                state=row.state,
                claimed=row.claimed_until is not None and row.claimed_until > now,
                activity=activity_of(self._platform, row, left.get(row.user_id)),
            )
            for row in rows
            if only is None or row.container == only
        )
        sessions = tuple(
            SessionFact(id, seen)
            for id, seen in db.session.execute(select(ActiveSession.id, ActiveSession.last_seen_at))
        )
        if only is None:
            self._platform.sampler.keep_only({fact.container for fact in facts})
        db.session.rollback()
        return Facts(facts, census, sessions, self._platform.watch.since)

    def _try(self, now: datetime, action: Action) -> bool:
        try:
            done = self._act(now, action)
        except (Busy, NotFound):
            return False  # somebody else is at it, which is just as good
        except EngineError as error:
            self.failures += 1
            LOG.warning("collector.failed", action=action.do, target=action.name, why=error.message)
            return False
        except Exception:
            self.failures += 1
            LOG.exception("collector.failed", action=action.do, target=action.name)
            return False
        finally:
            db.session.rollback()
        if done:
            LOG.info("collector.acted", action=action.do, target=action.name, reason=action.reason)
        return done

    def _act(self, now: datetime, action: Action) -> bool:
        if action.do is Do.END_SESSION:
            return self._end_session(now, action.session_id)
        if action.do is Do.REMOVE_ORPHAN:
            return self._remove_orphan(action)
        row = self._row(action.name)
        if row is None:
            return False
        with self._platform.claims.claim(row.id, patience=0.0) as claimed:
            return self._act_claimed(now, action, claimed)

    def _act_claimed(self, now: datetime, action: Action, row: Workspace) -> bool:
        """Look once more, now that nobody else can interfere, and act on the same decision."""
        platform = self._platform
        status = platform.engine.inspect(action.name)
        left = hours.left(platform.settings, [row], now).get(row.user_id)
        end_reading()
        fact = WorkspaceFact(action.name, row.state, False, activity_of(platform, row, left))
        facts = Facts((fact,), {status.name: status}, (), platform.watch.since)
        again = plan(now, self._policy, facts)
        if action.do not in {a.do for a in again}:
            return False
        match action.do:
            case Do.STOP:
                workspaces.stop_claimed(platform, row, COLLECTOR, reason=action.reason)
            case Do.FINISH_DELETE:
                workspaces.remove_claimed(platform, row, COLLECTOR)
            case Do.MARK_RUNNING:
                workspaces.mark(platform, row, State.RUNNING, now)
            case Do.MARK_STOPPED:
                workspaces.mark(platform, row, State.STOPPED, now, action.reason)
            case Do.MARK_FAILED:
                log = platform.engine.logs(action.name)
                workspaces.mark(platform, row, State.FAILED, now, action.reason, log)
        return True

    def _row(self, container: str) -> Workspace | None:
        rows = db.session.scalars(_FRESH).all()
        found = next((row for row in rows if row.container == container), None)
        end_reading()
        return found

    def _remove_orphan(self, action: Action) -> bool:
        if self._row(action.name) is not None:
            return False
        self._platform.engine.remove(action.name)
        return True

    def _end_session(self, now: datetime, session_id: int) -> bool:
        with writing():
            ended = rows_changed(
                delete(ActiveSession).where(
                    ActiveSession.id == session_id,
                    ActiveSession.last_seen_at < now - STALE_AFTER,
                )
            )
        return bool(ended)
