"""The names of files below a folder, for quick open: one JSON document, compressed if asked.

All of them, or of those that have some letters in their order the best.
"""

import json
import re
import sys
import zlib
from typing import Any

from orchestrator.inside.lines import end_with_input, give_way, request, shown
from orchestrator.inside.ripgrep import chosen, place_of, started

_GZIP = 31
"""Window bits that make zlib write gzip's format: zlib.h, deflateInit2."""


NAMES_MOST = 500_000
"""Read of one folder, whatever is asked of them."""


def best(names: list[str], letters: str, most: int) -> list[str]:
    """Return the names that have the letters in their order, best first.

    Better is: together in the last part, together, in the last part, anywhere; then what is short.
    """
    wanted = "".join(letters.split()).lower()
    scattered = re.compile(".*?".join(map(re.escape, wanted)), re.DOTALL)

    def rank(name: str) -> tuple[int, int] | None:
        lower = name.lower()
        if not scattered.search(lower):
            return None
        last = lower.rpartition("/")[2]
        if wanted in lower:
            return (0 if last.startswith(wanted) else 1 if wanted in last else 2), len(name)
        return (3 if scattered.search(last) else 4), len(name)

    ranked = [(place, name) for name in names if (place := rank(name))]
    return [name for _, name in sorted(ranked)[:most]]


def found(asked: dict[str, Any]) -> tuple[list[str], bool]:
    """Return the names, and whether there are more."""
    letters, most = asked["letters"], asked["most"]
    read = NAMES_MOST if letters else most
    folder, what = place_of(asked)
    process = started(["--files", "--null", *chosen(asked), "--", what], folder)
    assert process.stdout is not None
    names: list[str] = []
    held = b""
    while len(names) <= read and (data := process.stdout.read(1 << 18)):
        *whole, held = (held + data).split(b"\0")
        names += (shown(name.removeprefix(b"./")) for name in whole)
    process.kill()
    truncated = len(names) > read
    return best(names[:read], letters, most) if letters else names[:read], truncated


def main() -> None:
    asked = request()
    end_with_input()
    give_way(0)  # somebody waits for it with a finger on the key
    try:
        names, truncated = found(asked)
    except ValueError:
        names, truncated = [], False
    said = {"names": names, "truncated": truncated}
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    if asked["gzip"]:
        packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
        text = packer.compress(text) + packer.flush()
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()
