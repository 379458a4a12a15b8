"""What is happening (live connections) and what happened (the audit log)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts import text_enum
from models.database import Model, UtcDateTime


class Kind(StrEnum):
    """The way in which a person is connected to a workspace."""

    TERMINAL = "terminal"
    EDITOR = "editor"
    """An open page that is told of changed files."""
    LANGUAGE = "language"
    """A language server."""
    PORTS = "ports"
    """An open page that is told what listens."""
    PREVIEW = "preview"
    """A browser that looks at what a port serves."""


class ActiveSession(Model):
    """One live connection of a person to a workspace.

    ``server`` is the process that holds the socket; deleting the row asks it to hang up. Only of a
    preview that everybody may open can nobody know the ``user_id``.
    """

    __tablename__ = "active_sessions"
    # An id is never given twice: a connection lives as long as the row of its id does.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  # declared so by SQLAlchemy

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    workspace_id: Mapped[int] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    login_id: Mapped[int | None] = mapped_column(ForeignKey("logins.id", ondelete="CASCADE"))
    token_id: Mapped[int | None] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"))
    pass_id: Mapped[int | None] = mapped_column(ForeignKey("passes.id", ondelete="CASCADE"))
    port: Mapped[int | None]
    """Of a preview."""
    kind: Mapped[Kind] = mapped_column(text_enum(Kind))
    address: Mapped[str] = mapped_column(String(64))
    server: Mapped[str] = mapped_column(String(80), index=True)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_input_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Event(Model):
    """Who did what to what, when, from where. Kept when the account is gone."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor: Mapped[str] = mapped_column(String(30))
    action: Mapped[str] = mapped_column(String(40))
    target: Mapped[str] = mapped_column(String(100), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    detail: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
