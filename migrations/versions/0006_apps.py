"""apps: what a template's workspaces run on demand"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By hand: see 0002.
    op.execute("ALTER TABLE templates ADD COLUMN apps JSON NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    op.execute("ALTER TABLE templates DROP COLUMN apps")
