"""Start, stop and look at the apps of a running workspace, by a program that runs in it.

What it answers is the workspace's own word, and taken for no more.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from models import State, Workspace, end_reading, writing
from orchestrator import apps, audit
from orchestrator.apps import App
from orchestrator.errors import Conflict, EngineError
from orchestrator.inside import apps as program
from orchestrator.inside import bundle, keeping, sockets
from orchestrator.platform import Platform
from orchestrator.workspaces import Actor

SECONDS = 30.0
"""Longer than the program gives itself."""
LOG_LONGEST = 8000
_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # ECMA-48
_PROGRAM = bundle.command(program, sockets, keeping)


class Doing(StrEnum):
    """What an app is doing."""

    ABSENT = "absent"
    """Its program is not there."""
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Seen:
    """An app as it was a moment ago; ``reason`` says why it is absent or failed."""

    app: App
    doing: Doing
    reason: str = ""
    log: str = ""
    """The last lines of what starts, or failed."""
    began: bool = False
    """Whether it was started just now."""


def look(platform: Platform, workspace: Workspace) -> list[Seen]:
    """Return what the workspace's apps are doing; those of a stopped one are stopped.

    Raises: WorkspaceStopped, EngineError.
    """
    found = apps.of(workspace.template)
    there = [one for one in found if _is_installed(platform, one)]
    running = there and workspace.state is State.RUNNING
    seen = _ask(platform, workspace, "look", there) if running else [
        Seen(one, Doing.STOPPED) for one in there
    ]  # fmt: skip
    by_id = {one.app.id: one for one in seen}
    return [by_id.get(one.id) or _absent(one) for one in found]


def start(platform: Platform, workspace: Workspace, app: App, actor: Actor, now: datetime) -> Seen:
    """Start an app, unless it runs; it may not answer yet, or have failed already.

    Raises: Conflict where it is not installed or another program has its port; WorkspaceStopped,
    EngineError.
    """
    seen = _absent(app)
    if _is_installed(platform, app):
        [seen] = _ask(platform, workspace, "start", [app])
    if seen.doing not in (Doing.STARTING, Doing.RUNNING) and not seen.began:
        raise Conflict(seen.reason)
    if seen.began:
        _record(workspace, app, "app.started", actor, now)
    return seen


def stop(platform: Platform, workspace: Workspace, app: App, actor: Actor, now: datetime) -> Seen:
    """End an app with all that it started; one that does not run is left alone.

    Raises: WorkspaceStopped, EngineError.
    """
    if workspace.state is not State.RUNNING:
        return Seen(app, Doing.STOPPED)
    if not _is_installed(platform, app):
        return _absent(app)
    [seen] = _ask(platform, workspace, "stop", [app])
    _record(workspace, app, "app.stopped", actor, now)
    return seen


def _record(workspace: Workspace, app: App, action: str, actor: Actor, now: datetime) -> None:
    with writing():
        audit.record(now, actor.name, action, f"{workspace.name}:{app.id}", address=actor.address)


def _is_installed(platform: Platform, app: App) -> bool:
    return apps.is_installed(app, apps.shelves(platform.settings.data_dir))


def _absent(app: App) -> Seen:
    return Seen(
        app,
        Doing.ABSENT,
        f"{app.title} is not on this server. An administrator can add it: "
        f"script/add-app {app.shelf}",
    )


def _ask(platform: Platform, workspace: Workspace, do: str, wanted: Sequence[App]) -> list[Seen]:
    container = workspace.container
    end_reading()
    request = {"do": do, "apps": apps.stored(wanted)}
    line = json.dumps(request).encode() + b"\n"
    result = platform.engine.exec(container, _PROGRAM, stdin=line, timeout=SECONDS)
    by_id = {one.id: one for one in wanted}
    try:
        told = [json.loads(line) for line in result.stdout.splitlines()]
        seen = [
            replace(_seen(by_id[one["id"]], one), began=one.get("began") is True) for one in told
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise _unanswered(result.stderr) from error
    if result.exit_code or len(seen) != len(wanted):
        raise _unanswered(result.stderr)
    return seen


def _unanswered(errors: bytes) -> EngineError:
    return EngineError(
        "The workspace could not say how its apps are",
        hint="Is python3 in its image, and room in its /tmp?",
        log=_text(errors.decode(errors="replace")),
    )


def _seen(app: App, told: dict[str, Any]) -> Seen:
    log = _text(str(told["log"]))
    match told["state"]:
        case "running" | "stopped" as settled:
            return Seen(app, Doing(settled))
        case "starting":
            return Seen(app, Doing.STARTING, log=log)
        case "missing":
            return Seen(app, Doing.ABSENT, _missing(app))
        case "taken":
            return Seen(app, Doing.FAILED, _taken(app, _text(str(told["holder"])[:40])), log)
        case _:
            return Seen(app, Doing.FAILED, _ended(told.get("code")), log)


def _text(written: str) -> str:
    """Return what a program wrote as lines of plain text."""
    plain = _COLOUR.sub("", written[-LOG_LONGEST:])
    return "".join(c for c in plain if c.isprintable() or c == "\n")


def _missing(app: App) -> str:
    if app.shelf:
        return f"Restart the workspace: it was started before {app.title} was added to the server."
    return f"{app.title} is not in this workspace's image: there is no {app.command[0][:200]}."


def _taken(app: App, holder: str) -> str:
    by = f" ({holder})" if holder else ""
    return f"Another program{by} listens on port {app.port}. End it, then start {app.title}."


def _ended(code: object) -> str:
    if not isinstance(code, int):
        return "It was ended by force."
    if code == -9:
        return "It was killed. Perhaps the workspace ran out of memory."
    return f"It was ended by signal {-code}." if code < 0 else f"It ended with exit code {code}."
