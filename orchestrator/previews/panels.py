"""How a panel proves to a preview's origin where it is.

The server need not know its own address: the panel's page knows where the browser sees it, and
tells the preview's origin in the link that opens it. Else anybody could make a link that sends
people from a preview to a sign-in of their own.
"""

import base64
import hashlib
import hmac
import re
from datetime import datetime

from orchestrator.previews import Label

PROOF_SECONDS = 60

_PROOF = re.compile(r"([0-9]{1,12})\.([0-9a-f]{64})\.(https?://[a-z0-9.:\[\]-]{1,240})", re.ASCII)


def prove(secret: bytes, label: Label, origin: str, now: datetime) -> str:
    """Return a text that shows for a minute that the panel of ``label`` is at ``origin``."""
    until = int(now.timestamp()) + PROOF_SECONDS
    return f"{until}.{_mac(secret, label, origin, until)}.{origin}"


def proven(secret: bytes, label: Label, proof: str, now: datetime) -> str | None:
    """Return the origin that ``proof`` shows, None where it shows nothing."""
    found = _PROOF.fullmatch(proof)
    if found is None or int(found[1]) < now.timestamp():
        return None
    good = _mac(secret, label, found[3], int(found[1]))
    return found[3] if hmac.compare_digest(good, found[2]) else None


def mark(secret: bytes, label: Label) -> str:
    """Return what stands for a preview, as only who has the secret can write it."""
    digest = hmac.new(secret, f"preview-kept {label}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _mac(secret: bytes, label: Label, origin: str, until: int) -> str:
    message = f"preview-panel {until} {label} {origin}"
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()
