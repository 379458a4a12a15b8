"""Previews without wildcard DNS: all on one host, each on a port of its own.

A port is given to a preview when its address is first asked for, and kept: what a browser stored
for it must not meet another app. Only where none is free, or a person has as many as one may, does
that one lose its port that was used longest ago, those that are shared last.
"""

import time
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, exists, select, update
from sqlalchemy.exc import IntegrityError

from models import (
    ActiveSession,
    Berth,
    Kind,
    Share,
    User,
    Workspace,
    db,
    end_reading,
    rows_changed,
    utcnow,
    writing,
)
from orchestrator.errors import Conflict, NotFound
from orchestrator.platform import Context
from orchestrator.previews import Label
from orchestrator.previews.domain import AppsDomain, host_of, port_of
from orchestrator.settings import Settings

KNOWN_SECONDS = 2.0
"""How long what this process knows of the ports holds: other servers give some away, too."""
MISSED_SECONDS = 0.2
"""How soon it looks again for a port that it does not know."""
KEPT = timedelta(minutes=10)
"""A preview that was used within this time keeps its port, and so does one that is looked at."""
EACH_LEAST = 4
EACH_PART = 4
"""A person may have the fourth part of the ports, and so many at least."""


class AppsPorts:
    """Where previews are when they share a host; takes :class:`AppsDomain`'s place.

    Cookies know no ports: apps on this host see each other's, and only ours are kept from them.
    ``context`` makes a database session.
    """

    shares_host = True

    def __init__(self, host: str, ports: range, context: Context) -> None:
        self.host = host
        self._ports = ports
        self._context = context
        self._labels: dict[int, Label] = {}
        self._looked_at = -KNOWN_SECONDS
        self._used: dict[Label, datetime] = {}
        self._left: dict[int, float] = {}
        """Since when a port is free, as far as this process saw it."""

    def covers(self, host: str) -> bool:
        """Return whether a ``Host``, with whatever port, is the one of previews."""
        return host_of(host) == self.host

    def label(self, host: str) -> Label | None:
        """Return the preview that has the port of a ``Host``, None where none has."""
        text = port_of(host)
        if not text or not self.covers(host):
            return None
        age = time.monotonic() - self._looked_at
        if age > KNOWN_SECONDS or (int(text) not in self._labels and age > MISSED_SECONDS):
            with self._context():
                self._look()
        return self._labels.get(int(text))

    def origin(self, label: Label, scheme: str, panel_host: str) -> str:
        """Return a preview's origin; it is given a port where it has none.

        Raises: Conflict when all of them are in use; NotFound.
        """
        with self._context():
            try:
                port = self._berth(label, utcnow())
            except IntegrityError:  # another server has just given the same one away
                port = self._berth(label, utcnow())
        return f"{scheme}://{self.host}:{port}"

    def origins(self, scheme: str, panel_host: str) -> str:
        """Return all previews' origins, as a content security policy names them."""
        return f"{scheme}://{self.host}:*"

    def tag(self, host: str) -> str:
        """Return what tells a preview's cookies from another's: browsers do not."""
        return f"-{port_of(host)}"

    def panel(self, scheme: str, host: str) -> str | None:
        """Return None: where the panel is does not show from here."""
        return None

    def follows(self, label: Label, scheme: str, host: str, panel: str) -> bool:
        """Return whether who sees the panel at that origin sees the preview at the other."""
        return panel.startswith(f"{scheme}://")

    def used(self, label: Label, now: datetime) -> None:
        """Note that somebody uses the preview. No transaction may be open."""
        last = self._used.get(label)
        if last is not None and now - last < KEPT / 2:
            return
        self._used = {one: at for one, at in self._used.items() if now - at < KEPT / 2}
        with self._context():
            workspace_id, _ = self._workspace(label)
            found = self._found(workspace_id, label.port)
            end_reading()
            if found:
                with writing():
                    rows_changed(update(Berth).where(Berth.port == found.port).values(used_at=now))
        self._used[label] = now

    def _look(self) -> None:
        query = (
            select(Berth.port, Berth.app_port, Workspace.name, User.username)
            .join(Workspace, Workspace.id == Berth.workspace_id)
            .join(User, User.id == Workspace.user_id)
            .where(Berth.port.in_(self._ports))
        )
        rows = db.session.execute(query).all()
        end_reading()
        labels = {port: Label(app, name, user) for port, app, name, user in rows}
        self._note_left(labels)
        self._labels = labels
        self._looked_at = time.monotonic()

    def _note_left(self, taken: Collection[int]) -> None:
        now = time.monotonic()
        self._left |= {port: now for port in self._labels if port not in taken}
        self._labels = {port: one for port, one in self._labels.items() if port in taken}

    def _berth(self, label: Label, now: datetime) -> int:
        workspace_id, owner_id = self._workspace(label)
        found = self._found(workspace_id, label.port)
        kept = found is not None and found.used_at > now - KEPT / 2
        end_reading()
        if found is not None and kept:
            return found.port
        if workspace_id is None or owner_id is None:
            raise NotFound("There is no such workspace")
        with writing():
            found = self._found(workspace_id, label.port)
            if found is None:
                port = self._free(owner_id, now)
                found = self._take(port, workspace_id, label.port)
            found.used_at = now
            port = found.port
        self._labels = {**self._labels, port: label}
        return port

    @staticmethod
    def _workspace(label: Label) -> tuple[int, int] | tuple[None, None]:
        """Return the ids of a preview's workspace and of its owner."""
        row = db.session.execute(
            select(Workspace.id, Workspace.user_id)
            .join(User, User.id == Workspace.user_id)
            .where(User.username == label.user, Workspace.name == label.workspace)
        ).first()
        return (row.id, row.user_id) if row is not None else (None, None)

    def _found(self, workspace_id: int | None, app_port: int) -> Berth | None:
        """Return the preview's berth, unless the setting has left its port out since."""
        found: Berth | None = db.session.scalar(
            select(Berth).where(
                Berth.workspace_id == workspace_id,
                Berth.app_port == app_port,
                Berth.port.in_(self._ports),
            )
        )
        return found

    def _free(self, owner_id: int, now: datetime) -> int:
        """Return a port for a preview of that person's. Raises: Conflict."""
        query = select(Berth.port, Workspace.user_id).join(
            Workspace, Workspace.id == Berth.workspace_id
        )
        taken = {port: whose for port, whose in db.session.execute(query) if port in self._ports}
        own = list(taken.values()).count(owner_id)
        if own >= max(EACH_LEAST, len(self._ports) // EACH_PART):
            port = self._given_up(now, Workspace.user_id == owner_id)
            if port is None:
                raise Conflict(
                    f"You have {own} ports for previews in use, which is as many as one may",
                    hint="Close a preview that you do not need and try again in some minutes.",
                )
            return port
        self._note_left(taken)
        free = [port for port in self._ports if port not in taken]
        # What the last one left in browsers there is old by then.
        port = min(free, key=lambda port: self._left.get(port, 0.0), default=None)
        port = self._given_up(now) if port is None else port
        if port is None:
            raise Conflict(
                "All ports for previews are in use",
                hint="Close a preview that nobody needs and try again in some minutes, or let the "
                "administrator widen ROOTBLOOD_APPS_PORTS.",
            )
        return port

    @staticmethod
    def _take(port: int, workspace_id: int, app_port: int) -> Berth:
        """Give a port to a preview, whosever it was."""
        # One left from before the range changed would be in the way.
        for row in db.session.scalars(
            select(Berth).where(
                (Berth.port == port)
                | ((Berth.workspace_id == workspace_id) & (Berth.app_port == app_port))
            )
        ).all():
            db.session.delete(row)
        db.session.flush()
        found = Berth(port=port, workspace_id=workspace_id, app_port=app_port)
        db.session.add(found)
        return found

    def _given_up(self, now: datetime, *whose: ColumnElement[bool]) -> int | None:
        """Return the port of the preview that can best do without, None where none can."""
        shared = (Share.workspace_id == Berth.workspace_id) & (Share.port == Berth.app_port)
        looked_at = exists().where(
            ActiveSession.kind == Kind.PREVIEW,
            ActiveSession.workspace_id == Berth.workspace_id,
            ActiveSession.port == Berth.app_port,
        )
        port: int | None = db.session.scalar(
            select(Berth.port)
            .join(Workspace, Workspace.id == Berth.workspace_id)
            .outerjoin(Share, shared)
            .where(Berth.port.in_(self._ports), Berth.used_at < now - KEPT, ~looked_at, *whose)
            .order_by(case((Share.id.is_(None), 0), else_=1), Berth.used_at)
        )
        return port


Origins = AppsDomain | AppsPorts


def choose(settings: Settings, context: Context) -> Origins:
    """Return where the previews of this installation are."""
    if settings.apps_host:
        return AppsPorts(settings.apps_host, settings.apps_port_range, context)
    return AppsDomain.parse(settings.apps_domain)
