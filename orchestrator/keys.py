"""Who can open a home: the wrapped copies of its key, one a slot.

A home has one key for as long as its account lives. The password's slot is the origin: from it a
sign-in and a token get copies under their own secrets, of which the database has only a hash. So
what is in the database opens nothing, and a copy ends with the sign-in or the token.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, select, update

from models import (
    KeySlot,
    Login,
    Slot,
    Token,
    User,
    db,
    end_reading,
    one_at_a_time,
    utcnow,
    writing,
)
from orchestrator import escrow
from orchestrator.offload import offload
from orchestrator.passwords import hash_password, is_cheap, verify
from orchestrator.settings import Settings
from orchestrator.storage import keys

PASSWORD_READ = 1000
"""Of what is given as a password: nobody has a longer one, and hashing megabytes takes long."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a caller brought that opens a copy: a password, or the secret of a login or token."""

    kind: Slot
    row_id: int | None
    """The login's or token's."""
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A home's key with its first copies, to be added to the account's row."""

    key: bytes = field(repr=False)
    copies: tuple[tuple[Slot, bytes], ...] = field(repr=False)
    recovery_code: str = field(repr=False)
    """Empty when none was asked for."""


def binding(userhash: str, kind: Slot) -> str:
    """Return the text that a copy is bound to: it opens for no other account or kind."""
    return f"rootblood {kind} {userhash}"


def make_key(settings: Settings, userhash: str, password: str, *, recovery: bool = False) -> NewKey:
    """Make a key and its copies. Takes as long as hashing a password; needs no transaction."""
    key, code = keys.new_key(), keys.new_recovery_code() if recovery else ""
    copies = [(Slot.PASSWORD, password_copy(key, userhash, password))]
    if recovery:
        copies.append((Slot.RECOVERY, recovery_copy(key, userhash, code)))
    if (public := escrow.public_key(settings)) is not None:
        copies.append((Slot.ESCROW, _operator_copy(key, userhash, public)))
    return NewKey(key, tuple(copies), code)


def password_copy(key: bytes, userhash: str, password: str) -> bytes:
    """Return a copy under the password. Takes as long as hashing one."""
    bound = binding(userhash, Slot.PASSWORD)
    return offload(keys.wrap_with_password, key, password, bound)


def recovery_copy(key: bytes, userhash: str, code: str) -> bytes:
    """Return a copy under a recovery code, however that is written."""
    parsed = keys.parse_recovery_code(code)
    assert parsed is not None
    return keys.wrap_with_secret(key, parsed, binding(userhash, Slot.RECOVERY))


def _operator_copy(key: bytes, userhash: str, public: keys.OperatorKey) -> bytes:
    return keys.wrap_for_operator(key, public, binding(userhash, Slot.ESCROW))


def put(user_id: int, kind: Slot, copy: bytes, now: datetime) -> None:
    """Make ``copy`` the account's only one of its kind, in the transaction under way."""
    db.session.execute(delete(KeySlot).where(_is(user_id, kind)))
    db.session.add(KeySlot(user_id=user_id, kind=kind, wrapped=copy, created_at=now))


def add(user: User, proof: Proof, key: bytes, now: datetime) -> None:
    """Let a login or token open the home, in the transaction under way."""
    row = KeySlot(
        user_id=user.id,
        kind=proof.kind,
        login_id=proof.row_id if proof.kind is Slot.LOGIN else None,
        token_id=proof.row_id if proof.kind is Slot.TOKEN else None,
        wrapped=keys.wrap_with_secret(key, proof.secret, binding(user.userhash, proof.kind)),
        created_at=now,
    )
    db.session.execute(delete(KeySlot).where(_opened_by(user.id, proof)))
    db.session.add(row)


def key_of(user: User, proof: Proof | None) -> bytes | None:
    """Return the home's key where the proof opens a copy of it; reads only.

    A password takes as long as hashing one.
    """
    if proof is None:
        return None
    copy = _copy(_opened_by(user.id, proof))
    if copy is None:
        return None
    bound = binding(user.userhash, proof.kind)
    if proof.kind is Slot.PASSWORD:
        return offload(keys.open_with_password, copy, proof.secret[:PASSWORD_READ], bound)
    return keys.open_with_secret(copy, proof.secret, bound)


def keep(user: User, proof: Proof, key: bytes, now: datetime | None = None) -> None:
    """Let the caller's login or token open the home by itself from now on."""
    with writing():
        one_at_a_time(user.id)
        row = Login if proof.kind is Slot.LOGIN else Token
        if db.session.scalar(select(row.id).where(row.id == proof.row_id)) is not None:
            add(user, proof, key, now or utcnow())


def prove(user: User | None, password: str) -> tuple[bool, bytes | None]:
    """Return whether the password is the account's, with the home's key when it has one.

    One derivation does both: what opens the password's copy is the password. An unknown account
    takes just as long.
    """
    copy = _copy(_is(user.id, Slot.PASSWORD)) if user is not None else None
    if user is None or copy is None:
        return verify(user.password_hash if user else None, password[:PASSWORD_READ]), None
    bound = binding(user.userhash, Slot.PASSWORD)
    key = offload(keys.open_with_password, copy, password[:PASSWORD_READ], bound)
    return key is not None, key


def ensure_key(
    settings: Settings, user: User, proven: str, now: datetime, password: str
) -> bytes | None:
    """Give an account from before homes had keys its only one, and return it.

    None when the password was changed since its hash was ``proven``, or the account removed.
    """
    made = make_key(settings, user.userhash, password)
    with writing():
        one_at_a_time(user.id)
        if _hash_of(user.id) != proven:
            return None
        if not has_slot(user, Slot.PASSWORD):
            for kind, copy in made.copies:
                put(user.id, kind, copy, now)
            return made.key
    return key_of(user, Proof(Slot.PASSWORD, None, password))  # another sign-in was faster


def settle_cost(user: User, proven: str, now: datetime, key: bytes, password: str) -> str | None:
    """See to it that trying passwords costs as much as it does today; return the hash in force.

    None when that is not of this password any more.
    """
    copy = _copy(_is(user.id, Slot.PASSWORD))
    if is_cheap(proven) or (copy is not None and keys.is_cheap(copy)):
        dearer, dearer_hash = password_copy(key, user.userhash, password), hash_password(password)
        with writing():
            one_at_a_time(user.id)
            if _hash_of(user.id) == proven:
                put(user.id, Slot.PASSWORD, dearer, now)
                renewed = update(User).where(User.id == user.id)
                db.session.execute(renewed.values(password_hash=dearer_hash))
                return dearer_hash
    in_force = _hash_of(user.id)
    end_reading()
    if in_force == proven or (in_force is not None and prove(user, password)[0]):
        return in_force  # another sign-in was faster
    return None


def _hash_of(user_id: int) -> str | None:
    return db.session.scalar(select(User.password_hash).where(User.id == user_id))


def settle_escrow(settings: Settings, user: User, now: datetime, key: bytes) -> None:
    """Give the operator a copy where the settings say so, and take it away where they do not."""
    public = escrow.public_key(settings)
    copy = _copy(_is(user.id, Slot.ESCROW))
    if public is None and (copy is None or settings.escrow):  # the latter: see escrow.public_key
        return
    if public is not None and copy is not None and keys.is_for_operator(copy, public):
        return
    with writing():
        one_at_a_time(user.id)
        if public is None:
            db.session.execute(delete(KeySlot).where(_is(user.id, Slot.ESCROW)))
        else:
            put(user.id, Slot.ESCROW, _operator_copy(key, user.userhash, public), now)


def has_slot(user: User, kind: Slot) -> bool:
    """Return whether there is a copy of that kind."""
    return db.session.scalar(select(KeySlot.id).where(_is(user.id, kind)).limit(1)) is not None


def opens(login_id: int | None, token_id: int | None) -> bool:
    """Return whether that login or token has a copy."""
    own = KeySlot.login_id == login_id if login_id else KeySlot.token_id == token_id
    return db.session.scalar(select(KeySlot.id).where(own).limit(1)) is not None


def destroy(user_id: int) -> None:
    """Delete every copy, in the transaction under way: nobody can open the home any more.

    Afterwards call :func:`scrub`.
    """
    db.session.execute(delete(KeySlot).where(KeySlot.user_id == user_id))


def scrub() -> bool:
    """Overwrite what was deleted in the database's log too; return whether that could be done now.

    SQLite overwrites it in the file itself (``secure_delete``), but its write-ahead log keeps the
    old pages until it is emptied, which waits for readers. PostgreSQL has VACUUM for it.
    """
    if db.session.get_bind().dialect.name != "sqlite":
        return True
    end_reading()
    with db.engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA busy_timeout=0")  # or the whole server would wait with it
        try:
            busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            cursor.execute("PRAGMA busy_timeout=10000")
            cursor.close()
    return not busy


def _is(user_id: int, kind: Slot) -> ColumnElement[bool]:
    return and_(KeySlot.user_id == user_id, KeySlot.kind == kind)


def _copy(where: ColumnElement[bool]) -> bytes | None:
    """Return the copy that fits, and end the reading."""
    copy = db.session.scalar(select(KeySlot.wrapped).where(where).limit(1))
    end_reading()
    return copy


def _opened_by(user_id: int, proof: Proof) -> ColumnElement[bool]:
    found = _is(user_id, proof.kind)
    if proof.kind is Slot.LOGIN:
        return and_(found, KeySlot.login_id == proof.row_id)
    if proof.kind is Slot.TOKEN:
        return and_(found, KeySlot.token_id == proof.row_id)
    return found
