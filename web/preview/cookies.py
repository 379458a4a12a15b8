"""The cookies that are ours on a preview's origin: its pass, and the nonce of who comes for one.

In a frame of the panel both are partitioned (CHIPS): a browser keeps them apart by the page in
front, and sends no other cookies there.
"""

import re
from dataclasses import dataclass

from orchestrator.previews.passes import PASS_SECONDS

PASS = "rootblood-pass"  # noqa: S105  # a name
NONCE = "rootblood-nonce"
NONCE_SECONDS = 3600
"""Long enough to sign in meanwhile."""
SAME_NAME_MOST = 4
"""A browser may send one of the page in front, and one that is partitioned."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Jar:
    """How cookies are named and set for one request.

    ``secure``: the browser takes ``Secure`` from this origin, and so the prefix ``__Host-``, by
    which no other host can set them.
    """

    secure: bool
    framed: bool
    tag: str = ""
    """Ends our cookies' names, where previews share a host and so its cookies."""

    def name(self, name: str) -> str:
        return f"__Host-{name}{self.tag}" if self.secure else f"{name}{self.tag}"

    def values(self, header: str, name: str) -> list[str]:
        """Return what a ``Cookie`` header holds under one of our names; only what we could set."""
        start, found = f"{self.name(name)}=", list[str]()
        for pair in header.split(";"):
            text = pair.strip()
            value = text.removeprefix(start)
            if value != text and _SECRET.fullmatch(value) and value not in found:
                found.append(value)
        return found[:SAME_NAME_MOST]

    def set(self, name: str, value: str) -> str:
        """Return the ``Set-Cookie`` that keeps ``value``."""
        seconds = PASS_SECONDS if name == PASS else NONCE_SECONDS
        kept = f"{self.name(name)}={value}; Path=/; Max-Age={seconds}; HttpOnly"
        if not self.secure:
            return f"{kept}; SameSite=Lax"
        return f"{kept}; Secure; " + (
            "SameSite=None; Partitioned" if self.framed else "SameSite=Lax"
        )
