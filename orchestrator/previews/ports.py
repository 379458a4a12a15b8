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
    known: bool = True
    """Whether ``listener`` is what was found, and not what could not be looked for."""

    @property
    def listens(self) -> bool | None:
        """Whether something does, None where that is unknown."""
        return self.listener is not None if self.known else None


@dataclass(frozen=True, slots=True)
class Listing:
    """The ports of a workspace, in order."""

    ports: list[Port]
    known: bool
    """False while the engine does not answer: what listens is missing then."""


@dataclass(frozen=True, slots=True)
class Company:
    """What the database knows of a workspace's ports."""

    shared: dict[int, tuple[Audience, datetime | None]]
    guests: dict[int, tuple[Guest, ...]]


def listeners(platform: Platform, workspace: Workspace) -> list[Listener] | None:
    """Return what listens, None where the engine cannot tell for the moment."""
    if workspace.state is not State.RUNNING:
        return []
    try:
        found = platform.engine.listeners(workspace.container)
    except EngineError:
        return None
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


def joined(workspace: Workspace, heard: Sequence[Listener] | None, company: Company) -> Listing:
    """Return every port that listens, as far as that is known, or is shared."""
    by_port = {one.port: one for one in heard or ()}
    known, username = heard is not None, workspace.user.username
    found = [
        Port(
            Label(port, workspace.name, username),
            by_port.get(port),
            *company.shared.get(port, (Audience.PRIVATE, None)),
            guests=company.guests.get(port, ()),
            known=known,
        )
        for port in sorted(by_port.keys() | company.shared.keys())
    ]
    return Listing(found, known)


def listed(platform: Platform, workspace: Workspace, now: datetime) -> Listing:
    """Return the workspace's ports as they are at this moment."""
    known = company(workspace, now)
    return joined(workspace, listeners(platform, workspace), known)


def one(platform: Platform, workspace: Workspace, port: int, now: datetime) -> Port:
    """Return one port, whether it listens and is shared or not."""
    listing = listed(platform, workspace, now)
    found = {row.label.port: row for row in listing.ports}
    label = Label(port, workspace.name, workspace.user.username)
    return found.get(port) or Port(label, None, known=listing.known)
