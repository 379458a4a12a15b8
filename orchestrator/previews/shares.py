"""Who may open a preview: its workspace's owner, and whom they share it with."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, or_, select

from models import (
    ActiveSession,
    Audience,
    Kind,
    Pass,
    Share,
    Standing,
    User,
    Workspace,
    db,
    end_reading,
    one_at_a_time,
    writing,
)
from orchestrator import audit
from orchestrator.errors import AllowanceReached, BadInput, NotFound
from orchestrator.platform import Platform
from orchestrator.previews import Label, is_previewable
from orchestrator.workspaces import Actor

SHARES_MAX = 100
"""Of one workspace."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A port of a workspace that exists, and whom it is shared with at this moment."""

    label: Label
    workspace: Workspace
    audience: Audience
    until: datetime | None
    """When the share ends."""

    def is_for(self, user: User | None) -> bool:
        """Return whether ``user`` may open it; None is a stranger. Nobody is above the owner."""
        if user is None:
            return self.audience is Audience.PUBLIC
        if user.standing is not Standing.ACTIVE:
            return False
        return user.id == self.workspace.user_id or self.audience is not Audience.PRIVATE


def find(label: Label, now: datetime) -> Preview | None:
    """Return the preview, None where there is no such workspace or its owner is suspended."""
    row = db.session.scalar(
        select(Workspace)
        .join(User, User.id == Workspace.user_id)
        .where(
            User.username == label.user,
            User.standing == Standing.ACTIVE,
            Workspace.name == label.workspace,
        )
    )
    if row is None:
        return None
    share = db.session.scalar(
        select(Share).where(Share.workspace_id == row.id, Share.port == label.port, _lasts(now))
    )
    if share is None:
        return Preview(label, row, Audience.PRIVATE, None)
    return Preview(label, row, share.audience, share.expires_at)


def require(label: Label | None, user: User, now: datetime) -> Preview:
    """Return the preview when ``user`` may open it. Raises: NotFound, whatever the reason."""
    found = find(label, now) if label is not None else None
    end_reading()
    if found is None or not found.is_for(user):
        raise NotFound(
            "There is no such preview, or it is not shared with you",
            hint="Ask whoever gave you the link to share the port.",
        )
    return found


def of(workspace_ids: list[int], now: datetime) -> list[Share]:
    """Return the shares of workspaces that have not ended, by port."""
    query = select(Share).where(Share.workspace_id.in_(workspace_ids), _lasts(now))
    return list(db.session.scalars(query.order_by(Share.port)))


def change(
    platform: Platform,
    workspace: Workspace,
    port: int,
    audience: Audience,
    expires_at: datetime | None,
    now: datetime,
    actor: Actor,
) -> None:
    """Share a port, until ``expires_at`` where given, or make it private.

    Whoever may open it no longer is cut off at once. Raises: BadInput, AllowanceReached, NotFound
    when the workspace is gone.
    """
    if not is_previewable(port):
        raise BadInput("That port cannot be shared", field="port", hint="Use 1 to 65535, not 7681.")
    if expires_at is not None and expires_at <= now:
        raise BadInput("That moment has passed", field="expires", hint="Give one to come.")
    with writing():
        one_at_a_time(workspace.user_id)
        if db.session.scalar(select(Workspace.id).where(Workspace.id == workspace.id)) is None:
            raise NotFound(f"You have no workspace named '{workspace.name}'")
        rows = {row.port: row for row in of([workspace.id], now)}
        before = rows[port].audience if port in rows else Audience.PRIVATE
        if audience is not Audience.PRIVATE and port not in rows and len(rows) >= SHARES_MAX:
            raise AllowanceReached(f"{SHARES_MAX} ports of this workspace are shared")
        if audience is before is Audience.PRIVATE:
            return  # nothing to tell of
        here = (Share.workspace_id == workspace.id, Share.port == port)
        db.session.execute(delete(Share).where(*here))
        if audience is not Audience.PRIVATE:
            share = Share(workspace_id=workspace.id, port=port, audience=audience,
                          created_at=now, expires_at=expires_at)  # fmt: skip
            db.session.add(share)
        if audience.reach < before.reach:
            _cut_off(workspace.id, port, workspace.user_id)
        audit.record(now, actor.name, "port.shared", f"{workspace.name}:{port}",
                     address=actor.address, audience=audience,
                     **({"expires": expires_at.isoformat()} if expires_at else {}))  # fmt: skip
    platform.connections.hang_up_revoked()
    platform.feed.publish(workspace.user_id)


def end_expired(platform: Platform, now: datetime) -> None:
    """Make private what was shared for a time that is over, and cut off who looks."""
    over = Share.expires_at <= now
    if db.session.scalar(select(Share.id).where(over).limit(1)) is None:
        end_reading()
        return
    owners = set()
    with writing():
        query = select(Share, Workspace).join(Workspace, Workspace.id == Share.workspace_id)
        for share, workspace in db.session.execute(query.where(over)).all():
            db.session.delete(share)
            _cut_off(workspace.id, share.port, workspace.user_id)
            owners.add(workspace.user_id)
    for owner in owners:
        platform.feed.publish(owner)


def _cut_off(workspace_id: int, port: int, owner_id: int) -> None:
    """End what everybody but the owner has of the preview; who still may comes back unasked."""
    db.session.execute(
        delete(ActiveSession).where(
            ActiveSession.workspace_id == workspace_id,
            ActiveSession.kind == Kind.PREVIEW,
            ActiveSession.port == port,
            or_(ActiveSession.user_id.is_(None), ActiveSession.user_id != owner_id),
        )
    )
    db.session.execute(
        delete(Pass).where(
            Pass.workspace_id == workspace_id, Pass.port == port, Pass.user_id != owner_id
        )
    )


def _lasts(now: datetime) -> ColumnElement[bool]:
    return or_(Share.expires_at.is_(None), Share.expires_at > now)
