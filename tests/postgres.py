"""A PostgreSQL server of the test run's own: Debian's binaries, a unix socket, no durability."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from tests.wire import wait_for

ACCOUNT = "postgres"
BINARIES = Path("/usr/lib/postgresql")


class PostgresMissing(Exception):
    """PostgreSQL's server is not installed here, or has no account to run as."""


def _binaries() -> Path:
    found = sorted(BINARIES.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not found:
        raise PostgresMissing("needs PostgreSQL: apt-get install postgresql")
    return found[-1].parent


def _account() -> dict[str, object]:
    """Return how to run a program as an ordinary user: initdb refuses to be root."""
    if os.geteuid() != 0:
        return {}
    with suppress(KeyError):
        found = pwd.getpwnam(ACCOUNT)
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise PostgresMissing(f"needs the account {ACCOUNT}: apt-get install postgresql")


@contextmanager
def server() -> Iterator[str]:
    """Run a server; yield its SQLAlchemy URL up to the database's name."""
    programs, account = _binaries(), _account()
    # Not in pytest's directory: only root may enter that.
    root = Path(tempfile.mkdtemp(prefix="rb-pg-"))
    try:
        if account:
            os.chown(root, account["user"], account["group"])
        environ = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        subprocess.run(
            [programs / "initdb", "-D", root / "data", "-A", "trust", "-U", ACCOUNT, "--no-sync"],
            check=True, capture_output=True, env=environ, cwd=root, **account,
        )  # fmt: skip
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(root),
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "timezone": "Asia/Tokyo",  # nothing may depend on the server's zone
        }
        with open(root / "log", "wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", root / "data"]
                + [part for key, value in settings.items() for part in ("-c", f"{key}={value}")],
                stdout=log, stderr=log, env=environ, cwd=root, **account,
            )  # fmt: skip
        try:
            wait_for(lambda: process.poll() is not None or _answers(root))
            assert process.poll() is None, (root / "log").read_text()
            yield f"postgresql+psycopg://{ACCOUNT}@/{{name}}?host={root}"
        finally:
            process.send_signal(signal.SIGQUIT)  # "immediate shutdown"
            process.wait()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _answers(root: Path) -> bool:
    try:
        psycopg.connect(host=str(root), user=ACCOUNT, dbname=ACCOUNT).close()
    except psycopg.OperationalError:
        return False
    return True


def create_database(url: str, name: str) -> str:
    """Create an empty database on the server of ``url``; return the URL of the database."""
    host = url.partition("host=")[2]
    with psycopg.connect(host=host, user=ACCOUNT, dbname=ACCOUNT, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return url.format(name=name)
