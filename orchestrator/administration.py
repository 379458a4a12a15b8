"""What administrators do with other people's accounts."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, delete, func, select

from models import (
    ActiveSession,
    Event,
    Login,
    Role,
    Standing,
    State,
    Token,
    User,
    Workspace,
    db,
    writing,
)
from orchestrator import access, audit, workspaces
from orchestrator.commons import repositories
from orchestrator.errors import BadInput, Conflict, NotFound, RootBloodError
from orchestrator.names import could_be, parse_username
from orchestrator.platform import Platform
from orchestrator.policy import CPUS_MIN, MEMORY_MIN_BYTES, PIDS_MIN, Allowance, home_of
from orchestrator.workspaces import Actor

EVENTS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class UserRow:
    """An account with how many workspaces it has and how many of them run."""

    user: User
    workspaces: int
    running: int


def users(admin: User) -> list[UserRow]:
    """Return every account, oldest first."""
    access.require_admin(admin)
    running = func.sum(case((Workspace.state == State.RUNNING, 1), else_=0))
    query = (
        select(User, func.count(Workspace.id), running)
        .outerjoin(Workspace, Workspace.user_id == User.id)
        .group_by(User.id)
        .order_by(User.id)
    )
    return [UserRow(user, count, int(up or 0)) for user, count, up in db.session.execute(query)]


def _named(username: str) -> User:
    query = select(User).where(User.username == username).execution_options(populate_existing=True)
    user = db.session.scalar(query) if could_be(parse_username, username) else None
    if user is None:
        raise NotFound(f"There is no account '{username[:40]}'")
    return user


def _other(admin: User, username: str) -> User:
    access.require_admin(admin)
    user = _named(username)
    if user.id == admin.id:
        raise Conflict("You cannot do that to your own account", hint="Ask another administrator.")
    return user


def suspend(platform: Platform, admin: User, now: datetime, username: str, *, address: str) -> None:
    """Shut an account out at once: sign-ins and connections end, workspaces stop.

    Raises: EngineError, Busy, once all was tried, when a workspace could not be stopped.
    """
    user = _other(admin, username)
    with writing():
        user = db.session.merge(user)
        user.standing = Standing.SUSPENDED
        db.session.execute(delete(Login).where(Login.user_id == user.id))
        db.session.execute(delete(ActiveSession).where(ActiveSession.user_id == user.id))
        audit.record(now, admin.username, "account.suspended", username, address=address)
    platform.connections.hang_up_revoked()
    platform.feed.publish(user.id)
    actor = Actor(admin.username, address)
    failure: RootBloodError | None = None
    for workspace in workspaces.of_user(user):
        try:
            workspaces.stop(platform, workspace, actor, reason="The account was suspended")
        except NotFound:
            pass  # deleted meanwhile
        except RootBloodError as error:
            failure = error
    if failure is not None:
        raise failure


def resume(admin: User, now: datetime, username: str, *, address: str) -> None:
    """Let a suspended account in again."""
    user = _other(admin, username)
    with writing():
        db.session.merge(user).standing = Standing.ACTIVE
        audit.record(now, admin.username, "account.resumed", username, address=address)


def set_role(admin: User, now: datetime, username: str, role: Role, *, address: str) -> None:
    """Make an account an administrator, or an ordinary user again."""
    user = _other(admin, username)
    with writing():
        db.session.merge(user).role = role
        audit.record(now, admin.username, "account.role-set", username, address=address, role=role)


def set_allowance(
    admin: User, now: datetime, username: str, allowance: Allowance, *, address: str
) -> None:
    """Set what one account may use instead of the default; one's own too."""
    access.require_admin(admin)
    if (
        not 0 <= allowance.workspaces <= 1000
        or not CPUS_MIN <= allowance.cpus <= 1024
        or not MEMORY_MIN_BYTES <= allowance.memory_bytes <= 1 << 44
        or not PIDS_MIN <= allowance.pids <= 1 << 20
    ):
        raise BadInput(
            "Those limits cannot be used",
            hint=f"At least {CPUS_MIN} cpus, 64 MiB of memory and {PIDS_MIN} processes.",
        )
    with writing():
        user = _named(username)
        user.max_workspaces = allowance.workspaces
        user.max_cpus = allowance.cpus
        user.max_memory_bytes = allowance.memory_bytes
        user.max_pids = allowance.pids
        audit.record(now, admin.username, "account.allowance-set", username, address=address,
                     cpus=allowance.cpus, memory_bytes=allowance.memory_bytes)  # fmt: skip


def remove(platform: Platform, admin: User, now: datetime, username: str, *, address: str) -> None:
    """Delete a suspended account, its workspaces and what it published. The home stays.

    The audit log keeps the home's name, so that nothing is lost by a wrong click.
    Raises: Conflict unless it is suspended.
    """
    user = _other(admin, username)
    if user.standing is not Standing.SUSPENDED:
        raise Conflict("Only a suspended account can be deleted", hint="Suspend it first.")
    home = home_of(user)
    for workspace in workspaces.of_user(user):
        workspaces.remove(platform, workspace, Actor(admin.username, address))
    with writing():
        user = db.session.merge(user)
        db.session.execute(delete(Token).where(Token.user_id == user.id))
        db.session.delete(user)
        audit.record(now, admin.username, "account.deleted", username, address=address, home=home)
    repositories.remove_all(platform, username)


def events(admin: User, page: int) -> tuple[list[Event], int]:
    """Return a page of the audit log, newest first, and how many pages there are."""
    access.require_admin(admin)
    count = db.session.scalar(select(func.count(Event.id))) or 0
    pages = max(1, -(-count // EVENTS_A_PAGE))
    skipped = (min(max(page, 1), pages) - 1) * EVENTS_A_PAGE
    query = select(Event).order_by(Event.id.desc()).offset(skipped).limit(EVENTS_A_PAGE)
    return list(db.session.scalars(query)), pages
