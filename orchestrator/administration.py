"""What administrators do with other people's accounts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import case, delete, func, select

from models import (
    ActiveSession,
    Event,
    Home,
    Login,
    Role,
    Standing,
    State,
    User,
    Workspace,
    db,
    end_reading,
    writing,
)
from orchestrator import access, audit, deletion, homes, workspaces
from orchestrator.errors import BadInput, Conflict, NotFound, RootBloodError
from orchestrator.logs import log
from orchestrator.names import could_be, parse_username
from orchestrator.platform import Platform
from orchestrator.policy import (
    CPUS_MIN,
    DISK_MIN_BYTES,
    MEMORY_MIN_BYTES,
    PIDS_MIN,
    Allowance,
    allowance_of,
)
from orchestrator.workspaces import Actor

LOG = log(__name__)
EVENTS_A_PAGE = 50
HOURS_MAX = 24 * 7 * 1000


@dataclass(frozen=True, slots=True)
class UserRow:
    """An account, how many workspaces it has and how many of them run, and its home as measured."""

    user: User
    workspaces: int
    running: int
    home: Home | None


def users(admin: User) -> list[UserRow]:
    """Return every account, oldest first."""
    access.require_admin(admin)
    return _rows()


def user(admin: User, username: str) -> UserRow:
    """Return one account. Raises: NotFound."""
    access.require_admin(admin)
    return _rows(_named(username).id)[0]


def _rows(user_id: int | None = None) -> list[UserRow]:
    running = func.sum(case((Workspace.state == State.RUNNING, 1), else_=0))
    query = (
        select(User, func.count(Workspace.id), running)
        .outerjoin(Workspace, Workspace.user_id == User.id)
        .group_by(User.id)
        .order_by(User.id)
        .execution_options(populate_existing=True)
    )
    if user_id is not None:
        query = query.where(User.id == user_id)
    measured = {home.user_id: home for home in db.session.scalars(select(Home))}
    return [
        UserRow(user, count, int(up or 0), measured.get(user.id))
        for user, count, up in db.session.execute(query)
    ]


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
    """Let a suspended account in again. Raises: Conflict while it is being deleted."""
    user = _other(admin, username)
    with writing():
        if deletion.doomed(user):
            raise Conflict("This account is being deleted", hint="Its keys are gone already.")
        db.session.merge(user).standing = Standing.ACTIVE
        audit.record(now, admin.username, "account.resumed", username, address=address)


def set_role(admin: User, now: datetime, username: str, role: Role, *, address: str) -> None:
    """Make an account an administrator, or an ordinary user again."""
    user = _other(admin, username)
    with writing():
        db.session.merge(user).role = role
        audit.record(now, admin.username, "account.role-set", username, address=address, role=role)


def set_allowance(
    platform: Platform,
    admin: User,
    now: datetime,
    username: str,
    change: Mapping[str, float | None],
    *,
    address: str,
) -> None:
    """Set what one account may use instead of the default; one's own too.

    ``change`` names fields of Allowance; None makes one the default again. An open home grows at
    once. Raises: BadInput, NotFound.
    """
    access.require_admin(admin)
    user = _named(username)
    given = {field: value for field, value in change.items() if value is not None}
    if not change:
        return
    _check_allowance(replace(allowance_of(platform.settings, user), **given))  # type: ignore[arg-type]
    with writing():
        user = db.session.merge(user)
        for field, value in change.items():
            setattr(user, f"max_{field}", value)
        audit.record(now, admin.username, "account.allowance-set", username, address=address,
                     **asdict(allowance_of(platform.settings, user)))  # fmt: skip
    try:
        homes.fit(platform, user)
    except RootBloodError as error:  # it is fitted when it is opened next
        LOG.warning("home.not-fitted", user=username, why=error.message)
    platform.feed.publish(user.id)


def _check_allowance(allowance: Allowance) -> None:
    if (
        not 0 <= allowance.workspaces <= 1000
        or not CPUS_MIN <= allowance.cpus <= 1024
        or not MEMORY_MIN_BYTES <= allowance.memory_bytes <= 1 << 44
        or not PIDS_MIN <= allowance.pids <= 1 << 20
        or not DISK_MIN_BYTES <= allowance.disk_bytes <= 1 << 50
        or not 0 <= allowance.hours <= HOURS_MAX
    ):
        raise BadInput(
            "Those limits cannot be used",
            hint=f"At least {CPUS_MIN} cpus, 64 MiB of memory, {PIDS_MIN} processes and 64 MiB of "
            "disk; 0 hours is without a limit.",
        )


def remove(platform: Platform, admin: User, now: datetime, username: str, *, address: str) -> None:
    """Delete a suspended account as its owner could: see deletion.delete_account.

    Raises: Conflict unless it is suspended.
    """
    user = _other(admin, username)
    if user.standing is not Standing.SUSPENDED:
        raise Conflict("Only a suspended account can be deleted", hint="Suspend it first.")
    end_reading()
    deletion.delete_account(platform, user, now, Actor(admin.username, address))


def events(admin: User, page: int) -> tuple[list[Event], int]:
    """Return a page of the audit log, newest first, and how many pages there are."""
    access.require_admin(admin)
    count = db.session.scalar(select(func.count(Event.id))) or 0
    pages = max(1, -(-count // EVENTS_A_PAGE))
    skipped = (min(max(page, 1), pages) - 1) * EVENTS_A_PAGE
    query = select(Event).order_by(Event.id.desc()).offset(skipped).limit(EVENTS_A_PAGE)
    return list(db.session.scalars(query)), pages
