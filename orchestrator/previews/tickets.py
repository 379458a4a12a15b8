"""Tickets: how a browser that is signed in to the panel gets its pass to a preview's origin.

The browser holds a nonce of the preview's origin and brings its hash, the *state*, to the panel.
The ticket that it takes back fits that preview and that nonce alone: one that is seen on the way is
of no use to another browser, and nobody can be let in as somebody else by a link.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.exc import IntegrityError

from models import Ticket, User, db, rows_changed, writing
from orchestrator.passwords import fingerprint, new_secret
from orchestrator.previews import Label, passes, shares

TICKET_SECONDS = 30
TICKETS_MAX = 50
"""Of one person at a time; beyond it the oldest are void."""


def state_of(nonce: str) -> str:
    """Return what the panel gets to know of a browser's nonce."""
    return hashlib.sha256(f"preview:{nonce}".encode()).hexdigest()


def issue(user: User, login_id: int, label: Label, state: str, panel: str, now: datetime) -> str:
    """Return the secret of a ticket for who may open the preview. Raises: NotFound."""
    shares.require(label, user, now)
    secret = new_secret()
    ticket = Ticket(
        secret_hash=fingerprint(secret),
        user_id=user.id,
        login_id=login_id,
        label=str(label),
        state=state,
        panel=panel,
        expires_at=now + timedelta(seconds=TICKET_SECONDS),
    )
    with writing():
        newest = select(Ticket.id).where(Ticket.user_id == user.id).order_by(Ticket.id.desc())
        kept = list(db.session.scalars(newest.limit(TICKETS_MAX - 1)))
        surplus = (Ticket.user_id == user.id) & Ticket.id.not_in(kept)
        db.session.execute(delete(Ticket).where(or_(Ticket.expires_at <= now, surplus)))
        db.session.add(ticket)
    return secret


def redeem(secret: str, label: Label, states: Sequence[str], now: datetime) -> str | None:
    """Take a ticket and return the secret of a pass, None where it does not fit.

    Whoever shows a ticket has used it up, also at the wrong preview. Of two who show it at once,
    on whatever servers, one gets in.
    """
    try:
        with writing():
            ticket = db.session.scalar(
                select(Ticket).where(Ticket.secret_hash == fingerprint(secret))
            )
            if ticket is None or not rows_changed(delete(Ticket).where(Ticket.id == ticket.id)):
                return None
            if ticket.expires_at <= now or ticket.label != str(label) or ticket.state not in states:
                return None
            user = db.session.get(User, ticket.user_id, populate_existing=True)
            preview = shares.find(label, now)
            if preview is None or not preview.is_for(user):
                return None
            return passes.add(ticket, preview.workspace.id, label.port, now)
    except IntegrityError:
        return None  # the login or the workspace has just ended
