"""Serve a few bare routes with the product's own server and byte path, and nothing else of it.

Run as ``python tests/minimal_server.py PORT [MODULE.NAME=SECONDS ...]``: it prints ``ready PORT``
and serves until a signal. The names are those of bounds, to be tried in less time. What app.py
composes is replaced, so no database and no engine is needed.
"""
# ruff: noqa: E402, I001, T201

import os
import sys
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]


def _replace(name: str, **contents: Any) -> None:
    module = types.ModuleType(name)
    module.__dict__.update(contents)
    sys.modules[name] = module


_replace("init_db", migrate=None)
_replace("orchestrator.accounts")
_replace("orchestrator.background", Background=None)
_replace("orchestrator.commons.doors", Door=None, Doors=None)
_replace("orchestrator.platform", compose=None, run_root=None)
_replace("web", create_app=None, __path__=[str(ROOT / "web")])
_replace("web.preview.gateway", Gateway=object, open_gateway=None)

import app  # first: it patches the standard library

import gc
import resource
import socket
import threading
import time
from collections.abc import Iterator

import gevent
from flask import Flask, Response, jsonify, request

from orchestrator import offload
from orchestrator.errors import BadInput, Forbidden, RootBloodError
from orchestrator.splice import Splicer
from orchestrator.websocket import InputMeter
from web.upgrade import require_same_origin, splice_websocket

flask = Flask("minimal")
splicer = Splicer(gevent.get_hub().loop, grace_seconds=5.0)
seen: dict[str, Any] = {"inputs": 0, "closed": []}


@flask.errorhandler(RootBloodError)
def problem(error: RootBloodError) -> tuple[dict[str, str], int]:
    status = 400 if isinstance(error, BadInput) else 403 if isinstance(error, Forbidden) else 502
    return {"slug": error.slug, "detail": error.message}, status


@flask.get("/ws", websocket=True)
def websocket() -> str:
    require_same_origin(request, bearer="Authorization" in request.headers)
    upstream = socket.socket(socket.AF_UNIX)
    upstream.connect(request.args["upstream"])

    def on_input() -> None:
        seen["inputs"] += 1

    splice_websocket(
        request.environ, upstream, path="/ws?arg=" + request.args.get("session", "main"),
        protocols=["tty"], splicer=splicer,
        meter=InputMeter(on_input), on_close=seen["closed"].append,
    )  # fmt: skip
    return "this must never be sent"


@flask.get("/steal", websocket=True)
def steal() -> str:
    """Take the socket and lose it, as a view with a bug would."""
    request.environ["rootblood.hijack"]()
    raise RuntimeError("after the hijack")


@flask.get("/seen")
def report() -> Response:
    gc.collect()
    return jsonify(seen | {"open": len(splicer), "threads": threading.active_count()})


@flask.get("/limits")
def limits() -> Response:
    return jsonify(files=resource.getrlimit(resource.RLIMIT_NOFILE))


@flask.post("/body")
def body() -> Response:
    return jsonify(size=len(request.get_data()))


@flask.get("/crash")
def crash() -> str:
    raise RuntimeError("boom")


@flask.get("/stream")
def stream() -> Response:
    def events() -> Iterator[bytes]:
        while True:
            yield b"data: tick\n\n"
            time.sleep(0.05)

    return Response(events(), mimetype="text/event-stream")


@flask.get("/offload")
def offloaded() -> Response:
    ident = offload.offload(threading.get_native_id)
    return jsonify(elsewhere=ident != os.getpid())


def main() -> int:
    for bound in sys.argv[2:]:
        name, _, seconds = bound.partition("=")
        module, _, attribute = name.rpartition(".")
        assert hasattr(sys.modules[module], attribute)
        setattr(sys.modules[module], attribute, float(seconds))
    app.raise_file_limit()
    pool = app.use_threads()
    try:
        listener = app.listen("127.0.0.1", int(sys.argv[1]))
    except RootBloodError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)
        return 1
    print("ready", listener.getsockname()[1], flush=True)
    app.serve(flask, listener, stop=lambda: splicer.close("server-stopping"))
    pool.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
