"""Sign up, sign in, sign out; passwords, API tokens, invitations."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import OperationalError

from models import (
    ActiveSession,
    Invite,
    Login,
    Role,
    Standing,
    Token,
    User,
    db,
    end_reading,
    one_at_a_time,
    rows_changed,
    writing,
)
from orchestrator import access, audit
from orchestrator.errors import AlreadyExists, BadInput, Forbidden, NotFound, WrongCredentials
from orchestrator.logs import log
from orchestrator.names import parse_password, parse_title, parse_username
from orchestrator.passwords import fingerprint, hash_password, new_secret, verify
from orchestrator.settings import Registration, Settings

LOG = log(__name__)
TOKEN_PREFIX = "rb_"  # noqa: S105  # it makes leaked tokens recognisable
TOKENS_MAX = 50
INVITE_DAYS_MAX = 90
TOKEN_DAYS_MAX = 366
_REGISTRATION_LOCK = 0x526F6F74


def anyone() -> bool:
    """Return whether the server has an account yet."""
    return db.session.scalar(select(User.id).limit(1)) is not None


def register(
    settings: Settings, now: datetime, username: str, password: str, *, invite: str, address: str
) -> User:
    """Create an account; the first one becomes the administrator.

    Raises: BadInput, AlreadyExists, Forbidden when registration does not allow it.
    """
    name = parse_username(username)
    _check_password(password, name)
    _check_registration(settings, now, invite)
    end_reading()
    password_hash = hash_password(password)
    with writing():
        _serialise_registration()
        first = not anyone()
        if db.session.scalar(select(User.id).where(User.username == name)):
            raise AlreadyExists(f"The username '{name}' is taken")
        if not first and settings.registration is not Registration.OPEN:
            _consume_invite(now, invite, name)
        user = User(
            username=name,
            password_hash=password_hash,
            userhash=secrets.token_hex(8),
            uid=-1 - secrets.randbelow(1 << 30),  # until the row has its number
            role=Role.ADMIN if first else Role.USER,
            created_at=now,
        )
        db.session.add(user)
        db.session.flush()
        user.uid = settings.uid_base + user.id
        audit.record(now, name, "account.registered", name, address=address)
    return user


def _check_password(password: str, username: str) -> None:
    if parse_password(password) == username:
        raise BadInput("The password must not be the username", field="password")


def _check_registration(settings: Settings, now: datetime, invite: str) -> None:
    """Refuse early, before a password is hashed for nothing."""
    if settings.registration is Registration.OPEN or not anyone():
        return
    if settings.registration is Registration.CLOSED:
        raise Forbidden(
            "Registration is closed on this server", hint="Ask an administrator for an account."
        )
    if find_invite(now, invite) is None:
        raise Forbidden(
            "You need an invitation to register here",
            hint="Ask an administrator for an invitation link; each works once.",
        )


def _serialise_registration() -> None:
    # On SQLite the write lock is already held: see models.writing().
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _REGISTRATION_LOCK})


def authenticate(username: str, password: str) -> User:
    """Return the account that the credentials belong to.

    Unknown user, wrong password and suspended account answer alike, after the same time.
    Raises: WrongCredentials.
    """
    name = username[:100].replace("\0", " ")  # which PostgreSQL would refuse to compare
    user = db.session.scalar(select(User).where(User.username == name))
    end_reading()
    fits = verify(user.password_hash if user else None, password[:1000])
    if user is None or not fits or user.standing is not Standing.ACTIVE:
        raise WrongCredentials
    return user


def sign_in(user: User, now: datetime, *, address: str, agent: str) -> tuple[Login, str]:
    """Open a login and return it with the secret for the cookie.

    ``user`` is as it was when the password was checked: where it has been changed since, which ends
    every login, this one comes too late. Raises: WrongCredentials.
    """
    secret, proven = new_secret(), user.password_hash
    login = Login(
        user_id=user.id,
        secret_hash=fingerprint(secret),
        address=address,
        agent="".join(c for c in agent if c.isprintable())[:200],
        created_at=now,
        last_seen_at=now,
    )
    with writing():
        one_at_a_time(user.id)
        if db.session.scalar(select(User.password_hash).where(User.id == user.id)) != proven:
            raise WrongCredentials
        db.session.add(login)
        db.session.flush()
        db.session.execute(update(User).where(User.id == user.id).values(last_seen_at=now))
        audit.record(now, user.username, "account.signed-in", address=address)
    return login, secret


def find_login(secret: str, now: datetime, lifetime: timedelta) -> tuple[Login, User] | None:
    """Return the login of a cookie's secret with its user, while it lives."""
    row = db.session.execute(
        select(Login, User)
        .join(User, User.id == Login.user_id)
        .where(Login.secret_hash == fingerprint(secret), Login.last_seen_at > now - lifetime)
    ).first()
    if row is None or row.User.standing is not Standing.ACTIVE:
        return None
    return row.Login, row.User


def sign_out(login_id: int) -> None:
    """End one login; its live connections go with it (see models.ActiveSession)."""
    with writing():
        db.session.execute(delete(Login).where(Login.id == login_id))


def end_logins(user: User, *, only: int | None = None, keep: int | None = None) -> None:
    """End the user's logins: one of them, all but one, or all."""
    chosen = delete(Login).where(Login.user_id == user.id)
    if only is not None:
        chosen = chosen.where(Login.id == only)
    if keep is not None:
        chosen = chosen.where(Login.id != keep)
    with writing():
        db.session.execute(chosen)


def change_password(
    user: User, now: datetime, current: str, new: str, *, address: str, agent: str
) -> tuple[Login, str]:
    """Set a new password, end every login, and return a fresh one for the caller.

    Raises: BadInput (field ``current`` or ``new``).
    """
    end_reading()
    if not verify(user.password_hash, current[:1000]):
        raise BadInput("That is not your present password", field="current")
    try:
        _check_password(new, user.username)
    except BadInput as error:
        raise BadInput(error.message, field="new", hint=error.hint) from None
    password_hash = hash_password(new)
    with writing():
        db.session.execute(
            update(User).where(User.id == user.id).values(password_hash=password_hash)
        )
        db.session.execute(delete(Login).where(Login.user_id == user.id))
        db.session.execute(delete(ActiveSession).where(ActiveSession.user_id == user.id))
        audit.record(now, user.username, "account.password-changed", address=address)
    return sign_in(user, now, address=address, agent=agent)


def create_token(
    user: User, now: datetime, name: str, days: int, *, address: str
) -> tuple[Token, str]:
    """Create an API token and return it with its secret, which is shown once."""
    title = parse_title(name, field="name")
    if not 1 <= days <= TOKEN_DAYS_MAX:
        raise BadInput(f"Choose 1 to {TOKEN_DAYS_MAX} days", field="days")
    secret = TOKEN_PREFIX + new_secret()
    token = Token(
        user_id=user.id,
        name=title,
        prefix=secret[:9],
        secret_hash=fingerprint(secret),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    with writing():
        one_at_a_time(user.id)
        db.session.execute(delete(Token).where(Token.user_id == user.id, Token.expires_at < now))
        count = db.session.scalar(select(func.count(Token.id)).where(Token.user_id == user.id))
        if (count or 0) >= TOKENS_MAX:
            raise BadInput(f"You have {TOKENS_MAX} tokens", hint="Delete one you do not use.")
        db.session.add(token)
        db.session.flush()
        audit.record(now, user.username, "token.created", title, address=address)
    return token, secret


def find_token(secret: str, now: datetime) -> tuple[Token, User] | None:
    """Return the token of a Bearer secret with its user, while it is valid."""
    row = db.session.execute(
        select(Token, User)
        .join(User, User.id == Token.user_id)
        .where(Token.secret_hash == fingerprint(secret), Token.expires_at > now)
    ).first()
    if row is None or row.User.standing is not Standing.ACTIVE:
        return None
    return row.Token, row.User


def tokens_of(user: User) -> list[Token]:
    """Return the user's tokens, newest first."""
    return list(
        db.session.scalars(select(Token).where(Token.user_id == user.id).order_by(Token.id.desc()))
    )


def logins_of(user: User) -> list[Login]:
    """Return where the user is signed in, most recently used first."""
    return list(
        db.session.scalars(
            select(Login).where(Login.user_id == user.id).order_by(Login.last_seen_at.desc())
        )
    )


def delete_token(user: User, now: datetime, token_id: int, *, address: str) -> None:
    """Revoke one of the user's tokens at once, with what it holds open. Raises: NotFound."""
    with writing():
        token = db.session.get(Token, token_id)
        if token is None or token.user_id != user.id:
            raise NotFound("You have no such token")
        db.session.delete(token)
        audit.record(now, user.username, "token.deleted", token.name, address=address)


def delete_expired_tokens(now: datetime) -> None:
    """Delete the tokens that have expired; what they hold open goes with them."""
    if db.session.scalar(select(Token.id).where(Token.expires_at < now).limit(1)) is not None:
        with writing():
            db.session.execute(delete(Token).where(Token.expires_at < now))


def touch(row: Login | Token, user: User, now: datetime) -> None:
    """Remember that a login or token was used; at most one write in five minutes.

    A database that cannot be written to, as on a full disk, shuts nobody out.
    """
    seen = row.last_seen_at if isinstance(row, Login) else row.last_used_at
    if seen is not None and now - seen < timedelta(minutes=5):
        return
    try:
        with writing():
            if isinstance(row, Login):
                db.session.execute(update(Login).where(Login.id == row.id).values(last_seen_at=now))
            else:
                db.session.execute(update(Token).where(Token.id == row.id).values(last_used_at=now))
            db.session.execute(update(User).where(User.id == user.id).values(last_seen_at=now))
    except OperationalError as error:
        LOG.warning("account.not-touched", why=str(error.orig))


def create_invite(admin: User, now: datetime, days: int) -> tuple[Invite, str]:
    """Create a single-use invitation and return it with its secret."""
    access.require_admin(admin)
    if not 1 <= days <= INVITE_DAYS_MAX:
        raise BadInput(f"Choose 1 to {INVITE_DAYS_MAX} days", field="days")
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


def find_invite(now: datetime, secret: str) -> Invite | None:
    """Return the unused invitation of that secret, if it is valid."""
    return db.session.scalar(
        select(Invite).where(
            Invite.secret_hash == fingerprint(secret),
            Invite.used_by.is_(None),
            Invite.expires_at > now,
        )
    )


def _consume_invite(now: datetime, secret: str, username: str) -> None:
    used = rows_changed(
        update(Invite)
        .where(
            Invite.secret_hash == fingerprint(secret),
            Invite.used_by.is_(None),
            Invite.expires_at > now,
        )
        .values(used_by=username)
    )
    if used != 1:
        raise Forbidden(
            "That invitation has been used or has expired",
            hint="Ask an administrator for a new link; each works once.",
        )


def invites() -> list[Invite]:
    """Return all invitations, newest first."""
    return list(db.session.scalars(select(Invite).order_by(Invite.id.desc())))


def delete_invite(admin: User, invite_id: int) -> None:
    """Withdraw an invitation. Absent is success."""
    access.require_admin(admin)
    with writing():
        db.session.execute(delete(Invite).where(Invite.id == invite_id))
