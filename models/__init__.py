"""Rows and their invariants. Nothing here knows the orchestrator, the web or the engine."""

from models.accounts import Invite, Login, Role, Standing, Token, User, one_at_a_time
from models.database import (
    UtcDateTime,
    configure_sqlite,
    db,
    end_reading,
    rows_changed,
    utcnow,
    writing,
)
from models.homes import Home, KeySlot, Reason, Remains, Run, Slot, Snapshot
from models.records import ActiveSession, Event, Kind
from models.workspaces import TRANSITIONS, State, Template, Workspace

__all__ = [
    "TRANSITIONS",
    "ActiveSession",
    "Event",
    "Home",
    "Invite",
    "KeySlot",
    "Kind",
    "Login",
    "Reason",
    "Remains",
    "Role",
    "Run",
    "Slot",
    "Snapshot",
    "Standing",
    "State",
    "Template",
    "Token",
    "User",
    "UtcDateTime",
    "Workspace",
    "configure_sqlite",
    "db",
    "end_reading",
    "one_at_a_time",
    "rows_changed",
    "utcnow",
    "writing",
]
