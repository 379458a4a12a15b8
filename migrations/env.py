"""How Alembic reaches the application's database: through Flask-Migrate, one server at a time."""

from alembic import context
from flask import current_app
from sqlalchemy import text

LOCK = 0x52424442  # an arbitrary key, the same in every server


def run() -> None:
    """Run the migrations on the application's own engine."""
    database = current_app.extensions["migrate"].db
    with database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_as_batch=True,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
