"""Chromium as a benchmark meets it: a page, real keys, and the tasks of its main thread."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright

from benchmarks.server import PASSWORD, User

PROGRAM = Path("/usr/bin/chromium")
# As root, and without anything that asks its maker's servers.
_ARGUMENTS = [
    *"--no-sandbox --disable-background-networking --disable-component-update".split(),
    *"--disable-sync --no-first-run --no-default-browser-check".split(),
]
_CATEGORIES = ["toplevel", "disabled-by-default-devtools.timeline"]
DEADLINE_SECONDS = 30.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Task:
    """What a thread did in one go: for how long, and how much of that the processor was at it."""

    milliseconds: float
    processor_milliseconds: float


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser without a screen. Raises: FileNotFoundError."""
    if not PROGRAM.exists():
        raise FileNotFoundError(f"{PROGRAM}: install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=_ARGUMENTS)
        yield browser
        browser.close()


def signed_in(browser: Browser, user: User, script: str) -> BrowserContext:
    """Return a browser with nothing in its cache; ``script`` runs before each page's own."""
    context = visited(browser, None, script)
    address = f"http://localhost:{user.server.port}/login"
    found = re.search(r'name="csrf-token" content="([^"]+)"', context.request.get(address).text())
    if not found:
        raise RuntimeError("the sign-in page has no token")
    form = {"csrf_token": found[1], "username": user.name, "password": PASSWORD}
    context.request.post(address, form=form, max_redirects=0)
    return context


def visited(browser: Browser, left: StorageState | None, script: str) -> BrowserContext:
    """Return a browser that remembers what one has left, but has nothing in its cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=left)
    context.set_default_timeout(DEADLINE_SECONDS * 1000)
    context.add_init_script(script)
    return context


def longest_task(browser: Browser, page: Page, work: Callable[[T], object], on: T) -> Task:
    """Return the longest task of a page's main thread during ``work(on)``."""
    browser.start_tracing(page=page, categories=_CATEGORIES)
    try:
        work(on)
        settle(page)
    finally:
        trace = json.loads(browser.stop_tracing())
    return max(_tasks(trace["traceEvents"]), key=lambda task: task.milliseconds)


def settle(page: Page) -> None:
    """Wait until the page has drawn what is due and has nothing to do."""
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame("
        "() => requestIdleCallback(done, { timeout: 5000 }))))"
    )


def _tasks(events: list[dict[str, Any]]) -> Iterator[Task]:
    """Yield the tasks that renderers' main threads ran."""
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    for event in events:
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in mains:
            yield Task(event.get("dur", 0) / 1000, event.get("tdur", 0) / 1000)
