"""commons: repositories, stars, collaborators, proposals, what people did, who may be seen"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_DEEDS = ("create", "push", "fork", "star", "propose", "merge", "share")


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=16, create_constraint=True)


def _id() -> sa.Column:
    return sa.Column("id", sa.Integer(), nullable=False)


def _when(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _oid(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.String(length=64), nullable=nullable)


def _row(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _of(table: str, column: str, other: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete=ondelete
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _index(table: str, column: str) -> None:
    op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)


def upgrade() -> None:
    # By hand: see 0002.
    op.execute("ALTER TABLE users ADD COLUMN unseen BOOLEAN NOT NULL DEFAULT false")
    _homes()
    _repositories()
    _proposals()
    op.create_table(
        "activities",
        _id(),
        sa.Column("deed", _enum("deed", *_DEEDS), nullable=False),
        _row("actor_id"),
        _row("repository_id", nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        _when("at"),
        _of("activities", "actor_id", "users"),
        _of("activities", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activities")),
        sqlite_autoincrement=True,
    )
    _index("activities", "actor_id")
    _index("activities", "at")
    op.create_index("ix_activities_repository_id_id", "activities", ["repository_id", "id"])


_STORED = "NOT capped OR files_bytes + snapshots_bytes + images_bytes"


def _homes() -> None:
    # SQLite makes the table anew, which no foreign key points to.
    with op.batch_alter_table("homes", copy_from=_homes_before()) as homes:
        homes.add_column(
            sa.Column("published_bytes", sa.BigInteger(), nullable=False, server_default="0")
        )
        homes.drop_constraint(op.f("ck_homes_stored"), type_="check")
        homes.create_check_constraint(op.f("ck_homes_published"), "published_bytes >= 0")
        homes.create_check_constraint(
            op.f("ck_homes_stored"), f"{_STORED} + published_bytes <= allowance_bytes"
        )


def _homes_before() -> sa.Table:
    """Return the table as 0002 made it: SQLite cannot tell its constraints."""
    return sa.Table(
        "homes",
        sa.MetaData(),
        _row("user_id"),
        sa.Column("storage", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=512), nullable=False),
        sa.Column("capped", sa.Boolean(), nullable=False),
        sa.Column("allowance_bytes", sa.BigInteger(), nullable=False),
        sa.Column("files_bytes", sa.BigInteger(), nullable=False),
        sa.Column("snapshots_bytes", sa.BigInteger(), nullable=False),
        sa.Column("images_bytes", sa.BigInteger(), nullable=False),
        _when("measured_at", nullable=True),
        _when("unlocked_until", nullable=True),
        sa.Column("snapshots_stale", sa.Boolean(), nullable=False),
        _check("homes", "files", "files_bytes >= 0"),
        _check("homes", "snapshots", "snapshots_bytes >= 0"),
        _check("homes", "images", "images_bytes >= 0"),
        _check("homes", "allowance", "allowance_bytes > 0"),
        _check("homes", "stored", f"{_STORED} <= allowance_bytes"),
        _of("homes", "user_id", "users"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_homes")),
    )


def _repositories() -> None:
    op.create_table(
        "repositories",
        _id(),
        _row("owner_id"),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("visibility", _enum("visibility", "public", "private"), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("default_branch", sa.String(length=200), nullable=False),
        _row("parent_id", nullable=True),
        _when("created_at"),
        _when("pushed_at", nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(length=40), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        _check("repositories", "name", "name <> ''"),
        _check("repositories", "size", "size_bytes >= 0"),
        _check("repositories", "parent", "parent_id IS NULL OR parent_id <> id"),
        _of("repositories", "owner_id", "users"),
        _of("repositories", "parent_id", "repositories", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repositories")),
        sa.UniqueConstraint("owner_id", "name", name="uq_repositories_owner_id_name"),
        sqlite_autoincrement=True,
    )
    for column in ("language", "parent_id", "pushed_at"):
        _index("repositories", column)
    op.create_table(
        "stars",
        _row("repository_id"),
        _row("user_id"),
        _when("at"),
        _of("stars", "repository_id", "repositories"),
        _of("stars", "user_id", "users"),
        sa.PrimaryKeyConstraint("repository_id", "user_id", name=op.f("pk_stars")),
    )
    _index("stars", "user_id")
    op.create_table(
        "collaborators",
        _row("repository_id"),
        _row("user_id"),
        sa.Column("level", _enum("level", "read", "write", "admin"), nullable=False),
        _when("created_at"),
        _of("collaborators", "repository_id", "repositories"),
        _of("collaborators", "user_id", "users"),
        sa.PrimaryKeyConstraint("repository_id", "user_id", name=op.f("pk_collaborators")),
    )
    _index("collaborators", "user_id")


def _proposals() -> None:
    op.create_table(
        "proposals",
        _id(),
        _row("repository_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        _row("source_id", nullable=True),
        sa.Column("source_branch", sa.String(length=200), nullable=False),
        sa.Column("target_branch", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("stage", _enum("stage", "open", "merged", "closed"), nullable=False),
        _row("author_id", nullable=True),
        sa.Column("author", sa.String(length=30), nullable=False),
        _oid("head", nullable=False),
        _oid("base"),
        _oid("merge_commit"),
        sa.Column("method", _enum("method", "merge", "squash", "rebase"), nullable=True),
        sa.Column("merged_by", sa.String(length=30), nullable=True),
        _when("created_at"),
        _when("updated_at"),
        _when("ended_at", nullable=True),
        _check("proposals", "number", "number > 0"),
        _check("proposals", "title", "title <> ''"),
        _check(
            "proposals",
            "merged",
            "(stage = 'merged') = (merge_commit IS NOT NULL AND base IS NOT NULL "
            "AND method IS NOT NULL AND merged_by IS NOT NULL)",
        ),
        _check("proposals", "ended", "(stage = 'open') = (ended_at IS NULL)"),
        _of("proposals", "repository_id", "repositories"),
        _of("proposals", "source_id", "repositories", "SET NULL"),
        _of("proposals", "author_id", "users", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
        sa.UniqueConstraint("repository_id", "number", name="uq_proposals_repository_id_number"),
        sqlite_autoincrement=True,
    )
    _index("proposals", "source_id")
    op.create_table(
        "proposal_comments",
        _id(),
        _row("proposal_id"),
        _row("author_id", nullable=True),
        sa.Column("author", sa.String(length=30), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("side", _enum("side", "old", "new"), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        _oid("commit_id"),
        _when("created_at"),
        _check("proposal_comments", "text", "text <> ''"),
        _check("proposal_comments", "line", "line IS NULL OR line > 0"),
        _check(
            "proposal_comments",
            "spot",
            "(path IS NULL) = (line IS NULL) AND (path IS NULL) = (side IS NULL) "
            "AND (path IS NULL) = (commit_id IS NULL)",
        ),
        _of("proposal_comments", "proposal_id", "proposals"),
        _of("proposal_comments", "author_id", "users", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_comments")),
    )
    _index("proposal_comments", "proposal_id")


def downgrade() -> None:
    for table in (
        "activities", "proposal_comments", "proposals", "collaborators", "stars", "repositories"
    ):  # fmt: skip
        op.drop_table(table)
    op.execute("ALTER TABLE users DROP COLUMN unseen")
    after = _homes_before()
    after.append_column(sa.Column("published_bytes", sa.BigInteger(), nullable=False))
    with op.batch_alter_table("homes", copy_from=after) as homes:
        homes.drop_constraint(op.f("ck_homes_stored"), type_="check")
        homes.drop_column("published_bytes")
        homes.create_check_constraint(op.f("ck_homes_stored"), f"{_STORED} <= allowance_bytes")
