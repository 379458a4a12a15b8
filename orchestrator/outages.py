"""What it means for people when the database fails, in a request and in a job."""

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError

from orchestrator.errors import DatabaseUnreachable, NoSpace, RootBloodError
from orchestrator.logs import log

LOG = log(__name__)


def outage_of(error: DBAPIError) -> RootBloodError | None:
    """Return what is out of order around the server; None where the error is a bug of its own."""
    if disk_is_full(error):
        return NoSpace()
    if isinstance(error, OperationalError):
        LOG.error("database.unreachable", reason=str(error.orig))
        return DatabaseUnreachable()
    return None


def disk_is_full(error: DBAPIError) -> bool:
    """Return whether the database had no space to write: nothing of the transaction was kept.

    Codes: https://sqlite.org/rescode.html#full and PostgreSQL's appendix A.
    """
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == "53100"
