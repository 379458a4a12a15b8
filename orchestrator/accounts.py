"""Sign up, sign in, sign out, and the password."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import OperationalError

from models import (
    ActiveSession,
    Login,
    Role,
    Slot,
    Standing,
    Token,
    User,
    db,
    end_reading,
    one_at_a_time,
    rows_changed,
    writing,
)
from orchestrator import audit, invitations, keys
from orchestrator.errors import AlreadyExists, BadInput, Forbidden, WrongCredentials
from orchestrator.keys import Proof
from orchestrator.logs import log
from orchestrator.names import parse_password, parse_username
from orchestrator.passwords import fingerprint, hash_password, new_secret
from orchestrator.settings import Registration, Settings

LOG = log(__name__)
_REGISTRATION_LOCK = 0x526F6F74


def anyone() -> bool:
    """Return whether the server has an account yet."""
    return db.session.scalar(select(User.id).limit(1)) is not None


@dataclass(frozen=True, slots=True)
class Entrant:
    """A person whose password was just given, with what it opened."""

    user: User
    proven: str = field(repr=False)
    """The password's hash when it was checked: another one by now has ended all that it allowed."""
    key: bytes | None = field(default=None, repr=False)
    """The home's."""
    recovery_code: str = field(default="", repr=False)
    """To be shown once, where one was made."""


def register(
    settings: Settings,
    now: datetime,
    username: str,
    password: str,
    *,
    invite: str,
    address: str,
    recovery: bool = False,
) -> Entrant:
    """Create an account and its home's key; the first account becomes the administrator.

    With ``recovery`` a code is made that replaces a lost password.
    Raises: BadInput, AlreadyExists, Forbidden when registration does not allow it.
    """
    name = parse_username(username)
    check_new_password(password, name, field="password")
    _check_registration(settings, now, invite)
    end_reading()
    password_hash = hash_password(password)
    userhash = secrets.token_hex(8)
    made = keys.make_key(settings, userhash, password, recovery=recovery)
    with writing():
        _serialise_registration()
        first = not anyone()
        if db.session.scalar(select(User.id).where(User.username == name)):
            raise AlreadyExists(f"The username '{name}' is taken")
        if not first and settings.registration is not Registration.OPEN:
            invitations.consume(now, invite, name)
        user = User(
            username=name,
            password_hash=password_hash,
            userhash=userhash,
            uid=-1 - secrets.randbelow(1 << 30),  # until the row has its number
            role=Role.ADMIN if first else Role.USER,
            created_at=now,
        )
        db.session.add(user)
        db.session.flush()
        user.uid = settings.uid_base + user.id
        for kind, copy in made.copies:
            keys.put(user.id, kind, copy, now)
        audit.record(now, name, "account.registered", name, address=address)
    return Entrant(user, password_hash, made.key, made.recovery_code)


def check_new_password(password: str, username: str, *, field: str = "new") -> None:
    """Refuse a password that nobody should have. Raises: BadInput (``field``)."""
    try:
        if parse_password(password) == username:
            raise BadInput("The password must not be the username")
    except BadInput as error:
        raise BadInput(error.message, field=field, hint=error.hint) from None


def _check_registration(settings: Settings, now: datetime, invite: str) -> None:
    """Refuse early, before a password is hashed for nothing."""
    if settings.registration is Registration.OPEN or not anyone():
        return
    if settings.registration is Registration.CLOSED:
        raise Forbidden(
            "Registration is closed on this server", hint="Ask an administrator for an account."
        )
    if invitations.find(now, invite) is None:
        raise Forbidden(
            "You need an invitation to register here",
            hint="Ask an administrator for an invitation link; each works once.",
        )


def _serialise_registration() -> None:
    # On SQLite the write lock is already held: see models.writing().
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _REGISTRATION_LOCK})


def find(username: str) -> User | None:
    """Return the account of that name, which may be any text."""
    name = username[:100].replace("\0", " ")  # which PostgreSQL would refuse to compare
    user = db.session.scalar(select(User).where(User.username == name))
    end_reading()
    return user


def authenticate(settings: Settings, now: datetime, username: str, password: str) -> Entrant:
    """Return the account that the credentials belong to, with its home's key.

    Unknown user, wrong password and suspended account answer alike, after the same time. The copies
    of the key are brought to what the settings ask for. Raises: WrongCredentials.
    """
    user = find(username)
    proven = user.password_hash if user is not None else ""
    fits, key = keys.prove(user, password)
    if user is None or not fits or user.standing is not Standing.ACTIVE:
        raise WrongCredentials
    return _settled(settings, now, Entrant(user, proven, key), password)


def prove_again(
    settings: Settings, user: User, now: datetime, password: str, *, field: str
) -> Entrant:
    """Return what a password opens that is given once more. Raises: BadInput (``field``)."""
    proven = user.password_hash
    fits, key = keys.prove(user, password)
    if not fits:
        raise BadInput("That is not your present password", field=field)
    return _settled(settings, now, Entrant(user, proven, key), password)


def _settled(settings: Settings, now: datetime, entrant: Entrant, password: str) -> Entrant:
    """See to it that the home has a key, the operator a copy where there is escrow.

    What is made of the password is as hard to try as the settings of today ask for.
    """
    user, key = entrant.user, entrant.key
    if key is None:
        key = keys.ensure_key(settings, user, entrant.proven, now, password)
    if key is None:
        raise WrongCredentials  # by now
    proven = keys.settle_cost(user, entrant.proven, now, key, password)
    if proven is None:
        raise WrongCredentials  # by now
    keys.settle_escrow(settings, user, now, key)
    return replace(entrant, key=key, proven=proven)


def require_unchanged(user_id: int, proven: str) -> None:
    """Refuse, in the transaction under way, who proved to be the user by an earlier password.

    Until the transaction ends nobody changes it. Raises: WrongCredentials.
    """
    one_at_a_time(user_id)
    if db.session.scalar(select(User.password_hash).where(User.id == user_id)) != proven:
        raise WrongCredentials


def sign_in(
    user: User,
    now: datetime,
    *,
    address: str,
    agent: str,
    key: bytes | None = None,
    proven: str | None = None,
) -> tuple[Login, str]:
    """Open a login and return it with the secret for the cookie.

    With the home's ``key`` the login opens the home. ``proven`` is the password's hash when that
    was checked: where it was changed since, which ends every login, this one comes too late.
    Raises: WrongCredentials.
    """
    secret, proven = new_secret(), proven or user.password_hash
    login = Login(
        user_id=user.id,
        secret_hash=fingerprint(secret),
        address=address,
        agent="".join(c for c in agent if c.isprintable())[:200],
        created_at=now,
        last_seen_at=now,
    )
    with writing():
        require_unchanged(user.id, proven)
        db.session.add(login)
        db.session.flush()
        if key is not None:
            keys.add(user, Proof(Slot.LOGIN, login.id, secret), key, now)
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


def delete_expired_logins(now: datetime, lifetime: timedelta) -> bool:
    """Delete the logins that nobody used for so long; return whether there were any.

    What they hold open goes with them, and their copies of homes' keys: see :func:`keys.scrub`.
    """
    expired = Login.last_seen_at <= now - lifetime
    if db.session.scalar(select(Login.id).where(expired).limit(1)) is None:
        return False
    with writing():
        return rows_changed(delete(Login).where(expired)) > 0


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
    settings: Settings,
    user: User,
    now: datetime,
    current: str,
    new: str,
    *,
    address: str,
    agent: str,
) -> tuple[Login, str]:
    """Set a new password, end every login, and return a fresh one for the caller.

    The home's key stays, so nothing is encrypted anew, and tokens go on opening the home.
    Raises: BadInput (field ``current`` or ``new``), WrongCredentials when it was just changed.
    """
    end_reading()
    entrant = prove_again(settings, user, now, current, field="current")
    assert entrant.key is not None
    check_new_password(new, user.username)
    password_hash = hash_password(new)
    copy = keys.password_copy(entrant.key, user.userhash, new)
    with writing():
        require_unchanged(user.id, entrant.proven)
        db.session.execute(
            update(User).where(User.id == user.id).values(password_hash=password_hash)
        )
        keys.put(user.id, Slot.PASSWORD, copy, now)
        db.session.execute(delete(Login).where(Login.user_id == user.id))
        db.session.execute(delete(ActiveSession).where(ActiveSession.user_id == user.id))
        audit.record(now, user.username, "account.password-changed", address=address)
    return sign_in(user, now, address=address, agent=agent, key=entrant.key, proven=password_hash)


def logins_of(user: User) -> list[Login]:
    """Return where the user is signed in, most recently used first."""
    return list(
        db.session.scalars(
            select(Login).where(Login.user_id == user.id).order_by(Login.last_seen_at.desc())
        )
    )


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
