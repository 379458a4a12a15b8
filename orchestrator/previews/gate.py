"""Who may open a preview, asked at every request: fast, and right within a moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from models import ActiveSession, Kind, State, User, end_reading, utcnow
from orchestrator import tokens
from orchestrator.errors import Conflict
from orchestrator.names import is_own_machine
from orchestrator.platform import Context, Platform
from orchestrator.previews import (
    Decision,
    Label,
    Verdict,
    activity,
    panels,
    passes,
    shares,
    tickets,
)
from orchestrator.previews.berths import choose
from orchestrator.previews.domain import host_of
from orchestrator.previews.shares import Preview
from orchestrator.previews.viewers import Viewer

REMEMBERED_SECONDS = 1.5
"""How long a decision holds by itself. What ends a right in this process drops it at once."""
REMEMBERED_MOST = 4096
_LOOPBACK = ("127.0.0.1", "[::1]")
STRANGERS_MOST = 100
"""Of one preview, that its owner sees one by one."""


@dataclass(frozen=True, slots=True)
class _Visitor:
    """Who asks: by a pass, by a token, or a stranger."""

    user: User | None
    key: tuple[object, ...]
    pass_id: int | None = None
    token_id: int | None = None
    panel: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Remembered:
    decision: Decision
    until: float
    looked: int


class Gate:
    """Decides, and remembers each decision for a moment.

    No database session need be open: ``context`` makes one where the memory does not do.
    ``secret`` is the installation's. One per process.
    """

    def __init__(self, platform: Platform, context: Context, secret: bytes) -> None:
        self.domain = choose(platform.settings, context)
        self.panel_url = platform.settings.panel_url
        self._platform = platform
        self._context = context
        self._secret = secret
        self._memory: dict[tuple[object, ...], _Remembered] = {}

    def look(
        self, label: Label, secrets: Sequence[str], token: str | None, address: str
    ) -> Decision:
        """Say whether who shows these passes' secrets, or this API token, may open the preview.

        A token counts alone. Raises: DBAPIError.
        """
        key = (label, tuple(secrets), token, address)
        known = self._memory.get(key)
        now = monotonic()
        if known and now < known.until and known.looked == self._platform.connections.looked:
            viewer = known.decision.viewer
            if viewer is None:
                return known.decision
            if not viewer.closed:
                viewer.seen = now
                return known.decision
        looked = self._platform.connections.looked  # before the rows: what ends now is seen later
        with self._context():
            decision, seconds = self._judge(label, secrets, token, address, utcnow())
        if len(self._memory) >= REMEMBERED_MOST:
            self._memory.clear()
        self._memory[key] = _Remembered(decision, monotonic() + seconds, looked)
        return decision

    def visited(self, decision: Decision) -> None:
        """Note that a person opened a page of the preview."""
        if decision.viewer is not None:
            activity.note(self._platform.connections, decision.viewer, utcnow())

    def enter(self, label: Label, ticket: str, nonces: Sequence[str]) -> str | None:
        """Take a ticket of a browser that holds one of ``nonces``; return its pass's secret."""
        states = [tickets.state_of(nonce) for nonce in nonces]
        with self._context():
            return tickets.redeem(ticket, label, states, utcnow())

    def mark(self, label: Label) -> str:
        """Return what a browser keeps to show which preview's storage it has; none can make it."""
        return panels.mark(self._secret, label)

    def leads_from(self, scheme: str, host: str) -> bool:
        """Return whether previews are opened by who sees the panel there.

        A ``Host`` is anybody's word. So it has to be as the setting says, or, without one, a name
        that leads every browser to its own machine.
        """
        if self.panel_url:
            return f"{scheme}://{host}".lower() == self.panel_url
        name = host_of(host)
        return is_own_machine(name) or name in _LOOPBACK

    def prove_panel(self, label: Label, origin: str) -> str:
        """Return what shows a preview's origin that its panel is at ``origin``."""
        return panels.prove(self._secret, label, origin, utcnow())

    def is_proven(self, label: Label, proof: str) -> bool:
        """Return whether a panel has sent the browser here."""
        return panels.proven(self._secret, label, proof, utcnow()) is not None

    def panel(self, label: Label, scheme: str, host: str, proof: str = "") -> str | None:
        """Return the panel's origin for a browser that sees the preview at ``scheme``, ``host``.

        None where neither a setting nor ``proof`` tells. A proof says where somebody reached the
        panel by a name of its machine, so it counts only where no setting does.
        """
        if self.panel_url:
            return self.panel_url
        shown = panels.proven(self._secret, label, proof, utcnow()) if proof else None
        if shown and self.domain.follows(label, scheme, host, shown):
            return shown
        return self.domain.panel(scheme, host)

    def _judge(
        self, label: Label, secrets: Sequence[str], token: str | None, address: str, now: datetime
    ) -> tuple[Decision, float]:
        """Return the decision, and for how many seconds it may be remembered."""
        preview = shares.find(label, now)
        visitor = self._visitor(label, preview, secrets, token, address, now)
        end_reading()
        if visitor is None:  # a token that nobody has
            return Decision(Verdict.PASS_NEEDED, label), REMEMBERED_SECONDS
        if preview is None or not preview.is_for(visitor.user):
            verdict = Verdict.PASS_NEEDED if token is None else Verdict.ABSENT
            return Decision(verdict, label), REMEMBERED_SECONDS
        ends = [(end - now).total_seconds() for end in (preview.until, visitor.until) if end]
        seconds = min(REMEMBERED_SECONDS, *ends) if ends else REMEMBERED_SECONDS
        own = visitor.user is not None and visitor.user.id == preview.workspace.user_id
        if preview.workspace.state is not State.RUNNING:
            return Decision(Verdict.STOPPED, label, preview.audience, panel=visitor.panel,
                            own=own), seconds  # fmt: skip
        try:
            viewer = self._viewer(preview, visitor, address, now)
        except Conflict:  # the pass, the token or the workspace ended this very moment
            return Decision(Verdict.PASS_NEEDED, label), 0.0
        self.domain.used(label, now)
        return Decision(Verdict.OPEN, label, preview.audience, preview.workspace.container,
                        visitor.panel, own, viewer), seconds  # fmt: skip

    def _visitor(
        self,
        label: Label,
        preview: Preview | None,
        secrets: Sequence[str],
        token: str | None,
        address: str,
        now: datetime,
    ) -> _Visitor | None:
        if token is not None:
            by_token = tokens.find(token, now)
            if by_token is None:
                return None
            row, user = by_token
            return _Visitor(user, ("token", row.id, label), token_id=row.id, until=row.expires_at)
        if preview is not None:
            lifetime = timedelta(seconds=self._platform.settings.login_seconds)
            by_pass = passes.find(secrets, preview.workspace.id, label.port, now, lifetime)
            if by_pass is not None:
                shown, user = by_pass
                return _Visitor(user, ("pass", shown.id, label), pass_id=shown.id,
                                panel=shown.panel, until=shown.expires_at)  # fmt: skip
        return _Visitor(None, ("stranger", label, address))

    def _viewer(self, preview: Preview, visitor: _Visitor, address: str, now: datetime) -> Viewer:
        """Return the viewer that this process knows the visitor as. Raises: Conflict."""
        viewers, key = self._platform.viewers, visitor.key
        fresh = visitor.user is None and viewers.find(key) is None
        if fresh and viewers.count(key[:2]) >= STRANGERS_MOST:
            key, address = (*key[:2], None), ""  # all the others together
        found = viewers.find(key)
        if found is not None:
            found.seen = monotonic()
            return found
        row = ActiveSession(
            user_id=visitor.user.id if visitor.user is not None else None,
            workspace_id=preview.workspace.id,
            kind=Kind.PREVIEW,
            token_id=visitor.token_id,
            pass_id=visitor.pass_id,
            port=preview.label.port,
            address=address[:64],
            opened_at=now,
            last_seen_at=now,
        )
        owner_id = preview.workspace.user_id
        connection = self._platform.connections.open_preview(row, owner_id)
        viewer = Viewer(key, connection, known=visitor.user is not None)
        connection.carrier = viewer
        kept = viewers.add(viewer)
        # A share that was withdrawn before the row was there has not met it.
        again = shares.find(preview.label, now)
        end_reading()
        if again is None or not again.is_for(visitor.user):
            viewer.close()
        if viewer.closed or kept is not viewer:
            self._platform.connections.ended(connection)
        if viewer.closed:
            raise Conflict
        self._platform.feed.publish(owner_id)
        return kept
