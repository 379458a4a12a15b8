"""The database handle, aware timestamps, and how a use case writes.

SQLite runs in WAL mode. A transaction that means to write takes the write lock when it begins
(``BEGIN IMMEDIATE``): a read that is later promoted fails at once with SQLITE_BUSY when another
process wrote meanwhile, however long the busy timeout is (sqlite.org/lang_transaction.html).
No use case holds a transaction across a call to an engine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Delete, Dialect, Engine, MetaData, Update, event
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can refer to it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})

if TYPE_CHECKING:
    Model = Base  # what type checkers can follow of it
else:
    Model = db.Model


def utcnow() -> datetime:
    """Return the present moment, aware; the one place that asks the clock."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes, also where the database forgets the zone (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@contextmanager
def writing() -> Iterator[None]:
    """Commit at the end, or roll back and raise: the one transaction of a use case.

    Ends whatever read transaction is open. What was loaded before an ``end_reading()`` may be old:
    refresh what is decided on. On SQLite the write lock is taken first.
    """
    db.session.rollback()
    try:
        db.session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def end_reading() -> None:
    """End the read transaction under way, keeping what was loaded: do it before calling an engine.

    It would hold a connection of the database while nothing is asked of it.
    """
    db.session.commit()


def rows_changed(statement: Update | Delete) -> int:
    """Execute ``statement`` in the transaction under way and return how many rows it met."""
    result: Any = db.session.execute(statement.execution_options(synchronize_session=False))
    return int(result.rowcount)


def configure_sqlite(engine: Engine) -> None:
    """Set WAL, a busy timeout and explicit BEGIN on an SQLite engine; others are left alone."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "secure_delete=ON",  # a destroyed key is overwritten, not only unlinked
            "busy_timeout=10000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")
