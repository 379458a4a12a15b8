"""Accounts as they come out of a password, and what they go on with."""

from models import Slot, utcnow
from orchestrator import accounts, tokens
from orchestrator.accounts import Entrant
from orchestrator.keys import Proof
from orchestrator.settings import Settings
from tests.app_fixtures import PASSWORD


def entered(settings: Settings, name: str, **given: object) -> Entrant:
    """Register an account."""
    values = {"invite": "", "address": ""} | given
    return accounts.register(settings, utcnow(), name, PASSWORD, **values)


def signed_in(entrant: Entrant) -> Proof:
    row, secret = accounts.sign_in(
        entrant.user, utcnow(), address="", agent="", key=entrant.key, proven=entrant.proven
    )
    return Proof(Slot.LOGIN, row.id, secret)


def with_token(entrant: Entrant) -> Proof:
    row, secret = tokens.create(
        entrant.user, utcnow(), "ci", 1, address="", key=entrant.key, proven=entrant.proven
    )
    return Proof(Slot.TOKEN, row.id, secret)
