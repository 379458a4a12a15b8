"""Workspaces and the templates they are made from."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.accounts import User, text_enum
from models.database import Model, UtcDateTime


class State(StrEnum):
    """What a workspace is doing. ``TRANSITIONS`` says what may follow."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"
    DELETING = "deleting"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.STOPPED: frozenset({State.STARTING, State.RUNNING, State.DELETING}),
    State.STARTING: frozenset({State.RUNNING, State.FAILED, State.STOPPED, State.STOPPING}),
    State.RUNNING: frozenset({State.STARTING, State.STOPPING, State.STOPPED, State.FAILED,
                              State.DELETING}),
    State.STOPPING: frozenset({State.STOPPED, State.STARTING, State.RUNNING, State.FAILED}),
    State.FAILED: frozenset({State.STARTING, State.RUNNING, State.STOPPED, State.STOPPING,
                             State.DELETING}),
    State.DELETING: frozenset({State.FAILED}),
}  # fmt: skip
"""``RUNNING -> STARTING`` is a restart; ``STOPPED -> RUNNING`` and ``STOPPING -> RUNNING`` are the
collector seeing what an engine did without us, ``STOPPING -> STARTING`` repairs a stop that a
crash cut short. A deleted workspace has no row."""


class Template(Model):
    """A catalogue entry: the only images that run are those named here."""

    __tablename__ = "templates"
    __table_args__ = (
        CheckConstraint("cpus > 0", name="cpus"),
        CheckConstraint("memory_bytes > 0", name="memory"),
        CheckConstraint("pids > 0", name="pids"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    title: Mapped[str] = mapped_column(String(80))
    description: Mapped[str] = mapped_column(Text, default="")
    image: Mapped[str] = mapped_column(String(255))
    cpus: Mapped[float]
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    pids: Mapped[int]
    ports: Mapped[list[int]] = mapped_column(JSON, default=list)
    languages: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """Its language servers beside those built in: see ``orchestrator.languages``."""
    apps: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """See ``orchestrator.apps``."""
    read_only_root: Mapped[bool] = mapped_column(default=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Workspace(Model):
    """A machine of one person. A claim (``claimed_until``) lets one process at a time change it."""

    __tablename__ = "workspaces"
    __table_args__ = (
        UniqueConstraint("user_id", "name", name="uq_workspaces_user_id_name"),
        CheckConstraint("cpus > 0", name="cpus"),
        CheckConstraint("memory_bytes > 0", name="memory"),
        CheckConstraint("pids > 0", name="pids"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    template_id: Mapped[int] = mapped_column(ForeignKey("templates.id"))
    name: Mapped[str] = mapped_column(String(24))
    state: Mapped[State] = mapped_column(text_enum(State), default=State.STOPPED)
    reason: Mapped[str] = mapped_column(Text, default="")
    log: Mapped[str] = mapped_column(Text, default="")
    cpus: Mapped[float]
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    pids: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_input_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_busy_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    snoozed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    claimed_by: Mapped[str | None] = mapped_column(String(80))

    user: Mapped[User] = relationship(lazy="joined")
    template: Mapped[Template] = relationship(lazy="joined")

    @property
    def container(self) -> str:
        """The name on the engine: ``rb-<userhash>-<workspace>``."""
        return f"rb-{self.user.userhash}-{self.name}"
