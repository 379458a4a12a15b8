"""The cookies that are ours on a preview's origin: its pass, and the nonce of who comes for one.

In a frame of the panel both are partitioned (CHIPS): a browser keeps them apart by the page in
front. They have names of their own there, since to a frame in a page of the same site it sends the
others as well, and previews below one domain are of one site, whosever they are.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from orchestrator.previews.passes import PASS_SECONDS
from web.heads import REMEMBERED, REMEMBERED_BYTES

PASS = "rootblood-pass"  # noqa: S105  # a name
NONCE = "rootblood-nonce"
KEPT = "rootblood-kept"
"""Whose storage the browser has for this port, where previews share a host."""
PROBE = "rootblood-probe"
"""By which the doctor tells whether a pass would be kept."""
_SECONDS = {
    PASS: PASS_SECONDS,
    NONCE: 3600,  # long enough to sign in meanwhile
    KEPT: 365 * 86400,
    PROBE: 60,
}
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
    """Whether what is set is for a frame."""
    both: bool = False
    """Whether what was set for frames and what was not count alike: to what pages load."""
    tag: str = ""
    """Ends our cookies' names, where previews share a host and so its cookies."""

    def name(self, name: str, *, framed: bool) -> str:
        if not self.secure:
            return f"{name}{self.tag}"
        return f"__Host-{name}{'-framed' if framed else ''}{self.tag}"

    def values(self, header: str, name: str) -> tuple[str, ...]:
        """Return what a ``Cookie`` header holds under one of our names; only what we could set."""
        return (_values if len(header) <= REMEMBERED_BYTES else _find)(self, header, name)

    def set(self, name: str, value: str) -> str:
        """Return the ``Set-Cookie`` that keeps ``value``."""
        name, seconds = self.name(name, framed=self.framed), _SECONDS[name]
        kept = f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly"
        if not self.secure:
            return f"{kept}; SameSite=Lax"
        return f"{kept}; Secure; " + (
            "SameSite=None; Partitioned" if self.framed else "SameSite=Lax"
        )


def _find(jar: Jar, header: str, name: str) -> tuple[str, ...]:
    kinds = (False, True) if jar.both else (jar.framed,)
    names = {jar.name(name, framed=framed) for framed in kinds}
    found = list[str]()
    for pair in header.split(";"):
        given, _, value = pair.strip(" \t").partition("=")  # as stripping.py reads them
        if given in names and _SECRET.fullmatch(value) and value not in found:
            found.append(value)
    return tuple(found[:SAME_NAME_MOST])


_values = lru_cache(REMEMBERED)(_find)
