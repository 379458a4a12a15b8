"""Invitations: links that let one person each sign up."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, select, update

from models import Invite, User, db, rows_changed, writing
from orchestrator import access, audit
from orchestrator.errors import BadInput, Forbidden
from orchestrator.passwords import fingerprint, new_secret

DAYS_MAX = 90


def create(admin: User, now: datetime, days: int) -> tuple[Invite, str]:
    """Create a single-use invitation and return it with its secret."""
    access.require_admin(admin)
    if not 1 <= days <= DAYS_MAX:
        raise BadInput(f"Choose 1 to {DAYS_MAX} days", field="days")
    secret = new_secret()
    invite = Invite(
        secret_hash=fingerprint(secret),
        created_by=admin.username,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    with writing():
        db.session.add(invite)
        audit.record(now, admin.username, "invite.created")
    return invite, secret


def find(now: datetime, secret: str) -> Invite | None:
    """Return the unused invitation of that secret, if it is valid."""
    return db.session.scalar(select(Invite).where(_valid(now, secret)))


def consume(now: datetime, secret: str, username: str) -> None:
    """Use an invitation up in the transaction under way. Raises: Forbidden."""
    if rows_changed(update(Invite).where(_valid(now, secret)).values(used_by=username)) != 1:
        raise Forbidden(
            "That invitation has been used or has expired",
            hint="Ask an administrator for a new link; each works once.",
        )


def _valid(now: datetime, secret: str) -> ColumnElement[bool]:
    return and_(
        Invite.secret_hash == fingerprint(secret),
        Invite.used_by.is_(None),
        Invite.expires_at > now,
    )


def listed() -> list[Invite]:
    """Return all invitations, newest first."""
    return list(db.session.scalars(select(Invite).order_by(Invite.id.desc())))


def withdraw(admin: User, invite_id: int) -> None:
    """Delete an invitation. Absent is success."""
    access.require_admin(admin)
    with writing():
        db.session.execute(delete(Invite).where(Invite.id == invite_id))
