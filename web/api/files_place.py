"""The files that a request is about, and the answers that all of its routes give alike."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Response, request

from models import Workspace, utcnow
from orchestrator import access
from orchestrator.access import Right
from orchestrator.errors import BadInput
from orchestrator.files import Entry, Files, Type, paths, place
from web.identity import Caller, caller, platform

PATH = ("path", "Absolute, or relative to the home.")
FILES = "/workspaces/<name>/files"
_PLACE = "X-RootBlood-Place"
_ATTACHMENT = {
    # What people keep must never run as a page of ours: neither shown, nor guessed at, nor trusted.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True, slots=True)
class Here:
    """The files of the workspace that a request names."""

    who: Caller
    workspace: Workspace
    files: Files
    kind: place.Kind

    def path(self, text: object, field: str = "path") -> str:
        """Return a path that was given, absolute. Raises: BadInput."""
        return paths.parse(text, self.files.home, field=field)

    def asked(self) -> str:
        """Return the path in the query; the home without one."""
        return self.path(request.args.get("path", ""))

    def note_change(self) -> None:
        """Note that a person works here: nothing is stopped as idle for a while."""
        if self.kind is place.Kind.WORKSPACE:
            platform().connections.note_input(self.workspace.id, utcnow())

    def json(self, data: Any, status: int = 200) -> Response:
        """Answer with JSON."""
        response = Response(json.dumps(data), status, mimetype="application/json")
        response.headers[_PLACE] = self.kind
        return response

    def nothing(self) -> Response:
        """Answer that it is done."""
        response = Response(status=204)
        response.headers[_PLACE] = self.kind
        return response

    def attachment(self, response: Response, name: str) -> Response:
        """Return a response as a download of that name, and as nothing else."""
        # RFC 6266; a quoted name alone could not carry what people call their files.
        encoded = quote(name.encode(errors="replace"), safe="")
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{encoded}"
        response.headers.update(_ATTACHMENT)
        response.headers[_PLACE] = self.kind
        return response


@contextmanager
def here(name: str) -> Iterator[Here]:
    """Give access to the files of the caller's workspace of that name.

    Raises: NotFound, TooManyRequests.
    """
    who = caller()
    row = access.workspace_for(who.user, name, Right.ATTACH)
    with (
        platform().errands.one(who.user.id),
        place.opened(platform(), who.user, row, who.proof) as found,
    ):
        yield Here(who, row, found.files, found.kind)


def shown(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON has it; plain, because a folder may have very many."""
    found: dict[str, Any] = {
        "name": paths.show(entry.name),
        "type": entry.type.value,
        "size": entry.size,
        "mtime": entry.mtime,
        "mode": entry.mode,
    }
    if entry.type is Type.LINK:
        found["target_type"] = entry.target
    return found


def flag(field: str) -> bool:
    """Return a switch of the query: 0, which it is when absent, or 1. Raises: BadInput."""
    text = request.args.get(field, "0")
    if text not in ("0", "1"):
        raise BadInput(f"{field} is 0 or 1", field=field)
    return text == "1"
