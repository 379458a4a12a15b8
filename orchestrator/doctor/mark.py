"""Recognise this installation in an answer: another server may stand where it should."""

import hashlib
import hmac

_PURPOSE = b"rootblood: the doctor's mark"


def of(secret: bytes) -> str:
    """Return what every server of the installation with this secret key calls itself."""
    return hmac.new(secret, _PURPOSE, hashlib.sha256).hexdigest()[:16]
