"""The ports of a workspace: what listens, whom it is shared with, and who looks."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from models import ActiveSession, Audience, Kind, State, User, Workspace, db, end_reading
from orchestrator.engines import Listener
from orchestrator.errors import EngineError
from orchestrator.platform import Platform
from orchestrator.previews import Label, is_previewable, shares

GUESTS_MOST = 500
"""Of one workspace: as many are told of."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who looks at a preview; a stranger has no name."""

    username: str | None
    address: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Port:
    """A port that listens, or is shared."""

    label: Label
    listener: Listener | None
    audience: Audience = Audience.PRIVATE
    expires_at: datetime | None = None
    guests: tuple[Guest, ...] = ()


@dataclass(frozen=True, slots=True)
class Company:
    """What the database knows of a workspace's ports."""

    shared: dict[int, tuple[Audience, datetime | None]]
    guests: dict[int, tuple[Guest, ...]]


def listeners(platform: Platform, workspace: Workspace) -> list[Listener]:
    """Return what listens; nothing where the engine cannot tell for the moment."""
    if workspace.state is not State.RUNNING:
        return []
    try:
        found = platform.engine.listeners(workspace.container)
    except EngineError:
        return []
    return [one for one in found if is_previewable(one.port)]


def company(workspace: Workspace, now: datetime) -> Company:
    """Return whom the ports are shared with, and who looks at them."""
    rows = db.session.execute(
        select(ActiveSession, User.username)
        .outerjoin(User, User.id == ActiveSession.user_id)
        .where(ActiveSession.workspace_id == workspace.id, ActiveSession.kind == Kind.PREVIEW)
        .order_by(ActiveSession.opened_at)
        .limit(GUESTS_MOST)
    ).all()
    guests: defaultdict[int, dict[str, Guest]] = defaultdict(dict)
    for row, username in rows:
        # One with two browsers, or met by two servers, is one.
        who = Guest(username, "" if username else row.address, row.opened_at)
        guests[row.port or 0].setdefault(username or f" {row.address}", who)
    shared = {row.port: (row.audience, row.expires_at) for row in shares.of([workspace.id], now)}
    end_reading()
    return Company(shared, {port: tuple(people.values()) for port, people in guests.items()})


def joined(workspace: Workspace, heard: Sequence[Listener], known: Company) -> list[Port]:
    """Return every port that listens or is shared, in order."""
    by_port = {one.port: one for one in heard}
    username = workspace.user.username
    return [
        Port(
            Label(port, workspace.name, username),
            by_port.get(port),
            *known.shared.get(port, (Audience.PRIVATE, None)),
            guests=known.guests.get(port, ()),
        )
        for port in sorted(by_port.keys() | known.shared.keys())
    ]


def listed(platform: Platform, workspace: Workspace, now: datetime) -> list[Port]:
    """Return the workspace's ports as they are at this moment."""
    known = company(workspace, now)
    return joined(workspace, listeners(platform, workspace), known)


def one(platform: Platform, workspace: Workspace, port: int, now: datetime) -> Port:
    """Return one port, whether it listens and is shared or not."""
    found = {row.label.port: row for row in listed(platform, workspace, now)}
    return found.get(port) or Port(Label(port, workspace.name, workspace.user.username), None)
