"""previews: shares, tickets, passes, and who looks"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BEFORE = ("terminal", "editor", "language")
_AFTER = (*_BEFORE, "ports", "preview")
_OF_PASS = "fk_active_sessions_pass_id_passes"  # noqa: S105  # the name of a key


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=16, create_constraint=True)


def _number(name: str) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=False)


def _text(name: str, length: int) -> sa.Column:
    return sa.Column(name, sa.String(length=length), nullable=False)


def _when(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _of(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete="CASCADE"
    )


def _index(table: str, column: str) -> None:
    op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)


def upgrade() -> None:
    op.create_table(
        "shares",
        _number("id"),
        _number("workspace_id"),
        _number("port"),
        sa.Column("audience", _enum("audience", "private", "users", "public"), nullable=False),
        _when("created_at"),
        _when("expires_at", nullable=True),
        sa.CheckConstraint("port BETWEEN 1 AND 65535", name=op.f("ck_shares_port")),
        _of("shares", "workspace_id", "workspaces"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
        sa.UniqueConstraint("workspace_id", "port", name="uq_shares_workspace_id_port"),
    )
    op.create_table(
        "tickets",
        _number("id"),
        _text("secret_hash", 64),
        _number("user_id"),
        _number("login_id"),
        _text("label", 63),
        _text("state", 64),
        _text("panel", 255),
        _when("expires_at"),
        _of("tickets", "user_id", "users"),
        _of("tickets", "login_id", "logins"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_tickets_secret_hash")),
    )
    _index("tickets", "user_id")
    op.create_table(
        "passes",
        _number("id"),
        _text("secret_hash", 64),
        _number("user_id"),
        _number("login_id"),
        _number("workspace_id"),
        _number("port"),
        _text("panel", 255),
        _when("created_at"),
        _when("expires_at"),
        _of("passes", "user_id", "users"),
        _of("passes", "login_id", "logins"),
        _of("passes", "workspace_id", "workspaces"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passes")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_passes_secret_hash")),
        sqlite_autoincrement=True,
    )
    for column in ("user_id", "login_id", "workspace_id", "expires_at"):
        _index("passes", column)
    op.create_table(
        "berths",
        sa.Column("port", sa.Integer(), autoincrement=False, nullable=False),
        _number("workspace_id"),
        _number("app_port"),
        _when("used_at"),
        _of("berths", "workspace_id", "workspaces"),
        sa.PrimaryKeyConstraint("port", name=op.f("pk_berths")),
        sa.UniqueConstraint("workspace_id", "app_port", name="uq_berths_workspace_id_app_port"),
    )
    with _active_sessions() as batch:
        batch.alter_column(
            "kind", existing_type=_enum("kind", *_BEFORE), type_=_enum("kind", *_AFTER)
        )
        batch.alter_column("user_id", existing_type=sa.Integer(), nullable=True)
        batch.add_column(sa.Column("pass_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("port", sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f(_OF_PASS), "passes", ["pass_id"], ["id"], ondelete="CASCADE")


def downgrade() -> None:
    op.execute("DELETE FROM active_sessions WHERE kind IN ('ports', 'preview')")
    with _active_sessions() as batch:
        batch.drop_constraint(op.f(_OF_PASS), type_="foreignkey")
        batch.drop_column("port")
        batch.drop_column("pass_id")
        batch.alter_column("user_id", existing_type=sa.Integer(), nullable=False)
        batch.alter_column(
            "kind", existing_type=_enum("kind", *_AFTER), type_=_enum("kind", *_BEFORE)
        )
    for table in ("berths", "passes", "tickets", "shares"):
        op.drop_table(table)


@contextmanager
def _active_sessions() -> Iterator[BatchOperations]:
    """Change the table. Nothing refers to it, so SQLite may make it anew: see 0004."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    given = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'active_sessions'")
    last = op.get_bind().scalar(given) if sqlite else None
    with op.batch_alter_table(
        "active_sessions", table_kwargs={"sqlite_autoincrement": True}
    ) as batch:
        yield batch
    if last is not None:  # no number is given twice, the last one neither
        op.execute("DELETE FROM sqlite_sequence WHERE name = 'active_sessions'")
        again = sa.text("INSERT INTO sqlite_sequence VALUES ('active_sessions', :last)")
        op.get_bind().execute(again, {"last": last})
