"""Who may open what listens in a workspace, and what their browsers show for it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts import text_enum
from models.database import Model, UtcDateTime


class Audience(StrEnum):
    """Who may open a preview beside the workspace's owner."""

    PRIVATE = "private"
    USERS = "users"
    """Whoever is signed in."""
    PUBLIC = "public"

    @property
    def reach(self) -> int:
        """How far it goes: the more, the more may open it."""
        return list(Audience).index(self)


class Share(Model):
    """A port of a workspace that others may open. Without a row it is private."""

    __tablename__ = "shares"
    __table_args__ = (
        UniqueConstraint("workspace_id", "port", name="uq_shares_workspace_id_port"),
        CheckConstraint("port BETWEEN 1 AND 65535", name="port"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    port: Mapped[int]
    audience: Mapped[Audience] = mapped_column(text_enum(Audience))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Ticket(Model):
    """Lets the browser of one login into one preview, once; hashed at rest.

    ``state`` is the hash of what the browser was given where it is going: no other can use it.
    """

    __tablename__ = "tickets"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    login_id: Mapped[int] = mapped_column(ForeignKey("logins.id", ondelete="CASCADE"))
    label: Mapped[str] = mapped_column(String(63))
    state: Mapped[str] = mapped_column(String(64))
    panel: Mapped[str] = mapped_column(String(255))
    """The origin of the panel that gave it out."""
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Pass(Model):
    """One browser's entry to one preview. Its cookie holds a secret; here stands the hash.

    It ends with its login. The right is looked at again whenever it is shown.
    """

    __tablename__ = "passes"
    # An id is never given twice: what is open by a pass is known by its number.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  # declared so by SQLAlchemy

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    login_id: Mapped[int] = mapped_column(ForeignKey("logins.id", ondelete="CASCADE"), index=True)
    workspace_id: Mapped[int] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    port: Mapped[int]
    panel: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Berth(Model):
    """A port of the host that previews share where there is no wildcard DNS, and whose it is.

    A browser keeps what an app stored by host and port, so nobody else gets the port while
    another is free.
    """

    __tablename__ = "berths"
    __table_args__ = (
        UniqueConstraint("workspace_id", "app_port", name="uq_berths_workspace_id_app_port"),
    )

    port: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    app_port: Mapped[int]
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
