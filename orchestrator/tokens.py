"""API tokens: what a script sends instead of a password."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from models import Slot, Standing, Token, User, db, rows_changed, writing
from orchestrator import accounts, audit, keys
from orchestrator.errors import BadInput, NotFound
from orchestrator.keys import Proof
from orchestrator.names import parse_title
from orchestrator.passwords import fingerprint, new_secret

PREFIX = "rb_"
"""It makes leaked tokens recognisable."""
TOKENS_MAX = 50
DAYS_MAX = 366


def create(
    user: User,
    now: datetime,
    name: str,
    days: int,
    *,
    address: str,
    key: bytes | None = None,
    proven: str | None = None,
) -> tuple[Token, str]:
    """Create an API token and return it with its secret, which is shown once.

    With the home's ``key`` it opens the home. Raises: BadInput; WrongCredentials when the password
    was changed since its hash was ``proven``.
    """
    title = parse_title(name, field="name")
    if not 1 <= days <= DAYS_MAX:
        raise BadInput(f"Choose 1 to {DAYS_MAX} days", field="days")
    secret, proven = PREFIX + new_secret(), proven or user.password_hash
    token = Token(
        user_id=user.id,
        name=title,
        prefix=secret[:9],
        secret_hash=fingerprint(secret),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    with writing():
        accounts.require_unchanged(user.id, proven)
        db.session.execute(delete(Token).where(Token.user_id == user.id, Token.expires_at < now))
        count = db.session.scalar(select(func.count(Token.id)).where(Token.user_id == user.id))
        if (count or 0) >= TOKENS_MAX:
            raise BadInput(f"You have {TOKENS_MAX} tokens", hint="Delete one you do not use.")
        db.session.add(token)
        db.session.flush()
        if key is not None:
            keys.add(user, Proof(Slot.TOKEN, token.id, secret), key, now)
        audit.record(now, user.username, "token.created", title, address=address)
    return token, secret


def find(secret: str, now: datetime) -> tuple[Token, User] | None:
    """Return the token of a Bearer secret with its user, while it is valid."""
    row = db.session.execute(
        select(Token, User)
        .join(User, User.id == Token.user_id)
        .where(Token.secret_hash == fingerprint(secret), Token.expires_at > now)
    ).first()
    if row is None or row.User.standing is not Standing.ACTIVE:
        return None
    return row.Token, row.User


def of_user(user: User) -> list[Token]:
    """Return the user's tokens, newest first."""
    return list(
        db.session.scalars(select(Token).where(Token.user_id == user.id).order_by(Token.id.desc()))
    )


def revoke(user: User, now: datetime, token_id: int, *, address: str) -> None:
    """Delete one of the user's tokens at once, with what it holds open. Raises: NotFound."""
    with writing():
        token = db.session.get(Token, token_id)
        if token is None or token.user_id != user.id:
            raise NotFound("You have no such token")
        db.session.delete(token)
        audit.record(now, user.username, "token.deleted", token.name, address=address)


def delete_expired(now: datetime) -> bool:
    """Delete the tokens that have expired; return whether there were any.

    What they hold open goes with them, and their copies of homes' keys: see :func:`keys.scrub`.
    """
    if db.session.scalar(select(Token.id).where(Token.expires_at < now).limit(1)) is None:
        return False
    with writing():
        return rows_changed(delete(Token).where(Token.expires_at < now)) > 0
