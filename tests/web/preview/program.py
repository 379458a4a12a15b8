"""Serve previews of ports of this machine, by the product's own server and gateway.

Run as ``python tests/web/preview/program.py [MODULE.NAME=VALUE ...]``; it prints ``ready PORT`` and
serves until a signal. The gate is a stand-in: what a preview's workspace is called says what the
gate says of it. ``/seen`` on the panel's host tells what is open.
"""
# ruff: noqa: E402, I001, T201

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[3])]

import app  # first: it patches the standard library

import gc
import os
import socket
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gevent
from flask import Flask, Response, jsonify, request

from models import Audience
from orchestrator import logs
from orchestrator.errors import DialFailed, SignInRequired, StartFailed, WorkspaceStopped
from orchestrator.previews import Decision, Verdict
from orchestrator.previews.domain import AppsDomain
from orchestrator.previews.viewers import Viewer
from orchestrator.splice import Splicer
from web.preview.entry import Knock, Reply
from web.preview.gateway import Gateway

PANEL = "http://panel.test"
AUDIENCES = {"public": Audience.PUBLIC, "users": Audience.USERS}
viewers: dict[str, Viewer] = {}
flask = Flask("panel")


class Ports:
    """An engine whose every container is this machine."""

    dials = 0

    def dial(self, name: str, port: int, *, timeout: float = 5.0) -> socket.socket:
        self.dials += 1
        if name == "stopping":
            raise WorkspaceStopped("rb-secret is paused, not running")
        if name == "ending":
            raise StartFailed("rb-secret ended", log="rb-secret says")
        try:
            made = socket.create_connection(("127.0.0.1", port), timeout)
        except OSError as error:
            raise DialFailed(f"Nothing answers on port {port} of rb-secret") from error
        made.settimeout(None)
        return made


def knock(asked: Knock) -> Decision | Reply:
    """Decide by the workspace's name."""
    name = asked.label.workspace
    if name == "refused":
        return Reply(401, (("X-Gate", "no"),), SignInRequired("This preview is not public"))
    if name == "elsewhere":
        return Reply(303, (("Location", f"{PANEL}/apps/open"), ("Set-Cookie", "a=b")))
    if name == "broken":
        raise RuntimeError("boom")
    label = asked.label
    if name == "stopped":
        return Decision(Verdict.STOPPED, label, panel=PANEL, own=True)
    viewer = viewers.get(asked.address + name)
    if viewer is None or (viewer.closed and name != "ended"):
        viewer = viewers[asked.address + name] = Viewer((asked.address, name), known=True)
    audience = AUDIENCES.get(name, Audience.PRIVATE)
    decision = Decision(Verdict.OPEN, label, audience, name, PANEL, True, viewer)
    return decision if name != "unframed" else replace(decision, panel="")


ports = Ports()
splicer = Splicer(gevent.get_hub().loop, grace_seconds=5.0)
platform: Any = SimpleNamespace(
    engine=ports, splicer=splicer, connections=None, settings=SimpleNamespace(trusted_proxies=0)
)
gateway = Gateway(platform, AppsDomain("localhost"), knock, gevent.spawn, name="mark")


@flask.get("/seen")
def seen() -> Response:
    gc.collect()
    return jsonify(
        open=gateway.pool.open, dials=ports.dials, spliced=len(splicer),
        held=sum(viewer.busy for viewer in viewers.values()),
        files=len(os.listdir("/proc/self/fd")), threads=threading.active_count(),
    )  # fmt: skip


@flask.post("/body")
def body() -> Response:
    return jsonify(size=len(request.get_data()))


@flask.post("/hang-up")
def hang_up() -> Response:
    for viewer in viewers.values():
        viewer.close()
    return jsonify(ok=True)


def main() -> None:
    for bound in sys.argv[1:]:
        name, _, value = bound.partition("=")
        if name == "proxies":
            gateway._proxies = int(value)
            continue
        module, _, attribute = name.rpartition(".")
        assert hasattr(sys.modules[module], attribute)
        setattr(sys.modules[module], attribute, float(value))
    logs.configure()
    app.raise_file_limit()
    listener = app.listen("127.0.0.1", 0)
    print("ready", listener.getsockname()[1], flush=True)
    app.serve(flask, listener, stop=lambda: splicer.close("server-stopping"), gateway=gateway)


if __name__ == "__main__":
    main()
