"""Start, stop and look at the apps of a workspace; each answers on a port of its own.

A request is ``{"do": "look" | "start" | "stop", "apps": [{"id", "port", "ready", "command"}]}``,
the answer a line per app: ``{"id", "state", "log", "code"?, "holder"?, "began"?}``. The states are
stopped, starting, running, failed, missing (its program is not there) and taken (another one,
``holder``, has its port); ``began`` is true of what was started just now.
"""

import fcntl
import os
import re
import signal
import socket
import time
from contextlib import suppress
from typing import Any

from orchestrator.inside.keeping import begin, is_alive, last_words, read, write
from orchestrator.inside.lines import flush, request, tell
from orchestrator.inside.sockets import family, holders, listening, name

PLACE = "/tmp/.rootblood-apps"
HEED_SECONDS = 5.0
PROBE_SECONDS = 2.0
ALL_SECONDS = 25
"""Beyond it the program gives up: whoever asked has left by then."""


def look(app: dict[str, Any]) -> dict[str, Any]:
    """Return what an app is doing."""
    folder = f"{PLACE}/{app['id']}"
    if is_alive(folder):
        return _look_at_live(app, folder)
    if not _is_there(app["command"][0]):
        return {"state": "missing"}
    code = read(folder, "ended")
    began = os.path.exists(f"{folder}/pid")
    if not began or code == 0 or os.path.exists(f"{folder}/stopped"):
        return {"state": "stopped"}
    return {"state": "failed", "code": code}


def _look_at_live(app: dict[str, Any], folder: str) -> dict[str, Any]:
    inodes = listening(app["port"])
    if not inodes:
        return {"state": "starting"}
    theirs = holders(inodes)
    leader = read(folder, "pid")
    # Of a program that hides its files nobody can be told: that it listens is all there is.
    if theirs and leader is not None and theirs.isdisjoint(family(leader)):
        return {"state": "taken", "holder": name(min(theirs))}
    if not os.path.exists(f"{folder}/ready"):
        if not _answers(app["port"], app["ready"]):
            return {"state": "starting"}
        write(folder, "ready", "")
    return {"state": "running"}


def start(app: dict[str, Any]) -> dict[str, Any]:
    """Start an app that does not run; return what it is doing then."""
    found = look(app)
    if found["state"] not in ("stopped", "failed"):
        return found
    if inodes := listening(app["port"]):
        theirs = holders(inodes)
        return {"state": "taken", "holder": name(min(theirs)) if theirs else ""}
    begin(f"{PLACE}/{app['id']}", app["command"])
    return {**look(app), "began": True}


def stop(app: dict[str, Any]) -> dict[str, Any]:
    """End an app with all that it started; return what it is doing then."""
    folder = f"{PLACE}/{app['id']}"
    leader = read(folder, "pid")
    if leader is not None and is_alive(folder):
        write(folder, "stopped", "")
        members = family(leader)
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGTERM)
        deadline = time.monotonic() + HEED_SECONDS
        while is_alive(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in members | family(leader):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while is_alive(folder):
            time.sleep(0.05)
    return look(app)


def _is_there(program: str) -> bool:
    """Return whether a program that is named by its path is there; others may be on one's path."""
    return not program.startswith("/") or os.access(program, os.X_OK)


def _answers(port: int, path: str) -> bool:
    """Return whether an HTTP server has an answer other than that it is broken, or not ready."""
    try:
        with socket.create_connection(("localhost", port), PROBE_SECONDS) as connection:
            connection.sendall(b"GET %b HTTP/1.0\r\nHost: localhost:%d\r\n\r\n" % (
                path.encode(), port,
            ))  # fmt: skip
            with connection.makefile("rb") as answer:
                return bool(re.match(rb"HTTP/1\.[01] [1-4][0-9][0-9]", answer.readline(100)))
    except OSError:
        return False


def main() -> None:
    asked = request()
    signal.alarm(ALL_SECONDS)
    act = {"look": look, "start": start, "stop": stop}[asked["do"]]
    os.makedirs(PLACE, 0o700, exist_ok=True)
    # One at a time, so that two pages do not start one app twice.
    with open(f"{PLACE}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for app in asked["apps"]:
            found = act(app)
            words = last_words(f"{PLACE}/{app['id']}")
            tell(id=app["id"], log=words, **found)
    flush()
