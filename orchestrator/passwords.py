"""Passwords and secrets: hashed off the event loop, compared in constant time."""

import hashlib
import secrets

from werkzeug.security import check_password_hash, generate_password_hash

from orchestrator.offload import offload

METHOD = "scrypt:32768:8:1"
"""N, r and p: 32 MiB and some 80 ms. Source: OWASP's password storage cheat sheet."""

_NOBODY = generate_password_hash(secrets.token_hex(16), METHOD)


def hash_password(password: str) -> str:
    """Return a salted scrypt hash."""
    return offload(generate_password_hash, password, METHOD)


def verify(password_hash: str | None, password: str) -> bool:
    """Return whether the password fits; an unknown account (None) takes just as long."""
    fits = offload(check_password_hash, password_hash or _NOBODY, password)
    return fits and password_hash is not None


def new_secret() -> str:
    """Return 256 random bits as URL-safe text."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """Return what is stored of a random secret: SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()
