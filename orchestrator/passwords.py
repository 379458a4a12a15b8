"""Passwords and secrets: hashed off the event loop, compared in constant time."""

import hashlib
import math
import secrets

from werkzeug.security import check_password_hash, generate_password_hash

from orchestrator.offload import offload

METHOD = "scrypt:32768:8:3"
"""N, r and p: 32 MiB, three times over, in a quarter of a second.

Source: OWASP's password storage cheat sheet, where it stands for as much as N=2^17 and p=1, which
takes 128 MiB for each sign-in.
"""

_NOBODY = generate_password_hash(secrets.token_hex(16), METHOD)


def hash_password(password: str) -> str:
    """Return a salted scrypt hash."""
    return offload(generate_password_hash, password, METHOD)


def verify(password_hash: str | None, password: str) -> bool:
    """Return whether the password fits; an unknown account (None) takes just as long."""
    fits = offload(check_password_hash, password_hash or _NOBODY, password)
    return fits and password_hash is not None


def is_cheap(password_hash: str) -> bool:
    """Return whether the hash was made with less work than those of today."""
    return _work(password_hash.partition("$")[0]) < _work(METHOD)


def _work(method: str) -> int:
    name, *cost = method.split(":")
    return math.prod(map(int, cost)) if name == "scrypt" else 0


def new_secret() -> str:
    """Return 256 random bits as URL-safe text."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """Return what is stored of a random secret: SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()
