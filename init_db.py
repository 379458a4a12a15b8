"""Bring the database to the present schema and fill the catalogue; safe to run again.

``python init_db.py`` does it by hand; ``app.py`` does the same at every start. With ``--offer APP``
people may have an app from then on: ``script/add-app`` says so.
"""

import argparse
import fcntl
import sys
from collections.abc import Sequence

import flask_migrate
from flask import Flask

from models import utcnow
from orchestrator import apps, catalogue
from orchestrator.errors import RootBloodError
from orchestrator.platform import compose
from orchestrator.settings import Settings
from web import create_app


def migrate(app: Flask) -> None:
    """Upgrade the schema and make sure that the built-in template is there.

    Servers that start at once wait for each other: by a lock file in the data directory, and on
    PostgreSQL by an advisory lock (migrations/env.py).
    """
    data_dir = app.extensions["rootblood"].settings.data_dir
    with open(data_dir / "migrate.lock", "w") as lock, app.app_context():
        fcntl.flock(lock, fcntl.LOCK_EX)
        flask_migrate.upgrade()
        catalogue.ensure_built_in(utcnow())


def main(arguments: Sequence[str] = ()) -> int:
    """Run the migration; return the exit code."""
    parser = argparse.ArgumentParser(description="Bring the database to the present schema.")
    parser.add_argument("--offer", choices=sorted(apps.SHIPPED), help="let people have this app")
    offered = parser.parse_args(arguments).offer
    try:
        settings = Settings.from_environment()
        app = create_app(compose(settings, splicer=None))
        migrate(app)
        if offered:
            with app.app_context():
                catalogue.offer(apps.SHIPPED[offered], utcnow())
    except RootBloodError as error:
        print(f"The database is not ready: {error}", file=sys.stderr)
        return 1
    print(f"The database in {settings.data_dir} is ready. Start the server: python app.py")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
