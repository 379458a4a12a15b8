"""Keep what runs and what the database says together; stop what is idle or out of hours.

:func:`plan` is pure: facts in, actions out. A sweep gathers the facts, and every action claims
its row, observes that one workspace again, asks the same plan, and acts only if it still says so.
Nothing here ever touches a home. An engine that does not answer is unknown, never stopped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models import State
from orchestrator.engines import Phase, Status
from orchestrator.idleness import Activity, Policy, judge

HELPER_PREFIX = "rbx-"
"""Names of short-lived containers that have no workspace, such as an archive's."""
KILLED = (137, 143)
"""128 + SIGKILL and 128 + SIGTERM: somebody ended it from outside."""
HELPER_LIFETIME = timedelta(hours=26)
STALE_AFTER = timedelta(seconds=180)
"""Three missed heartbeats (connections.TOUCH_SECONDS): the server that held it is gone."""


class Do(StrEnum):
    """What the collector may do."""

    STOP = "stop"
    MARK_RUNNING = "mark-running"
    MARK_STOPPED = "mark-stopped"
    MARK_FAILED = "mark-failed"
    FINISH_DELETE = "finish-delete"
    REMOVE_ORPHAN = "remove-orphan"
    END_SESSION = "end-session"


@dataclass(frozen=True, slots=True)
class Action:
    """One step: on a container's name, or on the session of that id."""

    do: Do
    name: str
    reason: str = ""
    session_id: int = 0


@dataclass(frozen=True, slots=True)
class WorkspaceFact:
    """One row, with what is known of its activity. ``claimed``: somebody is changing it."""

    container: str
    state: State
    claimed: bool
    activity: Activity


@dataclass(frozen=True, slots=True)
class SessionFact:
    """One live connection, as its server last reported it."""

    id: int
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a plan is made from. ``census`` is None when the engine does not answer."""

    workspaces: tuple[WorkspaceFact, ...]
    census: Mapping[str, Status] | None
    sessions: tuple[SessionFact, ...]
    floor: datetime
    """When this server began to watch or last saw the clock jump: see idleness.judge."""


def plan(now: datetime, policy: Policy, facts: Facts) -> list[Action]:
    """Return what to do about the facts at ``now``. Pure."""
    actions = [
        Action(Do.END_SESSION, "", session_id=session.id)
        for session in facts.sessions
        if now - max(session.last_seen_at, min(facts.floor, now)) > STALE_AFTER
    ]
    if facts.census is None:
        return actions
    for fact in facts.workspaces:
        if not fact.claimed:
            status = facts.census.get(fact.container, Status(fact.container, Phase.ABSENT))
            actions += _settle(now, policy, fact, status, facts.floor)
    known = {fact.container for fact in facts.workspaces}
    actions += _orphans(now, known, facts.census.values())
    return actions


def _settle(
    now: datetime, policy: Policy, fact: WorkspaceFact, status: Status, floor: datetime
) -> Iterable[Action]:
    """Decide about one workspace that nobody is changing."""
    name, runs = fact.container, status.phase in (Phase.RUNNING, Phase.PAUSED)
    if status.phase in (Phase.PENDING, Phase.LOST):
        return
    match fact.state:
        case State.DELETING:
            yield Action(Do.FINISH_DELETE, name)
        case State.STOPPING:
            yield Action(Do.STOP, name, "The server was restarted while stopping it")
        case State.RUNNING if not runs:
            yield _ended(name, status)
        case State.RUNNING:
            verdict = judge(now, policy, fact.activity, floor)
            if verdict.due(now):
                yield Action(Do.STOP, name, verdict.reason)
        case State.STARTING | State.STOPPED | State.FAILED if runs:
            yield Action(Do.MARK_RUNNING, name)
        case State.STARTING:
            yield Action(Do.MARK_FAILED, name, "The server was restarted while starting it")


def _ended(name: str, status: Status) -> Action:
    if status.phase is Phase.ABSENT:
        return Action(Do.MARK_FAILED, name, "Its container is gone: someone removed it")
    if status.exit_code in (0, None):
        return Action(Do.MARK_STOPPED, name, "It ended by itself")
    verb = "was killed" if status.exit_code in KILLED else "ended"
    return Action(
        Do.MARK_FAILED, name, status.reason or f"It {verb} (exit code {status.exit_code})"
    )


def _orphans(now: datetime, known: set[str], census: Iterable[Status]) -> Iterable[Action]:
    """Containers that carry our label and belong to no row; helpers end by themselves."""
    for status in census:
        if status.name in known or status.phase is Phase.ABSENT:
            continue
        helper = status.name.startswith(HELPER_PREFIX)
        young = status.started_at is None or now - status.started_at < HELPER_LIFETIME
        if not (helper and young and status.phase not in (Phase.STOPPED, Phase.FAILED)):
            yield Action(Do.REMOVE_ORPHAN, status.name, "It belongs to no workspace")
