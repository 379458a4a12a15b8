"""What many workspaces with an open terminal each cost the server while nothing happens."""

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.client import Terminal
from benchmarks.processes import cpu_seconds, resident_bytes
from benchmarks.results import Result, bounded
from benchmarks.server import Server, User

WORKSPACES = 200
AT_ONCE = 8
WATCHED_SECONDS = 30.0


def run() -> list[Result]:
    """Measure the server with everybody in."""
    with Server() as server:
        empty = resident_bytes(server.pid)
        people = [server.user(f"scale{i}") for i in range(WORKSPACES)]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            terminals = list(threads.map(_settle, people))
        before = cpu_seconds(server.pid)
        time.sleep(WATCHED_SECONDS)
        busy = (cpu_seconds(server.pid) - before) / WATCHED_SECONDS
        full = resident_bytes(server.pid)
        for terminal in terminals:
            terminal.close()
        return [
            bounded("server without workspaces", empty / 1e6, "MB"),
            bounded(
                f"server with {WORKSPACES} workspaces and terminals", full / 1e6, "MB", most=260
            ),
            bounded(f"its processor time with {WORKSPACES} idle workspaces", busy * 100, "%"),
        ]


def _settle(person: User) -> Terminal:
    terminal = person.terminal(person.open_session())
    terminal.begin()
    terminal.wait_for(b"$")
    person.close()
    return terminal
