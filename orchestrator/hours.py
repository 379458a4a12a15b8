"""How long people's workspaces ran in this week, and what that leaves them of their hours.

A run is opened and closed in the transaction that says so of its workspace. What a crash left open
ends when it was last seen: nobody pays for the time that a server lay dark.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, delete, or_, select, update

from models import Run, State, User, Workspace, db, end_reading, writing
from orchestrator.errors import AllowanceReached
from orchestrator.idleness import Hours
from orchestrator.policy import allowance_of
from orchestrator.settings import Settings

WEEK = timedelta(days=7)
KEPT = 5 * WEEK
SEE_EVERY = timedelta(minutes=1)
GAP = timedelta(minutes=10)
"""What was not seen for longer did not run, as far as anybody knows."""
_MAY_RUN = (State.STARTING, State.RUNNING, State.STOPPING)

Span = tuple[datetime, datetime]


def week_began(now: datetime) -> datetime:
    """Return the Monday, 00:00 UTC, with which the week of ``now`` began."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=today.weekday())


def covered(spans: Iterable[Span], since: datetime, until: datetime) -> timedelta:
    """Return how much of ``since`` to ``until`` the spans cover; where two overlap, once. Pure."""
    total, reached = timedelta(), since
    for start, end in sorted(spans):
        fresh = min(end, until) - max(start, reached)
        if fresh > timedelta():
            total, reached = total + fresh, min(end, until)
    return total


def used(user: User, now: datetime) -> float:
    """Return for how many hours the user's workspaces ran this week, added up."""
    return used_by([user.id], now)[user.id]


def used_by(user_ids: Sequence[int], now: datetime) -> dict[int, float]:
    """Return the same of many users, by their ids."""
    began = week_began(now)
    query = select(Run.user_id, Run.workspace, Run.started_at, Run.ended_at).where(
        Run.user_id.in_(user_ids), or_(Run.ended_at.is_(None), Run.ended_at > began)
    )
    spans: dict[tuple[int, str], list[Span]] = defaultdict(list)
    for user_id, workspace, start, end in db.session.execute(query):
        spans[user_id, workspace].append((start, end or now))
    hours = dict.fromkeys(user_ids, 0.0)
    for (user_id, _), of_one in spans.items():
        hours[user_id] += covered(of_one, began, now) / timedelta(hours=1)
    return hours


def left(settings: Settings, rows: Sequence[Workspace], now: datetime) -> dict[int, Hours]:
    """Return what the owners of ``rows``, by their ids, have left of the week.

    Those are not in it who have no limit, or enough for the rest of the week at their present pace.
    """
    allowed = {row.user_id: allowance_of(settings, row.user).hours for row in rows}
    limited = [user_id for user_id, hours in allowed.items() if hours]
    if not limited:
        return {}
    running = select(Workspace.user_id).where(
        Workspace.user_id.in_(limited), Workspace.state == State.RUNNING
    )
    pace = list(db.session.scalars(running))
    anew_at = week_began(now) + WEEK
    found = {}
    for user_id, hours in used_by(limited, now).items():
        rest = timedelta(hours=max(0.0, allowed[user_id] - hours))
        end_at = now + rest / max(1, pace.count(user_id))
        if end_at < anew_at:
            found[user_id] = Hours(allowed[user_id], end_at, anew_at)
    return found


def require(settings: Settings, row: Workspace, now: datetime) -> None:
    """Raise AllowanceReached when the owner's hours of this week are used up."""
    hours = left(settings, [row], now).get(row.user_id)
    end_reading()
    if hours is not None and hours.over(now):
        raise AllowanceReached(hours.used_up, hint="An administrator can allow more.")


def begin(row: Workspace, now: datetime) -> None:
    """Open a run in the transaction under way; one left open ends."""
    end(row, now)
    db.session.add(Run(user_id=row.user_id, workspace=row.name, started_at=now, seen_at=now))


def end(row: Workspace, now: datetime) -> None:
    """Close the workspace's run in the transaction under way. None is success."""
    for run in db.session.scalars(_open().where(_of(row))):
        _close(run, row, now)


def tend(now: datetime, containers: Collection[str]) -> None:
    """Bring the runs in line with the ``containers`` that run; forget what is long over."""
    # The runs come first: one whose workspace stands still in what is read later is over.
    runs = [((run.user_id, run.workspace), run) for run in db.session.scalars(_open())]
    fresh = select(Workspace).execution_options(populate_existing=True)
    rows = {(row.user_id, row.name): row for row in db.session.scalars(fresh)}
    alive = {
        key for key, row in rows.items()
        if row.state is State.RUNNING and row.container in containers
    }  # fmt: skip
    unseen = [run.id for key, run in runs if key in alive and now - run.seen_at >= SEE_EVERY]
    unopened = [rows[key] for key in alive - {key for key, _ in runs}]
    over = [
        (run, rows.get(key)) for key, run in runs
        if key not in rows or rows[key].state not in _MAY_RUN
    ]  # fmt: skip
    end_reading()
    if not (unseen or unopened or over):
        return
    with writing():
        db.session.execute(update(Run).where(Run.id.in_(unseen)).values(seen_at=now))
        for row in unopened:
            begin(row, now)
        for run, of_run in over:
            _close(db.session.merge(run), of_run, now)
        db.session.execute(delete(Run).where(Run.ended_at < now - KEPT))


def _open() -> Select[Run]:
    return select(Run).where(Run.ended_at.is_(None)).execution_options(populate_existing=True)


def _of(row: Workspace) -> ColumnElement[bool]:
    return and_(Run.user_id == row.user_id, Run.workspace == row.name)


def _close(run: Run, row: Workspace | None, now: datetime) -> None:
    stopped_at = row.stopped_at if row is not None else None
    if stopped_at is None or not run.started_at <= stopped_at <= now:
        stopped_at = now
    known = stopped_at if stopped_at - run.seen_at <= GAP else run.seen_at
    run.ended_at = max(known, run.started_at)
