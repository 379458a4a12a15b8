"""A page is told what changes in the folders that it shows."""

import json
from collections.abc import Iterator
from typing import Any

from models import Workspace
from orchestrator.engines import Process
from orchestrator.errors import BadInput
from orchestrator.files import paths
from orchestrator.inside import bundle, repositories, watching
from orchestrator.platform import Platform

FOLDERS_MOST = 500
FILES_MOST = 500
MESSAGE_BYTES = 1 << 20
LINE_BYTES = 4 << 20
"""Of what the program says at once; more can only be somebody else's doing."""
READ_BYTES = 65536

PROGRAM = bundle.command(watching, repositories)


class Watch:
    """What the page says replaces what is watched: ``{"watch": [...], "files": [...]}``.

    ``{"typed": true}`` says instead that a person is at work. What the program says goes to the
    page as it is: ``changed``, ``git``, ``lost``, ``unwatched``, ``watching``.
    """

    def __init__(self, process: Process, home: str) -> None:
        self._process = process
        self._home = home

    def told(self) -> Iterator[str]:
        held = b""
        while data := self._process.read(READ_BYTES):
            *whole, held = (held + data).split(b"\n")
            if len(held) > LINE_BYTES:
                return
            yield from (line.decode(errors="replace") for line in whole)

    def tell(self, message: str) -> bool:
        try:
            said = json.loads(message)
        except (ValueError, RecursionError) as error:
            raise BadInput("That is not JSON") from error
        if said == {"typed": True}:
            return True
        asked = {
            "watch": self._parsed(said, "watch", FOLDERS_MOST),
            "files": self._parsed(said, "files", FILES_MOST),
        }
        self._process.write(json.dumps(asked).encode() + b"\n")
        return False

    def close(self) -> None:
        self._process.close()

    def _parsed(self, said: Any, key: str, most: int) -> list[str]:
        listed = said.get(key, []) if isinstance(said, dict) else None
        if not isinstance(listed, list) or len(listed) > most:
            raise BadInput(f"Give a list of at most {most} paths", field=key)
        return [paths.parse(path, self._home, field=key) for path in listed]


def watch(platform: Platform, workspace: Workspace) -> Watch:
    """Start to watch in a running workspace. The caller closes it. Raises: WorkspaceStopped."""
    process = platform.engine.spawn(workspace.container, PROGRAM)
    return Watch(process, f"/home/{workspace.user.username}")
