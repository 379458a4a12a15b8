"""The operator's part of escrow: make the key pair, and a recovery code from a copy in escrow.

Run by ``script/escrow``, whose first argument is the directory that relative paths start from.
"""

import argparse
import getpass
import sys
from dataclasses import replace
from pathlib import Path

from models import utcnow
from orchestrator import dumps, escrow, logs, recovery
from orchestrator.errors import BadInput, RootBloodError
from orchestrator.platform import compose
from orchestrator.settings import Settings, StorageChoice
from orchestrator.storage import keys
from web import create_app


def passphrase(prompt: str) -> str:
    """Return what the operator types, or the next line where nobody types."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\n")


def new(settings: Settings, private: Path) -> None:
    """Make the key pair. Raises: BadInput."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    chosen = passphrase("Passphrase for the private key: ")
    if sys.stdin.isatty() and passphrase("Once more: ") != chosen:
        raise BadInput("The two passphrases differ", hint="Try again.")
    public = escrow.new_pair(settings, private, chosen)
    print(f"The server's half is {public}. Set ROOTBLOOD_ESCROW=on and restart it.")
    print(f"Yours is {private}. Take it off this machine; without it no copy can be opened.")


def open_copy(settings: Settings, username: str, private: Path) -> None:
    """Print a recovery code for an account. Raises: BadInput, NotFound."""
    try:
        pem = private.read_bytes()
        key = keys.load_private(pem, passphrase("Passphrase of the private key: "))
    except (OSError, ValueError) as error:
        raise BadInput(f"{private} cannot be used: {error}") from error
    # No home is touched, so it need not be found out how homes are kept.
    quiet = replace(settings, storage=StorageChoice.PLAIN)
    with create_app(compose(quiet, splicer=None)).app_context():
        code = recovery.code_from_escrow(username, key, utcnow())
    print(f"Recovery code for {username}, to be used once on the page /recover:")
    print(code)


def main() -> int:
    """Do what the command line says; return the exit code."""
    dumps.forbid()
    parser = argparse.ArgumentParser(prog="script/escrow", description="Keys in escrow.")
    parser.add_argument("directory", type=Path, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("new", help="make the key pair")
    opening = commands.add_parser("open", help="make a recovery code for an account")
    opening.add_argument("username")
    for command in (making, opening):
        command.add_argument("private", type=Path, help="the private key's file")
    given = parser.parse_args()
    private = given.directory / given.private
    logs.configure()
    try:
        settings = Settings.from_environment()
        if given.command == "new":
            new(settings, private)
        else:
            open_copy(settings, given.username, private)
    except RootBloodError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
