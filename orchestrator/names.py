"""Parsers for everything that people may name. Nothing else turns user text into a name.

Names end up in container names, paths, URLs and DNS labels, so they are strict: lower-case ASCII
letters and digits with single inner hyphens. ``<port>--<workspace>--<user>`` is at most
5 + 2 + 24 + 2 + 30 = 63 octets, one DNS label (RFC 1035 section 2.3.4).
"""

import re
from collections.abc import Callable

from orchestrator.errors import BadInput

USERNAME_MAX = 30
WORKSPACE_MAX = 24
SESSION_MAX = 32
PASSWORD_MIN = 10
PASSWORD_MAX = 200

HOST_MAX = 180
"""Of an apps domain: with a preview's label before it the whole is a name that DNS can carry."""

_DNS_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)

RESERVED = frozenset(
    """
    abuse account admin administrator all anonymous api apps assets auth backup bin daemon
    data docs doctor download events everyone games git global guest healthz help home host
    hostmaster http https info invite irc list lists localhost login logout lp mail man me
    messagebus metrics news nobody noc none null operator owner postmaster preview proxy
    public readyz register root rootblood search security self server service session
    settings share shared signup snapshots ssh sshd static status support sync sys system
    systemd templates token tokens tty undefined user username users uucp webmaster
    workspace workspaces www www-data
    """.split()
)


def _label(text: object, *, what: str, field: str, shortest: int, longest: int) -> str:
    rule = f"Use {shortest} to {longest} characters: a-z, 0-9 and single hyphens between them."
    # The length comes first, so that a huge value is never scanned, logged or echoed.
    if not isinstance(text, str) or not shortest <= len(text) <= longest:
        raise BadInput(f"That is not a valid {what}", field=field, hint=rule)
    if not _LABEL.fullmatch(text):
        raise BadInput(f"That is not a valid {what}", field=field, hint=rule)
    return text


def parse_username(text: object) -> str:
    """Return ``text`` when it can be a new account's name. Raises: BadInput."""
    name = _label(text, what="username", field="username", shortest=2, longest=USERNAME_MAX)
    if name in RESERVED:
        raise BadInput(f"'{name}' is reserved", field="username", hint="Choose another username.")
    return name


def parse_workspace(text: object) -> str:
    """Return ``text`` when it can name a workspace. Raises: BadInput."""
    return _label(text, what="workspace name", field="name", shortest=1, longest=WORKSPACE_MAX)


def parse_host(text: str) -> str:
    """Return ``text`` when it is a host's name in lower case. Raises: ValueError."""
    if len(text) > HOST_MAX or not _HOST.fullmatch(text):
        raise ValueError(f"{text[:HOST_MAX]!r} is no host's name")
    return text


def parse_authority(text: str) -> tuple[str, str]:
    """Return a host's name and its port, "" where there is none. Raises: ValueError."""
    host, colon, port = text.partition(":")
    if colon and not is_port(port):
        raise ValueError(f"{port[:HOST_MAX]!r} is no port")
    return parse_host(host), port


def is_own_machine(host: str) -> bool:
    """Return whether every browser takes a host's name for its own: W3C Secure Contexts, 3.1."""
    return host == "localhost" or host.endswith(".localhost")


def is_port(text: str) -> bool:
    """Return whether ``text`` is the number of a port as it is written."""
    return re.fullmatch(r"[1-9][0-9]{0,4}", text, re.ASCII) is not None and int(text) < 65536


def could_be(parse: Callable[[object], str], text: object) -> bool:
    """Return whether ``parse`` accepts ``text``: what cannot be a name need not be looked up.

    PostgreSQL raises an error when it is to compare a text with a NUL in it.
    """
    try:
        parse(text)
    except BadInput:
        return False
    return True


def parse_session(text: object) -> str:
    """Return ``text`` when it can name a tmux session. Raises: BadInput."""
    return _label(text, what="session name", field="session", shortest=1, longest=SESSION_MAX)


def parse_template(text: object) -> str:
    """Return ``text`` when it can name a template. Raises: BadInput."""
    return _label(text, what="template name", field="name", shortest=1, longest=SESSION_MAX)


_IMAGE = re.compile(
    r"[a-z0-9]+(?:[._/:-][a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)


def parse_image(text: object) -> str:
    """Return ``text`` when it is an image reference such as ``chaospine:1.0.0``.

    Source: the reference grammar of the distribution project. Raises: BadInput.
    """
    if isinstance(text, str) and len(text) <= 255 and _IMAGE.fullmatch(text):
        return text
    raise BadInput(
        "That is not an image reference",
        field="image",
        hint="Write it as 'docker images' shows it: name:tag.",
    )


def parse_password(text: object) -> str:
    """Return ``text`` when it can be a new password. Raises: BadInput."""
    if not isinstance(text, str) or not PASSWORD_MIN <= len(text) <= PASSWORD_MAX:
        raise BadInput(
            "That password cannot be used",
            field="password",
            hint=f"Use {PASSWORD_MIN} to {PASSWORD_MAX} characters; a few random words are best.",
        )
    return text


def parse_title(text: object, *, field: str, longest: int = 80) -> str:
    """Return ``text`` stripped when it is one printable line. Raises: BadInput."""
    if isinstance(text, str) and len(text) <= longest * 4:
        line = text.strip()
        if 0 < len(line) <= longest and line.isprintable():
            return line
    raise BadInput(
        "That text cannot be used", field=field, hint=f"Use one line of 1 to {longest} characters."
    )


_PATH_BYTES = 4096
_COMPONENT_BYTES = 255
_RAW = 0x10FF00
_SURROGATES = 0xDC00


def parse_home_path(text: object, *, root: bool = False) -> str:
    """Return ``text`` when it is a path in a home, relative to it; "" is the home, with ``root``.

    A byte that is no UTF-8 is written as the private character U+10FF00 + byte, because neither
    JSON nor URLs carry it, and returned as Python's surrogate escape. Raises: BadInput.
    """
    if isinstance(text, str) and len(text) <= _PATH_BYTES and "\0" not in text:
        path = "".join(_unshown(character) for character in text.strip("/"))
        try:
            parts = path.encode(errors="surrogateescape").split(b"/") if path else []
        except UnicodeEncodeError:
            parts = [b".."]
        if (parts or root) and all(
            part not in (b"", b".", b"..") and len(part) <= _COMPONENT_BYTES for part in parts
        ):
            return path
    raise BadInput(
        "That is not a path in your home",
        field="path",
        hint="Write it relative to your home, such as 'project/notes.txt'.",
    )


def show_home_path(path: str) -> str:
    """Return a file name or path as :func:`parse_home_path` reads it."""
    return "".join(
        chr(_RAW + ord(c) - _SURROGATES) if 0xDC80 <= ord(c) <= 0xDCFF else c for c in path
    )


def _unshown(character: str) -> str:
    code = ord(character)
    return chr(_SURROGATES + code - _RAW) if _RAW + 0x80 <= code <= _RAW + 0xFF else character
