"""Homes: how large they are, who can open them, what was kept of them, how long they ran."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts import text_enum
from models.database import Model, UtcDateTime


class Home(Model):
    """The files of one person, as last measured. Made when the home is first used.

    ``place`` names the directory and machine that hold it: a home is in exactly one.
    ``allowance_bytes`` is what is in force, which an administrator's change becomes when the home
    can be fitted to it. Bytes that a storage cannot tell are zero.
    """

    __tablename__ = "homes"
    __table_args__ = (
        CheckConstraint("files_bytes >= 0", name="files"),
        CheckConstraint("snapshots_bytes >= 0", name="snapshots"),
        CheckConstraint("images_bytes >= 0", name="images"),
        CheckConstraint("published_bytes >= 0", name="published"),
        CheckConstraint("allowance_bytes > 0", name="allowance"),
        CheckConstraint(
            "NOT capped OR files_bytes + snapshots_bytes + images_bytes + published_bytes "
            "<= allowance_bytes",
            name="stored",
        ),
    )

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    storage: Mapped[str] = mapped_column(String(16))
    place: Mapped[str] = mapped_column(String(512))
    capped: Mapped[bool]
    allowance_bytes: Mapped[int] = mapped_column(BigInteger)
    files_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    snapshots_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    images_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    published_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """In the commons: repositories and shared files, which lie outside the home."""
    measured_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unlocked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    snapshots_stale: Mapped[bool] = mapped_column(default=False)
    """A snapshot's work was begun and not ended: rows and repository may differ."""

    @property
    def reserved_bytes(self) -> int:
        """What of the allowance files may not take."""
        return self.snapshots_bytes + self.images_bytes + self.published_bytes


class Slot(StrEnum):
    """What opens a copy of a home's key."""

    PASSWORD = "password"  # noqa: S105
    LOGIN = "login"
    TOKEN = "token"  # noqa: S105
    RECOVERY = "recovery"
    ESCROW = "escrow"


class KeySlot(Model):
    """One wrapped copy of a home's key; it goes with the login or token whose secret opens it."""

    __tablename__ = "key_slots"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[Slot] = mapped_column(text_enum(Slot))
    login_id: Mapped[int | None] = mapped_column(
        ForeignKey("logins.id", ondelete="CASCADE"), unique=True
    )
    token_id: Mapped[int | None] = mapped_column(
        ForeignKey("tokens.id", ondelete="CASCADE"), unique=True
    )
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Reason(StrEnum):
    """Why a snapshot was taken."""

    MANUAL = "manual"
    SCHEDULED = "scheduled"
    BEFORE_RESTORE = "before-restore"


class Snapshot(Model):
    """A state of a home that one can go back to. ``restic_id`` is restic's full hex id."""

    __tablename__ = "snapshots"
    __table_args__ = (
        CheckConstraint("files >= 0", name="files"),
        CheckConstraint("total_bytes >= 0", name="total"),
        CheckConstraint("added_bytes >= 0", name="added"),
        # An id is never given twice: a page may still show what is gone.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    restic_id: Mapped[str] = mapped_column(String(64))
    reason: Mapped[Reason] = mapped_column(text_enum(Reason))
    note: Mapped[str] = mapped_column(String(80), default="")
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    files: Mapped[int] = mapped_column(BigInteger)
    total_bytes: Mapped[int] = mapped_column(BigInteger)
    added_bytes: Mapped[int] = mapped_column(BigInteger)
    consistent: Mapped[bool]
    """Whether every write was held while it was taken, or nothing ran."""


class Run(Model):
    """One time that a workspace ran, for the hours of a week. Kept when the workspace is gone."""

    __tablename__ = "runs"
    __table_args__ = (CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="order"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    workspace: Mapped[str] = mapped_column(String(24))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When it was last seen to run: where a crash cut it short, it ended then."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class Remains(Model):
    """The files of an account that is gone, until they are deleted. Nobody has their key.

    ``storage`` and ``place`` are its home's, so that nothing is taken for deleted where it never
    was; null when the home was never used.
    """

    __tablename__ = "remains"

    id: Mapped[int] = mapped_column(primary_key=True)
    home: Mapped[str] = mapped_column(String(32), unique=True)
    username: Mapped[str] = mapped_column(String(30))
    storage: Mapped[str | None] = mapped_column(String(16))
    place: Mapped[str | None] = mapped_column(String(512))
    delete_after: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
