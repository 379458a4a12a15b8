"""Delete accounts: the keys at once, what ran right after, the files when the grace period ends.

One transaction makes it so: nobody can sign in any more, no copy of the home's key is left, and
``Remains`` says until when the files stay. What is left to do after it has nothing to decide, so
whoever comes by finishes it: the request, or after a crash the collector.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import delete, func, literal, select
from sqlalchemy.orm.exc import ObjectDeletedError

from models import (
    ActiveSession,
    Home,
    Login,
    Remains,
    Role,
    Standing,
    Token,
    User,
    db,
    end_reading,
    one_at_a_time,
    writing,
)
from orchestrator import audit, homes, keys, workspaces
from orchestrator.commons import repositories
from orchestrator.errors import BadInput, Conflict, NotFound, RootBloodError
from orchestrator.logs import log
from orchestrator.platform import Platform
from orchestrator.policy import HOME_PREFIX, home_of
from orchestrator.workspaces import Actor

LOG = log(__name__)
NO_PASSWORD = "!"  # noqa: S105  # what no password hashes to


def delete_own(
    platform: Platform, user: User, now: datetime, password: str, *, address: str
) -> None:
    """Delete the caller's own account. Raises: BadInput (field ``password``), Conflict."""
    end_reading()
    fits, _ = keys.prove(user, password)
    end_reading()
    if not fits:
        raise BadInput("That is not your password", field="password")
    delete_account(platform, user, now, Actor(user.username, address))


def delete_account(platform: Platform, user: User, now: datetime, actor: Actor) -> None:
    """Delete an account, its workspaces and every copy of its home's key.

    Its files stay, unreadable where homes are encrypted, for the grace period. What the engine
    refuses for the moment is left to the collector. Raises: Conflict for the last administrator.
    """
    home, user_id = home_of(user), user.id
    with writing():
        _require_another_administrator(user_id)
        one_at_a_time(user_id)
        found = db.session.get(User, user_id, populate_existing=True)
        if found is None:
            return  # another request was faster
        user = found
        user.standing = Standing.SUSPENDED
        user.password_hash = NO_PASSWORD  # a sign-in that has checked it already comes too late
        keys.destroy(user.id)
        for kind in (Login, Token, ActiveSession):
            db.session.execute(delete(kind).where(kind.user_id == user.id))
        if db.session.scalar(select(Remains.id).where(Remains.home == home)) is None:
            grace = timedelta(seconds=platform.settings.account_grace_seconds)
            kept = db.session.get(Home, user.id)
            db.session.add(
                Remains(
                    home=home,
                    username=user.username,
                    storage=kept.storage if kept is not None else None,
                    place=kept.place if kept is not None else None,
                    delete_after=now + grace,
                )
            )
            audit.record(now, actor.name, "account.deleted", user.username,
                         address=actor.address, home=home)  # fmt: skip
    platform.unscrubbed.set()
    _scrub(platform)
    platform.keyring.drop(home)
    platform.connections.hang_up_revoked()
    platform.feed.publish(user.id)
    _finish(platform, user, actor)


def _require_another_administrator(user_id: int) -> None:
    """Hold what is asked until the transaction ends, so that the last two do not leave at once."""
    admins = select(User.id).where(User.role == Role.ADMIN, User.standing == Standing.ACTIVE)
    found = set(db.session.scalars(admins.order_by(User.id).with_for_update()))
    people = db.session.scalar(select(func.count(User.id))) or 0
    if found == {user_id} and people > 1:
        raise Conflict(
            "You are the only administrator, and others have accounts here",
            hint="Make somebody else an administrator first.",
        )


def doomed(user: User) -> bool:
    """Return whether the account is being deleted: its keys are gone, it cannot come back."""
    return db.session.scalar(select(Remains.id).where(Remains.home == home_of(user))) is not None


def finish_all(platform: Platform) -> None:
    """Finish what a crash or the engine cut short: the collector's part."""
    home = literal(HOME_PREFIX) + User.userhash
    left = db.session.scalars(select(User).join(Remains, Remains.home == home)).all()
    end_reading()
    for user in left:
        _finish(platform, user, Actor("collector"))
    if left or platform.unscrubbed.is_set():
        _scrub(platform)


def _scrub(platform: Platform) -> None:
    if keys.scrub():
        platform.unscrubbed.clear()


def _finish(platform: Platform, user: User, actor: Actor) -> None:
    try:
        for workspace in workspaces.of_user(user):
            with suppress(NotFound):  # somebody else finishes, too
                workspaces.remove(platform, workspace, actor)
        end_reading()
        homes.lock(platform, user, force=True)
    except RootBloodError as error:
        LOG.warning("account.not-deleted-yet", user=user.username, why=error.message)
        return
    except ObjectDeletedError:
        return  # somebody else has finished
    repositories.remove_all(platform, user)
    with writing():
        db.session.execute(delete(User).where(User.id == user.id))
    LOG.info("account.removed", user=user.username)
