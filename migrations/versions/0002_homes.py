"""homes: keys, snapshots, hours, disk allowances"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SLOTS = ("password", "login", "token", "recovery", "escrow")
_REASONS = ("manual", "scheduled", "before-restore")


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=16, create_constraint=True)


def _when(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _users_row(name: str = "user_id") -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=False)


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["users.id"], name=op.f(f"fk_{table}_user_id_users"), ondelete="CASCADE"
    )


def upgrade() -> None:
    # By hand: Alembic would make SQLite's table anew, and dropping the old one deletes, through
    # the foreign keys, all that people have.
    op.execute(
        "ALTER TABLE users ADD COLUMN max_disk_bytes BIGINT "
        "CONSTRAINT ck_users_disk CHECK (max_disk_bytes > 0)"
    )
    double = sa.Double().compile(dialect=op.get_bind().dialect)
    op.execute(
        f"ALTER TABLE users ADD COLUMN max_hours {double} "
        "CONSTRAINT ck_users_hours CHECK (max_hours >= 0)"
    )
    op.create_table(
        "homes",
        _users_row(),
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
        sa.CheckConstraint("files_bytes >= 0", name=op.f("ck_homes_files")),
        sa.CheckConstraint("snapshots_bytes >= 0", name=op.f("ck_homes_snapshots")),
        sa.CheckConstraint("images_bytes >= 0", name=op.f("ck_homes_images")),
        sa.CheckConstraint("allowance_bytes > 0", name=op.f("ck_homes_allowance")),
        sa.CheckConstraint(
            "NOT capped OR files_bytes + snapshots_bytes + images_bytes <= allowance_bytes",
            name=op.f("ck_homes_stored"),
        ),
        _of_user("homes"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_homes")),
    )
    op.create_table(
        "key_slots",
        sa.Column("id", sa.Integer(), nullable=False),
        _users_row(),
        sa.Column("kind", _enum("slot", *_SLOTS), nullable=False),
        sa.Column("login_id", sa.Integer(), nullable=True),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        _when("created_at"),
        _of_user("key_slots"),
        sa.ForeignKeyConstraint(
            ["login_id"], ["logins.id"], name=op.f("fk_key_slots_login_id_logins"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["token_id"], ["tokens.id"], name=op.f("fk_key_slots_token_id_tokens"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_slots")),
        sa.UniqueConstraint("login_id", name=op.f("uq_key_slots_login_id")),
        sa.UniqueConstraint("token_id", name=op.f("uq_key_slots_token_id")),
    )  # fmt: skip
    op.create_index(op.f("ix_key_slots_user_id"), "key_slots", ["user_id"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Integer(), nullable=False),
        _users_row(),
        sa.Column("restic_id", sa.String(length=64), nullable=False),
        sa.Column("reason", _enum("reason", *_REASONS), nullable=False),
        sa.Column("note", sa.String(length=80), nullable=False),
        _when("taken_at"),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
        sa.Column("added_bytes", sa.BigInteger(), nullable=False),
        sa.Column("consistent", sa.Boolean(), nullable=False),
        sa.CheckConstraint("files >= 0", name=op.f("ck_snapshots_files")),
        sa.CheckConstraint("total_bytes >= 0", name=op.f("ck_snapshots_total")),
        sa.CheckConstraint("added_bytes >= 0", name=op.f("ck_snapshots_added")),
        _of_user("snapshots"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_snapshots_user_id"), "snapshots", ["user_id"], unique=False)
    op.create_index(op.f("ix_snapshots_taken_at"), "snapshots", ["taken_at"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        _users_row(),
        sa.Column("workspace", sa.String(length=24), nullable=False),
        _when("started_at"),
        _when("seen_at"),
        _when("ended_at", nullable=True),
        sa.CheckConstraint(
            "ended_at IS NULL OR ended_at >= started_at", name=op.f("ck_runs_order")
        ),
        _of_user("runs"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_user_id"), "runs", ["user_id"], unique=False)
    op.create_index(op.f("ix_runs_ended_at"), "runs", ["ended_at"], unique=False)
    op.create_table(
        "remains",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("home", sa.String(length=32), nullable=False),
        sa.Column("username", sa.String(length=30), nullable=False),
        sa.Column("storage", sa.String(length=16), nullable=True),
        sa.Column("place", sa.String(length=512), nullable=True),
        _when("delete_after"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remains")),
        sa.UniqueConstraint("home", name=op.f("uq_remains_home")),
    )
    op.create_index(op.f("ix_remains_delete_after"), "remains", ["delete_after"], unique=False)


def downgrade() -> None:
    for table in ("remains", "runs", "snapshots", "key_slots", "homes"):
        op.drop_table(table)
    op.execute("ALTER TABLE users DROP COLUMN max_hours")
    op.execute("ALTER TABLE users DROP COLUMN max_disk_bytes")
