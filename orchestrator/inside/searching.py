"""Search in files: ripgrep's answer, reduced to what a list of matches shows."""

import json
import os
import selectors
import time
from collections.abc import Iterator
from typing import IO, Any

from orchestrator.inside.lines import end_with_input, flush, give_way, request, shown, tell
from orchestrator.inside.ripgrep import chosen, complaint, matching, place_of, started, text_of

BEFORE, LONGEST = 40, 250
"""Of a line, in characters: before the match, and in all."""
PULSE_SECONDS = 0.25
FLUSH_SECONDS = 0.03
MOST_SECONDS = 60.0


def units(text: str) -> int:
    """Return the length as JavaScript counts it, in UTF-16."""
    return len(text) + sum(character > "\uffff" for character in text)


def reduced(path: bytes, data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the matches of one line; its text is cut to what is around each."""
    line = text_of(data["lines"])
    column = seen = 0
    for match in data["submatches"]:
        start, end = match["start"], match["end"]
        column += units(line[seen:start].decode(errors="replace"))
        seen = start
        left = line[max(0, start - 4 * BEFORE) : start].decode(errors="replace")[-BEFORE:].lstrip()
        found = line[start : min(end, start + 4 * LONGEST)].decode(errors="replace")
        after = line[end : end + 4 * LONGEST].decode(errors="replace")
        yield {
            "path": shown(path),
            "line": data["line_number"],
            "column": column + 1,
            "length": units(line[start:end].decode(errors="replace")),
            "text": (left + found + after)[:LONGEST].rstrip(),
            "at": units(left),
        }


def search(asked: dict[str, Any]) -> None:
    folder, what = place_of(asked)
    began = pulsed = flushed = time.monotonic()
    files, matches, truncated = set[bytes](), 0, False
    process = started(["--json", *chosen(asked), *matching(asked), "--", what], folder)
    assert process.stdout is not None
    for line in lines_of(process.stdout):
        now = time.monotonic()
        event = json.loads(line) if line else {}
        if event.get("type") == "match":
            data = event["data"]
            path = os.path.join(folder, text_of(data["path"]).removeprefix(b"./"))
            for match in reduced(path, data):
                truncated = matches >= asked["most"]
                if not truncated:
                    tell(**match)
                    matches += 1
                    files.add(path)
        truncated = truncated or now - began > MOST_SECONDS
        if truncated:
            process.kill()
            break
        if now - pulsed > PULSE_SECONDS:  # whoever asked may have left: so the server notices
            tell(matches=matches, files=len(files))
            pulsed = now
        if not line or now - flushed > FLUSH_SECONDS:
            flush()
            flushed = now
    why = "" if truncated else complaint(process)
    if why:
        tell(error=why)
    took = round((time.monotonic() - began) * 1000)
    tell(done=True, matches=matches, files=len(files), truncated=truncated, took_ms=took)
    flush()


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield whole lines, and an empty one whenever none comes for a moment."""
    descriptor, held = stream.fileno(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if not selector.select(FLUSH_SECONDS):
                yield b""
                continue
            data = os.read(descriptor, 1 << 16)
            if not data:
                return
            *whole, held = (held + data).split(b"\n")
            yield from whole


def main() -> None:
    asked = request()
    end_with_input()
    give_way(5)
    try:
        search(asked)
    except ValueError as error:
        tell(error=str(error))
        tell(done=True, matches=0, files=0, truncated=False, took_ms=0)
        flush()
