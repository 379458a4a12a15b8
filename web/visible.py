"""Show what cannot be seen: control characters and what turns the direction of text.

Names, messages and files of a repository are anybody's bytes. A carriage return, a terminal escape
or a right-to-left override in them makes a page show something other than what is there
(CVE-2021-42574), so each becomes a picture of itself.
"""

_TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)
"""Unicode's explicit directional formatting characters: UAX #9, section 2."""
_CONTROLS = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_C1 = dict.fromkeys(range(0x80, 0xA0), 0x2426)
_HIDDEN: dict[int, str | int] = (
    dict.fromkeys(_TURNS, "\u2426") | _CONTROLS | _C1 | {0xFEFF: "\u2426", 0x2028: "\u2424"}
)
_IN_TEXT = {code: sign for code, sign in _HIDDEN.items() if code not in (0x09, 0x0A)}


def name(text: str) -> str:
    """Return ``text`` on one line, with every character that cannot be seen as a sign."""
    return text.encode("utf-8", "replace").decode().translate(_HIDDEN)


def text(text: str) -> str:
    """Return ``text`` with its lines and tabs as they are, and the rest as ``name`` does."""
    whole = text.replace("\r\n", "\n")
    return whole.encode("utf-8", "replace").decode().translate(_IN_TEXT)
