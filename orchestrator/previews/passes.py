"""Passes: what a browser shows to a preview at every request."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from models import Login, Pass, Standing, Ticket, User, db, end_reading, rows_changed, writing
from orchestrator.passwords import fingerprint, new_secret

PASS_SECONDS = 12 * 3600
PASSES_EACH = 8
"""Of one login to one preview: a tab and what is framed have passes of their own."""


def add(ticket: Ticket, workspace_id: int, port: int, now: datetime) -> str:
    """Make a pass of a ticket in the transaction under way; return its secret."""
    secret = new_secret()
    same = (
        Pass.login_id == ticket.login_id,
        Pass.workspace_id == workspace_id,
        Pass.port == port,
    )
    newest = select(Pass.id).where(*same).order_by(Pass.id.desc()).limit(PASSES_EACH - 1)
    kept = list(db.session.scalars(newest))
    db.session.execute(delete(Pass).where(*same, Pass.id.not_in(kept)))
    db.session.add(
        Pass(
            secret_hash=fingerprint(secret),
            user_id=ticket.user_id,
            login_id=ticket.login_id,
            workspace_id=workspace_id,
            port=port,
            panel=ticket.panel,
            created_at=now,
            expires_at=now + timedelta(seconds=PASS_SECONDS),
        )
    )
    return secret


def find(
    secrets: Sequence[str], workspace_id: int, port: int, now: datetime, lifetime: timedelta
) -> tuple[Pass, User] | None:
    """Return the newest of the passes that is good for the preview, with whose it is."""
    if not secrets:
        return None
    row = db.session.execute(
        select(Pass, User)
        .join(User, User.id == Pass.user_id)
        .join(Login, Login.id == Pass.login_id)
        .where(
            Pass.secret_hash.in_([fingerprint(secret) for secret in secrets]),
            Pass.workspace_id == workspace_id,
            Pass.port == port,
            Pass.expires_at > now,
            Login.last_seen_at > now - lifetime,
            User.standing == Standing.ACTIVE,
        )
        .order_by(Pass.id.desc())
        .limit(1)
    ).first()
    return (row.Pass, row.User) if row is not None else None


def delete_expired(now: datetime) -> None:
    """Delete those whose time is over; what they hold open goes with them."""
    over = Pass.expires_at <= now
    found = db.session.scalar(select(Pass.id).where(over).limit(1))
    end_reading()
    if found is not None:
        with writing():
            rows_changed(delete(Pass).where(over))
