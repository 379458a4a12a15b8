"""Previews: what listens on a port of a workspace, opened on an origin of its own.

Words: a *preview* is one port of one workspace, named by its :class:`Label`; a *share* says who
may open it; a *ticket* lets one browser in, once, within seconds; a *pass* is what that browser
shows from then on, in a cookie of the preview's origin; a *viewer* is who looks, as this process
sees it.
"""

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from models import Audience
from orchestrator.policy import TERMINAL_PORT
from orchestrator.previews.viewers import Viewer

OWN_PORTS = frozenset({TERMINAL_PORT})
"""Ours inside every workspace: whoever reaches the terminal's server has the terminal."""
RESERVED = "/.rootblood/"
"""Paths below it are ours on every preview's origin, and never the app's."""
HERE = f"{RESERVED}here"
"""What arrived, as JSON; over a WebSocket as one message."""
PROBE = f"{RESERVED}probe"
"""A page that tells the page around it whether a cookie of this origin came back."""

_LABEL = re.compile(
    r"([1-9][0-9]{0,4})--((?!-)[a-z0-9-]{1,24}(?<!-))--((?!-)[a-z0-9-]{1,30}(?<!-))", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Label:
    """The name of a preview: ``<port>--<workspace>--<user>``, one DNS label."""

    port: int
    workspace: str
    user: str

    def __str__(self) -> str:
        return f"{self.port}--{self.workspace}--{self.user}"

    @classmethod
    def nobodys(cls) -> "Label":
        """Return the name of a preview that nobody has, as long as they get."""
        return cls(65535, secrets.token_hex(12), secrets.token_hex(15))

    @classmethod
    def parse(cls, text: str) -> "Label | None":
        """Return the preview of that name, None where there can be none. Takes lower case only."""
        found = _LABEL.fullmatch(text)
        if found is None or text.count("--") != 2 or not is_previewable(int(found[1])):
            return None
        return cls(int(found[1]), found[2], found[3])


def is_previewable(port: int) -> bool:
    """Return whether ``port`` is one, and not ours."""
    return 0 < port < 65536 and port not in OWN_PORTS


class Verdict(StrEnum):
    """What the gate says of a request."""

    OPEN = "open"
    STOPPED = "stopped"
    """The caller may, but the workspace does not run."""
    PASS_NEEDED = "pass-needed"  # noqa: S105  # no secret
    """Nobody knows who asks. Said of what does not exist, too: strangers are told nothing."""
    ABSENT = "absent"
    """The caller proved who they are by a token, and may not: for them it does not exist."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate said, good for one request."""

    verdict: Verdict
    label: Label
    audience: Audience = Audience.PRIVATE
    """Whom the preview is shared with."""
    container: str = ""
    """The workspace's name on the engine, where the verdict is OPEN."""
    panel: str = ""
    """The panel's origin, as ``https://panel.example.org``, that may frame the preview; "" where
    it is not known: for tokens, and for who came to a public preview without a pass."""
    own: bool = False
    """Whether the workspace's owner asks."""
    viewer: Viewer | None = None
    """Where the verdict is OPEN. Hold it for as long as an exchange goes on."""
