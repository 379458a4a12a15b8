"""The commons: repositories, who may do what with them, what is proposed to them, what happened."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.accounts import User, text_enum
from models.database import Model, UtcDateTime

REPOSITORY_MAX = 64
BRANCH_MAX = 200
OID_MAX = 64


class Visibility(StrEnum):
    """Who may know of a repository: everyone on the server, or its owner and collaborators."""

    PUBLIC = "public"
    PRIVATE = "private"


class Level(StrEnum):
    """What one may do with a repository; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Repository(Model):
    """A bare git repository, as last measured.

    ``facts`` is what only a walk over all of it tells (see ``orchestrator.commons.facts``), and of
    which commit it was true. ``protected`` keeps the default branch from being rewritten.
    """

    __tablename__ = "repositories"
    __table_args__ = (
        UniqueConstraint("owner_id", "name", name="uq_repositories_owner_id_name"),
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("size_bytes >= 0", name="size"),
        CheckConstraint("parent_id IS NULL OR parent_id <> id", name="parent"),
        # An id is never given twice: caches are keyed by it.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(REPOSITORY_MAX))
    description: Mapped[str] = mapped_column(String(200), default="")
    visibility: Mapped[Visibility] = mapped_column(text_enum(Visibility), default=Visibility.PUBLIC)
    archived: Mapped[bool] = mapped_column(default=False)
    protected: Mapped[bool] = mapped_column(default=True)
    default_branch: Mapped[str] = mapped_column(String(BRANCH_MAX), default="main")
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("repositories.id", ondelete="SET NULL"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    pushed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    language: Mapped[str] = mapped_column(String(40), default="", index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    owner: Mapped[User] = relationship(lazy="joined", innerjoin=True)

    @property
    def slug(self) -> str:
        """``<owner>/<name>``, as people write it."""
        return f"{self.owner.username}/{self.name}"


class Star(Model):
    """One person likes one repository."""

    __tablename__ = "stars"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Collaborator(Model):
    """What the owner of a repository lets one other person do with it."""

    __tablename__ = "collaborators"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    level: Mapped[Level] = mapped_column(text_enum(Level))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Stage(StrEnum):
    """How far a proposal has come."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Method(StrEnum):
    """How a proposal's commits come into the branch they were offered to."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class Proposal(Model):
    """A branch offered to another one. Numbered within the repository that it is offered to.

    ``head`` is the offered commit as last pushed. ``base`` is set when it is merged: the commit
    that the target branch stood at before. Names of people outlive their accounts.
    """

    __tablename__ = "proposals"
    __table_args__ = (
        UniqueConstraint("repository_id", "number", name="uq_proposals_repository_id_number"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("title <> ''", name="title"),
        CheckConstraint(
            "(stage = 'merged') = (merge_commit IS NOT NULL AND base IS NOT NULL "
            "AND method IS NOT NULL AND merged_by IS NOT NULL)",
            name="merged",
        ),
        CheckConstraint("(stage = 'open') = (ended_at IS NULL)", name="ended"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    number: Mapped[int]
    source_id: Mapped[int | None] = mapped_column(
        ForeignKey("repositories.id", ondelete="SET NULL"), index=True
    )
    source_branch: Mapped[str] = mapped_column(String(BRANCH_MAX))
    target_branch: Mapped[str] = mapped_column(String(BRANCH_MAX))
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text, default="")
    stage: Mapped[Stage] = mapped_column(text_enum(Stage), default=Stage.OPEN)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    author: Mapped[str] = mapped_column(String(30))
    head: Mapped[str] = mapped_column(String(OID_MAX))
    base: Mapped[str | None] = mapped_column(String(OID_MAX))
    merge_commit: Mapped[str | None] = mapped_column(String(OID_MAX))
    method: Mapped[Method | None] = mapped_column(text_enum(Method))
    merged_by: Mapped[str | None] = mapped_column(String(30))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    repository: Mapped[Repository] = relationship(
        lazy="joined", innerjoin=True, foreign_keys=[repository_id]
    )
    source: Mapped[Repository | None] = relationship(lazy="joined", foreign_keys=[source_id])


class Side(StrEnum):
    """Which of a diff's two files a line is in."""

    OLD = "old"
    NEW = "new"


class ProposalComment(Model):
    """Something said about a proposal, in general or about one line of one of its versions."""

    __tablename__ = "proposal_comments"
    __table_args__ = (
        CheckConstraint("text <> ''", name="text"),
        CheckConstraint("line IS NULL OR line > 0", name="line"),
        CheckConstraint(
            "(path IS NULL) = (line IS NULL) AND (path IS NULL) = (side IS NULL) "
            "AND (path IS NULL) = (commit_id IS NULL)",
            name="spot",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    proposal_id: Mapped[int] = mapped_column(
        ForeignKey("proposals.id", ondelete="CASCADE"), index=True
    )
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    author: Mapped[str] = mapped_column(String(30))
    text: Mapped[str] = mapped_column(Text)
    path: Mapped[str | None] = mapped_column(Text)
    side: Mapped[Side | None] = mapped_column(text_enum(Side))
    line: Mapped[int | None]
    commit_id: Mapped[str | None] = mapped_column(String(OID_MAX))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Deed(StrEnum):
    """What people do in the commons."""

    CREATE = "create"
    PUSH = "push"
    FORK = "fork"
    STAR = "star"
    PROPOSE = "propose"
    MERGE = "merge"
    SHARE = "share"


class Activity(Model):
    """One thing that a person did in the commons. Gone with the person or the repository.

    Who may see it follows from the repository; without one (a shared file) everyone may.
    """

    __tablename__ = "activities"
    __table_args__ = (
        Index("ix_activities_repository_id_id", "repository_id", "id"),
        # An id is never given twice: pages ask for what is newer than the last they saw.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    deed: Mapped[Deed] = mapped_column(text_enum(Deed))
    actor_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    repository_id: Mapped[int | None] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE")
    )
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    actor: Mapped[User] = relationship(lazy="joined", innerjoin=True)
    repository: Mapped[Repository | None] = relationship(lazy="joined")
