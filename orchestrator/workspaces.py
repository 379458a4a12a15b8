"""What people do with workspaces: create, stop, rename, delete; starting.py starts them.

Every change of state happens under a claim; no transaction is open while the engine works.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from models import (
    TRANSITIONS,
    ActiveSession,
    State,
    User,
    Workspace,
    db,
    end_reading,
    one_at_a_time,
    utcnow,
    writing,
)
from orchestrator import audit, catalogue, homes, hours
from orchestrator.errors import (
    AllowanceReached,
    AlreadyExists,
    BadInput,
    Conflict,
    EngineUnreachable,
    RootBloodError,
)
from orchestrator.keys import Proof
from orchestrator.logs import log
from orchestrator.names import parse_workspace
from orchestrator.platform import Platform
from orchestrator.policy import allowance_of, check_limits, default_limits
from orchestrator.spec import Limits

LOG = log(__name__)
DEFAULT_NAME = "main"
STOP_GRACE_SECONDS = 10.0
SNOOZE_MINUTES_MAX = 24 * 60


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and from where; the collector is an actor too."""

    name: str
    address: str = ""
    proof: Proof | None = field(default=None, repr=False)
    """What opens the home's key, where the caller brought something that does."""


def move(workspace: Workspace, state: State, *, reason: str = "", log: str = "") -> None:
    """Set the state inside a transaction. Raises: Conflict when it may not follow the present."""
    if state is not workspace.state and state not in TRANSITIONS[workspace.state]:
        raise Conflict(f"A workspace that is {workspace.state} cannot become {state}")
    workspace.state = state
    workspace.reason = reason
    workspace.log = log[-8000:]


def of_user(user: User) -> list[Workspace]:
    """Return the user's workspaces in the order of their making."""
    query = select(Workspace).where(Workspace.user_id == user.id).order_by(Workspace.id)
    return list(db.session.scalars(query))


def create(
    platform: Platform,
    user: User,
    now: datetime,
    name: str,
    *,
    template: str | None = None,
    limits: Limits | None = None,
    actor: Actor,
) -> Workspace:
    """Create a stopped workspace. Raises: BadInput, NotFound, AlreadyExists, AllowanceReached."""
    parse_workspace(name)
    allowance = allowance_of(platform.settings, user)
    chosen = catalogue.template_named(template)
    limits = check_limits(limits or default_limits(chosen, allowance), allowance)
    with writing():
        one_at_a_time(user.id)
        _require_free(user.id, name)
        mine = select(func.count(Workspace.id)).where(Workspace.user_id == user.id)
        if (db.session.scalar(mine) or 0) >= allowance.workspaces:
            raise AllowanceReached(f"Your account allows {allowance.workspaces} workspaces")
        workspace = Workspace(
            user_id=user.id,
            template_id=chosen.id,
            name=name,
            state=State.STOPPED,
            cpus=limits.cpus,
            memory_bytes=limits.memory_bytes,
            pids=limits.pids,
            created_at=now,
        )
        db.session.add(workspace)
        audit.record(now, actor.name, "workspace.created", name, address=actor.address)
    platform.feed.publish(user.id)
    return workspace


def _require_free(user_id: int, name: str) -> None:
    taken = select(Workspace.id).where(Workspace.user_id == user_id, Workspace.name == name)
    if db.session.scalar(taken) is not None:
        raise AlreadyExists(f"You have a workspace named '{name}' already")


def default_of(platform: Platform, user: User, now: datetime, actor: Actor) -> Workspace:
    """Return ``main``, made on first use; fifty callers at once still make one."""
    query = select(Workspace).where(Workspace.user_id == user.id, Workspace.name == DEFAULT_NAME)
    workspace = db.session.scalar(query)
    end_reading()
    if workspace is not None:
        return workspace
    try:
        return create(platform, user, now, DEFAULT_NAME, actor=actor)
    except AlreadyExists:
        workspace = db.session.scalars(query).one()
        end_reading()
        return workspace


def stop(platform: Platform, workspace: Workspace, actor: Actor, *, reason: str = "") -> Workspace:
    """Stop the workspace and hang up its connections; a stopped one is left alone."""
    with platform.claims.claim(workspace.id, patience=STOP_GRACE_SECONDS * 3) as row:
        return stop_claimed(platform, row, actor, reason=reason or f"Stopped by {actor.name}")


def stop_claimed(platform: Platform, row: Workspace, actor: Actor, *, reason: str) -> Workspace:
    """Stop a workspace that the caller has claimed."""
    if row.state in (State.STOPPED, State.DELETING):
        return row
    before = (row.state, row.reason, row.log)
    set_state(platform, row, State.STOPPING)
    try:
        platform.engine.stop(row.container, grace=STOP_GRACE_SECONDS)
    except EngineUnreachable:  # whether it runs is unknown, so nothing has changed
        set_state(platform, row, before[0], reason=before[1], log=before[2])
        raise
    except RootBloodError as error:
        set_state(platform, row, State.FAILED, reason=f"It could not be stopped: {error.message}")
        raise
    now = utcnow()
    with writing():
        db.session.refresh(row)
        move(row, State.STOPPED, reason=reason)
        row.stopped_at = now
        row.snoozed_until = None
        hours.end(row, now)
        _hang_up(row)
        audit.record(now, actor.name, "workspace.stopped", row.name, address=actor.address,
                     reason=reason)  # fmt: skip
    _ended(platform, row.user, row.container)
    return row


def remove(platform: Platform, workspace: Workspace, actor: Actor) -> None:
    """Delete the workspace and its container. The home is never touched."""
    with platform.claims.claim(workspace.id, patience=STOP_GRACE_SECONDS * 3) as row:
        remove_claimed(platform, row, actor)


def remove_claimed(platform: Platform, row: Workspace, actor: Actor) -> None:
    """Delete a workspace that the caller has claimed."""
    if row.state in (State.STARTING, State.STOPPING):
        set_state(platform, row, State.STOPPED)
    set_state(platform, row, State.DELETING)
    try:
        platform.engine.stop(row.container, grace=3.0)
        platform.engine.remove(row.container)
    except RootBloodError as error:
        set_state(platform, row, State.FAILED, reason=f"It could not be deleted: {error.message}")
        raise
    user, container = row.user, row.container
    with writing():
        row = db.session.merge(row)
        hours.end(row, utcnow())
        _hang_up(row)
        audit.record(utcnow(), actor.name, "workspace.deleted", row.name, address=actor.address)
        db.session.delete(row)
    _ended(platform, user, container)


def change(
    platform: Platform,
    workspace: Workspace,
    now: datetime,
    *,
    name: str | None,
    limits: Limits | None,
    actor: Actor,
) -> Workspace:
    """Rename a stopped workspace or set new limits, which hold from the next start.

    Raises: BadInput, AlreadyExists, AllowanceReached; Conflict when it runs and is to be renamed.
    """
    if name is not None:
        parse_workspace(name)
    if limits is not None:
        check_limits(limits, allowance_of(platform.settings, workspace.user))
    with platform.claims.claim(workspace.id, patience=STOP_GRACE_SECONDS) as row:
        if name is not None and name != row.name:
            if row.state not in (State.STOPPED, State.FAILED):
                raise Conflict("A running workspace cannot be renamed", hint="Stop it first.")
            _require_free(row.user_id, name)
            end_reading()
            platform.engine.remove(row.container)  # named after it; the next start makes it anew
        with writing():
            db.session.refresh(row)
            if name is not None and name != row.name:
                one_at_a_time(row.user_id)
                _require_free(row.user_id, name)
                audit.record(now, actor.name, "workspace.renamed", row.name,
                             address=actor.address, to=name)  # fmt: skip
                row.name = name
            if limits is not None:
                row.cpus, row.memory_bytes, row.pids = (
                    limits.cpus, limits.memory_bytes, limits.pids,
                )  # fmt: skip
    platform.feed.publish(row.user_id)
    return row


def snooze(platform: Platform, workspace: Workspace, now: datetime, minutes: int) -> Workspace:
    """Keep a workspace from being stopped as idle for some minutes; 0 ends that."""
    if not 0 <= minutes <= SNOOZE_MINUTES_MAX:
        raise BadInput(f"Choose 0 to {SNOOZE_MINUTES_MAX} minutes", field="minutes")
    with writing():
        db.session.refresh(workspace)
        workspace.snoozed_until = now + timedelta(minutes=minutes) if minutes else None
    platform.feed.publish(workspace.user_id)
    return workspace


def mark(
    platform: Platform,
    row: Workspace,
    state: State,
    now: datetime,
    reason: str = "",
    log: str = "",
) -> None:
    """Write down what the engine did without us to a workspace that the caller has claimed."""
    with writing():
        db.session.refresh(row)
        move(row, state, reason=reason, log=log)
        if state is State.RUNNING:
            row.started_at = now
            hours.begin(row, now)
        else:
            row.stopped_at = now
            row.snoozed_until = None
            hours.end(row, now)
            _hang_up(row)
        audit.record(now, "engine", f"workspace.{state}", row.name, reason=reason)
    if state is State.RUNNING:
        _announce(platform, row.user_id)
    else:
        _ended(platform, row.user, row.container)


def set_state(
    platform: Platform, row: Workspace, state: State, *, reason: str = "", log: str = ""
) -> None:
    """Move a workspace that the caller has claimed, and tell who watches."""
    with writing():
        db.session.refresh(row)  # with its user, who is part of the container's name
        move(row, state, reason=reason, log=log)
    platform.feed.publish(row.user_id)


def _hang_up(row: Workspace) -> None:
    db.session.execute(delete(ActiveSession).where(ActiveSession.workspace_id == row.id))


def _ended(platform: Platform, user: User, container: str) -> None:
    """Tidy up after a container that runs no more; the owner's last one takes the key along."""
    platform.sampler.forget(container)
    platform.pools.drop(container)
    try:
        homes.lock_unused(platform, user.id, user.userhash, utcnow(), at_once=True)
    except Exception:  # it has stopped all the same, and the next sweep locks the home
        db.session.rollback()
        LOG.exception("home.not-locked", home=user.userhash)
    _announce(platform, user.id)


def _announce(platform: Platform, user_id: int) -> None:
    platform.connections.hang_up_revoked()
    platform.feed.publish(user_id)
