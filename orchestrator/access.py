"""Who may do what. Every route asks here, and nowhere else is it decided."""

from enum import StrEnum

from sqlalchemy import select

from models import Role, Standing, User, Workspace, db, end_reading
from orchestrator.errors import Forbidden, NotFound
from orchestrator.names import could_be, parse_workspace


class Right(StrEnum):
    """What one can want of a workspace."""

    VIEW = "view"
    ATTACH = "attach"
    OPERATE = "operate"
    MANAGE = "manage"


def workspace_for(user: User, name: str, right: Right) -> Workspace:
    """Return the user's workspace of that name when the right is theirs.

    Another person's workspace is as absent as one that never was. No transaction stays open: the
    caller goes on to the engine. Raises: NotFound, Forbidden.
    """
    require_active(user)
    query = select(Workspace).where(Workspace.user_id == user.id, Workspace.name == name)
    workspace = db.session.scalar(query) if could_be(parse_workspace, name) else None
    end_reading()
    if workspace is None or right not in rights(user, workspace):
        raise NotFound(f"You have no workspace named '{name[:40]}'")
    return workspace


def rights(user: User, workspace: Workspace) -> frozenset[Right]:
    """Return what ``user`` may do with ``workspace``: everything to its owner, else nothing."""
    if user.standing is Standing.ACTIVE and user.id == workspace.user_id:
        return frozenset(Right)
    return frozenset()


def require_active(user: User) -> None:
    """Raise Forbidden when the account is suspended."""
    if user.standing is not Standing.ACTIVE:
        raise Forbidden("This account is suspended")


def require_admin(user: User) -> None:
    """Raise Forbidden unless ``user`` is an active administrator."""
    require_active(user)
    if user.role is not Role.ADMIN:
        raise Forbidden("Only administrators may do that")
