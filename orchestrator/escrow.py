"""The operator's copy of every home's key, where ``ROOTBLOOD_ESCROW`` is on.

The server has the public key alone: it makes copies that it cannot open. What opens them, the
private key with its passphrase, never is on the server but while an operator opens one copy.
"""

import os
from pathlib import Path

from orchestrator.errors import BadInput
from orchestrator.logs import log
from orchestrator.settings import Settings
from orchestrator.storage import keys

LOG = log(__name__)
FILE_NAME = "escrow.pem"
PASSPHRASE_MIN = 12


def check(settings: Settings) -> None:
    """Refuse to serve with escrow and without a usable key for it. Raises: BadInput."""
    if settings.escrow:
        _load(settings.data_dir / FILE_NAME)


def public_key(settings: Settings) -> keys.OperatorKey | None:
    """Return whom copies are made for; None without escrow.

    A key that became unusable while the server runs shuts nobody out: it is logged, and the copies
    that are missing are made at later sign-ins.
    """
    if not settings.escrow:
        return None
    try:
        return _load(settings.data_dir / FILE_NAME)
    except BadInput as error:
        LOG.error("escrow.unusable", why=error.message)
        return None


def _load(path: Path) -> keys.OperatorKey:
    try:
        return keys.load_public(path.read_bytes())
    except OSError as error:
        why = error.strerror
    except ValueError as error:
        why = str(error)
    raise BadInput(
        f"ROOTBLOOD_ESCROW is on, but {path} cannot be used: {why}",
        field="ROOTBLOOD_ESCROW",
        hint="Make a key pair with 'script/escrow new PRIVATE-FILE', or switch escrow off.",
    )


def new_pair(settings: Settings, private_path: Path, passphrase: str) -> Path:
    """Make a key pair, write each half to its place, and return that of the public one.

    Nothing is overwritten. Raises: BadInput.
    """
    public_path = settings.data_dir / FILE_NAME
    if private_path.resolve().is_relative_to(settings.data_dir.resolve()):
        raise BadInput(
            "The private key must not lie in the data directory",
            hint="Name a file on a disk that this server does not keep, such as a USB stick.",
        )
    if len(passphrase) < PASSPHRASE_MIN:
        raise BadInput(f"Use a passphrase of at least {PASSPHRASE_MIN} characters")
    for path in (private_path, public_path):
        if path.exists():
            raise BadInput(f"{path} is there already", hint="Move it away first.")
    public, private = keys.new_operator_pair(passphrase)
    _write(private_path, private)  # first: a public key without it would make copies for nobody
    _write(public_path, public)
    return public_path


def _write(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
