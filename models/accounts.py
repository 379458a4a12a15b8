"""People, and the ways in which they prove to be themselves."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Enum, ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column

from models.database import Model, UtcDateTime, db


def text_enum(kind: type[StrEnum]) -> Enum:
    """Store a ``StrEnum`` as its value, checked by the database."""
    return Enum(
        kind,
        native_enum=False,
        length=16,
        create_constraint=True,
        values_callable=lambda e: [member.value for member in e],
        name=kind.__name__.lower(),
    )


class Role(StrEnum):
    USER = "user"
    ADMIN = "admin"


class Standing(StrEnum):
    """Whether the account may be used at all."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class User(Model):
    """A person. ``userhash`` names what is theirs on the engine and is never shown to others."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("max_workspaces >= 0", name="workspaces"),
        CheckConstraint("max_cpus > 0", name="cpus"),
        CheckConstraint("max_memory_bytes > 0", name="memory"),
        CheckConstraint("max_pids > 0", name="pids"),
        CheckConstraint("max_disk_bytes > 0", name="disk"),
        CheckConstraint("max_hours >= 0", name="hours"),
        # An id is never given twice: the uid, and with it who owns which files, derives from it.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(30), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    userhash: Mapped[str] = mapped_column(String(16), unique=True)
    uid: Mapped[int] = mapped_column(unique=True)
    role: Mapped[Role] = mapped_column(text_enum(Role), default=Role.USER)
    standing: Mapped[Standing] = mapped_column(text_enum(Standing), default=Standing.ACTIVE)
    max_workspaces: Mapped[int | None]
    max_cpus: Mapped[float | None]
    max_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    max_pids: Mapped[int | None]
    max_disk_bytes: Mapped[int | None] = mapped_column(BigInteger)
    max_hours: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unseen: Mapped[bool] = mapped_column(default=False)
    """Whether others may not see when this person is here."""

    # Flask-Login's protocol.
    is_authenticated = True
    is_anonymous = False

    @property
    def is_active(self) -> bool:
        return self.standing is Standing.ACTIVE

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN

    def get_id(self) -> str:
        return str(self.id)


def one_at_a_time(user_id: int) -> None:
    """Let one transaction at a time count and name what is this user's, until it ends.

    SQLite's write lock is held already (see models.writing), and it ignores FOR UPDATE.
    """
    db.session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))


class Login(Model):
    """One signed-in browser. The cookie holds a random secret; here stands its hash."""

    __tablename__ = "logins"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Token(Model):
    """An API token, hashed at rest; ``prefix`` is its recognisable, harmless beginning."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    prefix: Mapped[str] = mapped_column(String(16))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Invite(Model):
    """A link that lets one person sign up, once."""

    __tablename__ = "invites"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_by: Mapped[str] = mapped_column(String(30))
    used_by: Mapped[str | None] = mapped_column(String(30))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
