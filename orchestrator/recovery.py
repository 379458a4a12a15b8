"""Recovery codes: what opens a home, and the account with it, when the password is lost.

A code works once; the account that used one gets the next. The operator can make one from the copy
in escrow (see orchestrator.escrow), beside which the person's own stays good.
"""

from datetime import datetime

from sqlalchemy import delete, select

from models import (
    ActiveSession,
    KeySlot,
    Login,
    Slot,
    Standing,
    User,
    db,
    end_reading,
    one_at_a_time,
    writing,
)
from orchestrator import accounts, audit, keys
from orchestrator.accounts import Entrant
from orchestrator.errors import BadInput, NotFound, WrongCredentials
from orchestrator.passwords import hash_password
from orchestrator.settings import Settings
from orchestrator.storage import keys as copies

OPERATOR = "operator"
_NOBODYS = copies.wrap_with_secret(copies.new_key(), copies.new_recovery_code(), "")
"""Tried where there is no copy, so that this takes as long."""


def new_code(settings: Settings, user: User, now: datetime, password: str, *, address: str) -> str:
    """Return a recovery code in place of any earlier one. Raises: BadInput (``password``)."""
    entrant = accounts.prove_again(settings, user, now, password, field="password")
    assert entrant.key is not None
    code = copies.new_recovery_code()
    copy = keys.recovery_copy(entrant.key, user.userhash, code)
    with writing():
        accounts.require_unchanged(user.id, entrant.proven)
        keys.put(user.id, Slot.RECOVERY, copy, now)
        audit.record(now, user.username, "account.recovery-code-made", address=address)
    return code


def recover(
    settings: Settings, now: datetime, username: str, code: str, password: str, *, address: str
) -> Entrant:
    """Set a new password by a recovery code, end every login, and return the next code.

    Unknown user, wrong code and suspended account answer alike. API tokens stay.
    Raises: BadInput (``new``), WrongCredentials.
    """
    accounts.check_new_password(password, username)
    user = accounts.find(username)
    found = _open(user, code)
    if user is None or found is None or user.standing is not Standing.ACTIVE:
        raise WrongCredentials(
            "Wrong username or recovery code",
            hint="Check both. A code works once; using it gives you the next one.",
        )
    slot_id, key = found
    fresh = copies.new_recovery_code()
    password_hash = hash_password(password)
    password_copy = keys.password_copy(key, user.userhash, password)
    recovery_copy = keys.recovery_copy(key, user.userhash, fresh)
    with writing():
        one_at_a_time(user.id)
        if db.session.get(KeySlot, slot_id, populate_existing=True) is None:
            raise WrongCredentials("That recovery code was used just now")
        user = db.session.merge(user)
        user.password_hash = password_hash
        keys.put(user.id, Slot.PASSWORD, password_copy, now)
        keys.put(user.id, Slot.RECOVERY, recovery_copy, now)
        db.session.execute(delete(Login).where(Login.user_id == user.id))
        db.session.execute(delete(ActiveSession).where(ActiveSession.user_id == user.id))
        audit.record(now, user.username, "account.recovered", address=address)
    keys.settle_escrow(settings, user, now, key)
    return Entrant(user, password_hash, key, fresh)


def _open(user: User | None, text: str) -> tuple[int, bytes] | None:
    """Return the slot that the code opens and the key in it."""
    query = select(KeySlot.id, KeySlot.wrapped)
    query = query.where(KeySlot.user_id == (user.id if user else 0), KeySlot.kind == Slot.RECOVERY)
    rows = [(id, wrapped) for id, wrapped in db.session.execute(query)] or [(0, _NOBODYS)]
    end_reading()
    code = copies.parse_recovery_code(text)
    if code is None:
        return None
    bound = keys.binding(user.userhash if user else "", Slot.RECOVERY)
    for slot_id, wrapped in rows:
        if (key := copies.open_with_secret(wrapped, code, bound)) is not None:
            return slot_id, key
    return None


def code_from_escrow(username: str, private: copies.OperatorPrivateKey, now: datetime) -> str:
    """Return one more recovery code for an account, made from the operator's copy.

    Raises: NotFound without an account or a copy; BadInput when the key does not open it.
    """
    user = accounts.find(username)
    if user is None:
        raise NotFound(f"There is no account '{username[:40]}'")
    query = select(KeySlot.wrapped).where(KeySlot.user_id == user.id, KeySlot.kind == Slot.ESCROW)
    copy = db.session.scalar(query)
    end_reading()
    if copy is None:
        raise NotFound(
            f"There is no copy of {user.username}'s key in escrow",
            hint="Copies are made at sign-up and at sign-ins with the password, while it is on.",
        )
    key = copies.open_as_operator(copy, private, keys.binding(user.userhash, Slot.ESCROW))
    if key is None:
        raise BadInput("That private key does not open the copy", hint="Was it made anew since?")
    code = copies.new_recovery_code()
    row = KeySlot(
        user_id=user.id,
        kind=Slot.RECOVERY,
        wrapped=keys.recovery_copy(key, user.userhash, code),
        created_at=now,
    )
    with writing():
        db.session.add(row)
        audit.record(now, OPERATOR, "account.escrow-opened", user.username)
    return code
