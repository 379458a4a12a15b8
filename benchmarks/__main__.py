"""Run one benchmark, or all: ``python -m benchmarks [name] [--json]``. Ends with 1 on a miss."""

import argparse
import signal
import sys

from benchmarks import (
    commons,
    commons_pages,
    files,
    homes,
    ide,
    previews,
    scale,
    start,
    terminal,
)
from benchmarks.results import Result, document, table

BENCHMARKS = {
    "terminal": terminal.run,
    "start": start.run,
    "scale": scale.run,
    "homes": homes.run,
    "files": files.run,
    "ide": ide.run,
    "commons": commons.run,
    "commons-pages": commons_pages.run,
    "previews": previews.run,
}


def main() -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=[*BENCHMARKS, "all"], default="all", nargs="?")
    parser.add_argument("--json", action="store_true", help="print a list instead of a table")
    arguments = parser.parse_args()
    # By default it would end the process without the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = list(BENCHMARKS) if arguments.name == "all" else [arguments.name]
    results: list[Result] = []
    for name in names:
        measured = BENCHMARKS[name]()
        results += measured
        if not arguments.json:
            print(table(measured), end="\n\n", flush=True)
    if arguments.json:
        print(document(results))
    return 1 if any(result.ok is False for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
