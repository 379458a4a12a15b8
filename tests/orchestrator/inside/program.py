"""A program for workspaces, run here, with its lines of JSON."""

import json
import os
import selectors
import subprocess
from pathlib import Path
from typing import Any

from tests.end_to_end.waiting import DEADLINE_SECONDS


class Program:
    """One running program; ``next()`` is the next thing that it says."""

    def __init__(self, command: tuple[str, ...], cwd: Path) -> None:
        # A session of its own, as the engine gives every command: it ends by killing its group.
        self._process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            start_new_session=True,
        )  # fmt: skip
        self._held = b""

    def ask(self, **request: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")

    def next(self) -> Any:
        """Return what it says next; None at its end."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._held:
                assert selector.select(DEADLINE_SECONDS), "the program says nothing"
                data = os.read(self._process.stdout.fileno(), 65536)
                if not data:
                    return None
                self._held += data
        line, _, self._held = self._held.partition(b"\n")
        return json.loads(line)

    def rest(self) -> list[Any]:
        """Return all that it says until its end."""
        return list(iter(self.next, None))

    def leave(self) -> int:
        """Close its input, as the server's end does; return its exit code.

        What it still says is read: it may be in the middle of that, and wait for a reader.
        """
        self._process.communicate(timeout=DEADLINE_SECONDS)
        return self._process.returncode
