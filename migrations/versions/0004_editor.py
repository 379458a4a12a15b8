"""editor: kinds of connections, language servers of templates"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BEFORE = ("terminal",)
_AFTER = ("terminal", "editor", "language")


def _kinds(*values: str) -> sa.Enum:
    return sa.Enum(*values, name="kind", native_enum=False, length=16, create_constraint=True)


def _change_kinds(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    # Nothing refers to this table, so SQLite may make it anew: see 0002 for those it may not.
    sqlite = op.get_bind().dialect.name == "sqlite"
    given = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'active_sessions'")
    last = op.get_bind().scalar(given) if sqlite else None
    with op.batch_alter_table(
        "active_sessions", table_kwargs={"sqlite_autoincrement": True}
    ) as batch:
        batch.alter_column("kind", existing_type=_kinds(*before), type_=_kinds(*after))
    if last is not None:  # no number is given twice, the last one neither
        op.execute("DELETE FROM sqlite_sequence WHERE name = 'active_sessions'")
        again = sa.text("INSERT INTO sqlite_sequence VALUES ('active_sessions', :last)")
        op.get_bind().execute(again, {"last": last})


def upgrade() -> None:
    _change_kinds(_BEFORE, _AFTER)
    # By hand: see 0002.
    op.execute("ALTER TABLE templates ADD COLUMN languages JSON NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    op.execute("ALTER TABLE templates DROP COLUMN languages")
    op.execute("DELETE FROM active_sessions WHERE kind <> 'terminal'")
    _change_kinds(_AFTER, _BEFORE)
