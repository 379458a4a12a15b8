"""Replace in files: ripgrep says where and by what, each file changes whole or not at all.

ripgrep is asked twice: where the matches are, and what they become. A file whose bytes at those
places are others by now has been changed meanwhile, and is left alone.
"""

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from orchestrator.inside.lines import (
    TEMPORARY,
    end_with_input,
    flush,
    give_way,
    request,
    shown,
    tell,
)
from orchestrator.inside.ripgrep import chosen, complaint, matching, place_of, started, text_of

AT_ONCE = 200
"""Files named to one ripgrep: its command line has an end."""


class Skipped(Exception):
    """A file that is left as it is, and why."""


@dataclass
class Found:
    """The matches of a file: where they are, what they are, and what they become."""

    places: list[tuple[int, bytes]] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)


def matches(arguments: list[str], folder: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield the name, the offset and the text of each match."""
    process = started(["--json", *arguments], folder)
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["type"] == "match":
            data = event["data"]
            for match in data["submatches"]:
                at = data["absolute_offset"] + match["start"]
                yield text_of(data["path"]), at, text_of(match["match"])
    if why := complaint(process):
        raise ValueError(why)


def replacements(arguments: list[str], folder: bytes, into: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name of the file of each match, and what the match becomes.

    A mark that no file can have is put around what ripgrep writes: it may have lines of its own.
    """
    mark = secrets.token_hex(8)
    begin, end = f"\x01{mark}\x02", f"\x03{mark}\x04"
    process = started(
        ["--only-matching", "--with-filename", "--null", "--no-line-number", "--no-heading",
         "--color=never", f"--replace={begin}{into}{end}", *arguments],
        folder,
    )  # fmt: skip
    assert process.stdout is not None
    held = process.stdout.read()
    process.wait()
    for piece in held.split(end.encode())[:-1]:
        head, _, text = piece.partition(begin.encode())
        yield head.rpartition(b"\0")[0].lstrip(b"\r\n"), text


def found(asked: dict[str, Any]) -> tuple[bytes, dict[bytes, Found]]:
    """Return the folder, and by name what is to be done in it."""
    folder, what = place_of(asked)
    # ripgrep waits for a pipe that it is given by name, for ever.
    named = [what] if asked["files"] is None else [p for p in asked["files"] if os.path.isfile(p)]
    into = asked["with"] if asked["regex"] else asked["with"].replace("$", "$$")
    everything: dict[bytes, Found] = {}
    for names in (named[at : at + AT_ONCE] for at in range(0, len(named), AT_ONCE)):
        # --encoding=none: offsets are those of the file's bytes, also behind a byte order mark.
        arguments = ["--encoding=none", *chosen(asked), *matching(asked), "--", *names]
        for name, at, text in matches(arguments, folder):
            everything.setdefault(name, Found()).places.append((at, text))
        for name, text in replacements(arguments, folder, into):
            if name in everything:
                everything[name].texts.append(text)
    return folder, everything


def changed(data: bytes, what: Found) -> bytes:
    """Return the content with all matches replaced. Raises: Skipped."""
    if len(what.places) != len(what.texts):
        raise Skipped("changed meanwhile")
    parts, end = [], 0
    for (at, old), new in zip(what.places, what.texts, strict=True):
        if at < end or data[at : at + len(old)] != old:
            raise Skipped("changed meanwhile")
        parts += [data[end:at], new]
        end = at + len(old)
    return b"".join([*parts, data[end:]])


def put(path: bytes, what: Found, *, dry: bool) -> None:
    """Replace in one file: written beside it, then moved into place. Raises: Skipped."""
    path = os.path.realpath(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with open(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise Skipped("not a file")
            data = changed(file.read(), what)
        if not os.access(path, os.W_OK):
            raise Skipped("may not be written")
        if not dry:
            replace(path, data, before)
    except OSError as error:
        raise Skipped(str(error.strerror).lower()) from None


def replace(path: bytes, data: bytes, before: os.stat_result) -> None:
    # A name that tells what it is, should this be killed before the end.
    temporary = (TEMPORARY + secrets.token_hex(8)).encode()
    fresh = os.path.join(os.path.dirname(path), temporary)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            os.fsync(descriptor)
        now = os.stat(path)
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (
            before.st_ino, before.st_size, before.st_mtime_ns,
        ):  # fmt: skip
            raise Skipped("changed meanwhile")
        os.replace(fresh, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(fresh)
        raise


def main() -> None:
    asked = request()
    end_with_input()
    give_way(5)
    total = files = 0
    try:
        folder, everything = found(asked)
    except ValueError as error:
        tell(error=str(error))
        everything = {}
        folder = b""
    for name, what in everything.items():
        path = os.path.normpath(os.path.join(folder, name))
        try:
            put(path, what, dry=asked["dry"])
        except Skipped as why:
            tell(path=shown(path), skipped=str(why))
            continue
        tell(path=shown(path), count=len(what.places))
        flush()  # whoever asked gives up on what says nothing for long
        files += 1
        total += len(what.places)
    tell(done=True, files=files, matches=total)
    flush()
