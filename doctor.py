"""The operator's doctor: say how well this server is set up, whether it runs or not.

Run by ``script/doctor``. The exit code is 0 where all is well, 1 where something could be better
and 2 where something is broken.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import SQLAlchemyError

from models import db
from orchestrator import doctor, dumps, logs
from orchestrator.doctor import Finding, Verdict, journey, mark
from orchestrator.errors import RootBloodError
from orchestrator.platform import Platform, compose
from orchestrator.settings import Settings
from web import MIGRATIONS, SECRET_KEY, create_app

WORDS = {Verdict.OK: "fine", Verdict.WARN: "could be better", Verdict.FAIL: "broken"}
COLOURS = {Verdict.OK: "32", Verdict.WARN: "33", Verdict.FAIL: "31"}
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def examine(url: str) -> Iterator[Finding]:
    """Return what there is to say, from the settings on as far as it goes."""
    try:
        settings = Settings.from_environment()
        way = journey.Origin.of(url or settings.panel_url) if url or settings.panel_url else None
        platform = compose(settings, splicer=None)
    except (RootBloodError, OSError) as error:
        yield broken("settings", error)
        return
    yield Finding(
        "settings",
        Verdict.OK,
        f"The settings are understood; data is in {platform.settings.data_dir}.",
    )
    secret = settings.data_dir / SECRET_KEY
    name = mark.of(secret.read_bytes()) if secret.exists() else ""
    here = serving(settings, name)
    yield here
    runs = here.verdict is Verdict.OK
    yield from database(platform) if name else ()
    yield from doctor.examine(platform, panel=way.origin if way else "", serving=runs)
    if way is not None:
        yield from journey.examine(way, settings, name)


def serving(settings: Settings, name: str) -> Finding:
    """Say whether the server runs, and serves previews."""
    host, port = settings.address
    at = (ANY.get(host, host), port)
    local = journey.Origin("http", "localhost", port, at)
    found = {one.name: one for one in journey.examine(local, settings, name)}
    if "reached" in found:
        return Finding(
            "server", Verdict.WARN, f"The server does not run: {found['reached'].what}",
            "script/server starts it. What follows is true without it.",
        )  # fmt: skip
    bad = [one for one in found.values() if one.verdict is Verdict.FAIL]
    if bad:
        return Finding("server", Verdict.FAIL, f"The server runs, but: {bad[0].what}", bad[0].hint)
    return Finding("server", Verdict.OK, f"The server runs, and answers on {settings.listen}.")


def database(platform: Platform) -> Iterator[Finding]:
    """Say whether the database answers, and fits this version."""
    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    try:
        with create_app(platform).app_context(), db.engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
    except (SQLAlchemyError, OSError) as error:
        yield broken("database", error)
        return
    if present == newest:
        yield Finding("database", Verdict.OK, "The database answers and has this version's schema.")
    else:
        yield Finding(
            "database", Verdict.WARN,
            f"The database has the schema {present or 'of nobody'}, this version's is {newest}.",
            "The server's next start migrates it.",
        )  # fmt: skip


def broken(name: str, error: Exception) -> Finding:
    """Return the finding that is all that can be said."""
    if isinstance(error, RootBloodError):
        return Finding(name, Verdict.FAIL, error.message, error.hint)
    hint = "Run this as the user that the server runs as."
    return Finding(name, Verdict.FAIL, f"{error}", hint)


def show(found: list[Finding]) -> None:
    """Print the findings for a person."""
    width = max(len(one.name) for one in found)
    for one in found:
        word = f"{WORDS[one.verdict]:<15}"
        if sys.stdout.isatty():
            word = f"\033[{COLOURS[one.verdict]}m{word}\033[0m"
        print(f"{word}  {one.name:<{width}}  {one.what}")
        if one.hint and one.verdict is not Verdict.OK:
            print(" " * (width + 19) + one.hint)


def main() -> int:
    """Examine this server as the command line says; return the exit code."""
    dumps.forbid()
    logs.configure()
    parser = argparse.ArgumentParser(prog="script/doctor", description="Say what is wrong here.")
    parser.add_argument("--url", default="", help="where browsers reach the panel")
    parser.add_argument("--json", action="store_true", help="print a document for programs")
    given = parser.parse_args()
    found = list(examine(given.url))
    if given.json:
        print(json.dumps({"findings": [asdict(one) for one in found]}, indent=1))
    else:
        show(found)
    verdicts = {one.verdict for one in found}
    return 2 if Verdict.FAIL in verdicts else 1 if Verdict.WARN in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
