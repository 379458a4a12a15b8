"""The IDE as a person feels it: how soon its page takes a key, and how long it is ever deaf.

Real Chromium against the real server and a real workspace. The page is interactive when the first
key that is pressed in it shows: in the editor of a file that was open before, and in the terminal,
whichever is later. It is deaf while its main thread is in one task, as Chromium's trace has them;
the processor's part of it stands beside, for a machine that has more to do.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from statistics import median
from typing import TypeVar

from playwright.sync_api import Browser, StorageState

from benchmarks.chromium import Task, chromium, longest_task, settle
from benchmarks.ide_page import (
    ENTRIES,
    FILL,
    FOLDERS,
    LINE,
    PARTS,
    PROMPT,
    TABS,
    TEXT,
    Dropped,
    Ide,
)
from benchmarks.processes import ROOT, docker
from benchmarks.results import Result, bounded
from benchmarks.server import ENGINE_URL, Server, User
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_spec import INSTANCE_LABEL

LOADS, ROUNDS, TRIES = 7, 3, 5
INTERACTIVE_MS, FIRST_LOAD_KB, TASK_MS = 1500, 350, 200
LETTERS = "leaf07"
T = TypeVar("T")
Step = Callable[[Ide], object]

_FETCHED = """performance.getEntriesByType('resource')
  .map(({ name }) => new URL(name).pathname.split('/').pop())"""
# The files of what was typed are on the list, and it does not say that they are looked for.
_LISTED = """bench.listed > bench.pressed && document.querySelector('#quick-list .where')
  && document.querySelector('.palette .none').hidden && bench.listed - bench.pressed"""


def run() -> list[Result]:
    """Measure the page; needs a Docker Engine and Chromium."""
    with Server() as server, chromium() as browser:
        user = server.user("reader")
        user.open_session()
        try:
            _fill(server)
            return [*_loads(browser, user), *_tasks(browser, user), *_quick_open(browser, user)]
        finally:
            user.close()


def _fill(server: Server) -> None:
    label = f"label={INSTANCE_LABEL}={server.instance}"
    (container,) = docker("ps", "--filter", label, "--format", "{{.Names}}")
    engine = DockerEngine(
        ENGINE_URL, instance=server.instance, run_root=server.run_dirs(), enforce_egress=False
    )
    filled = engine.exec(container, ("/bin/bash", "-c", FILL))
    engine.close()
    if filled.exit_code:
        raise RuntimeError(filled.stderr.decode(errors="replace"))


def _tried(measure: Callable[[], T]) -> T:
    """Measure; again where Chromium dropped what it was loading."""
    for _ in range(TRIES - 1):
        with suppress(Dropped):
            return measure()
    return measure()


def _loads(browser: Browser, user: User) -> Iterator[Result]:
    """Measure loads with a source file in front, by a browser that has nothing of it yet."""
    tasks, sizes, editor, terminal = list[Task](), list[float](), list[float](), list[float]()
    left = _tried(lambda: _left_open(browser, user, PARTS[:1]))
    beside = _tried(lambda: _left_open(browser, user, PARTS[:1], in_front=".xterm-screen"))
    for _ in range(LOADS):
        task, fetched, edited = _tried(lambda: _load_for_the_editor(browser, user, left))
        tasks.append(task)
        sizes.append(fetched)
        editor.append(edited)
        terminal.append(_tried(lambda: _load_for_the_terminal(browser, user, beside)))
    interactive = [max(pair) for pair in zip(editor, terminal, strict=True)]
    yield bounded("first key shows in the editor", median(editor), "ms")
    yield bounded("first key shows in the terminal", median(terminal), "ms")
    yield bounded("page interactive", median(interactive), "ms", most=INTERACTIVE_MS)
    first = _tried(lambda: _fetched_at_first(browser, user))
    yield bounded("fetched by a first visit, compressed", first, "KiB", most=FIRST_LOAD_KB)
    yield bounded("fetched with a TypeScript file", median(sizes), "KiB")
    yield _of_tasks("load", tasks)


def _fetched_at_first(browser: Browser, user: User) -> float:
    """Return the KiB of a page that has nothing to bring back."""
    with Ide(browser, user) as ide:
        return _compressed(ide.enter().page.evaluate(_FETCHED))


def _left_open(
    browser: Browser, user: User, names: Sequence[str], *, in_front: str = TEXT
) -> StorageState:
    """Open files, put the keyboard somewhere, and return what the browser remembers of that."""
    with Ide(browser, user) as ide:
        ide.enter()
        for name in names:
            ide.find(name)
        ide.page.locator(in_front).first.click()
        return ide.leave()


def _load_for_the_editor(
    browser: Browser, user: User, left: StorageState
) -> tuple[Task, float, float]:
    with Ide(browser, user, left) as ide:

        def typed(ide: Ide) -> None:
            ide.load()
            ide.until("document.querySelector('.cm-content:focus')?.isConnected")
            ide.press("x")
            ide.until("bench.edited")
            ide.page.wait_for_selector("[data-panel=search]")

        task = longest_task(browser, ide.page, typed, ide)
        return task, _compressed(ide.page.evaluate(_FETCHED)), float(ide.until("bench.edited"))


def _load_for_the_terminal(browser: Browser, user: User, left: StorageState) -> float:
    with Ide(browser, user, left) as ide:
        ide.load()
        ide.until(PROMPT)
        ide.press("x")
        echoed = ide.until(r"/\$ x *$/.test(rootblood.text()) && performance.now()")
        ide.press("Backspace")
        ide.until(PROMPT)  # the next one finds it as this one did
        return float(echoed)


def _compressed(names: list[str]) -> float:
    """Return the KiB of these files of the front end once they are compressed."""
    sizes: dict[str, dict[str, int]] = json.loads(
        (ROOT / "static" / "dist" / "manifest.json").read_text()
    )
    return sum(sizes[name]["gzip_bytes"] for name in set(names) if name in sizes) / 1024


def _tasks(browser: Browser, user: User) -> Iterator[Result]:
    """Measure the longest task of each step; those of a case follow each other on one page."""
    for name, opened, steps in _CASES:
        left = _tried(partial(_left_open, browser, user, opened)) if opened else None
        measure = partial(_one_round, browser, user, left, steps)
        rounds = [_tried(measure) for _ in range(ROUNDS)]
        for step, *tasks in zip(steps, *rounds, strict=True):
            yield _of_tasks(f"{name} {step}", tasks)


def _one_round(
    browser: Browser, user: User, left: StorageState | None, steps: Mapping[str, Step]
) -> list[Task]:
    with Ide(browser, user, left, stamped=False) as ide:
        if left is None:
            ide.enter()
        return [longest_task(browser, ide.page, work, ide) for work in steps.values()]


def _of_tasks(what: str, tasks: Sequence[Task]) -> Result:
    milliseconds = median(task.milliseconds for task in tasks)
    processor = median(task.processor_milliseconds for task in tasks)
    found = bounded(f"longest task, {what}", milliseconds, "ms", most=TASK_MS)
    return replace(found, against=f"processor {processor:.0f}")


def _unfold(ide: Ide) -> None:
    ide.entry("wood").click()
    ide.entry("area-01").click()
    ide.entry("leaf-00001.ts").wait_for()


def _scroll_the_tree(ide: Ide) -> None:
    ide.roll("[role=tree]", 4000, 40)
    ide.press("End", "Home", "PageDown", "PageDown")


def _go_to_a_file(ide: Ide) -> None:
    ide.ask()
    ide.page.keyboard.type(LETTERS, delay=120)
    ide.page.locator("#quick-list .label", has_text="leaf-07").first.wait_for()
    settle(ide.page)
    ide.press("Escape")


def _search(ide: Ide) -> None:
    ide.press("Control+Shift+F")
    ide.page.keyboard.type("leaf")
    ide.page.locator(".summary", has_text="the first of many").wait_for()


def _scroll(ide: Ide) -> None:
    ide.page.locator(TEXT).click()
    ide.press("PageDown", times=20)
    ide.roll(TEXT, 2000, 20)
    ide.press("Control+End", "Control+Home", "End", "Home")


def _edit(ide: Ide) -> None:
    ide.page.keyboard.type("now it is longer (than before)")
    ide.press("Enter", "Control+z", "Control+s")
    ide.page.wait_for_selector(".etab.on:not(.dirty)")


def _switch(ide: Ide) -> None:
    for _ in range(TABS):
        ide.press("Control+PageDown")
        ide.page.wait_for_selector(TEXT)


_CASES: tuple[tuple[str, Sequence[str], Mapping[str, Step]], ...] = (
    (f"{FOLDERS * ENTRIES:,} files:", (), {
        f"a folder of {ENTRIES:,} unfolded": _unfold, "it scrolled": _scroll_the_tree,
        "quick open": _go_to_a_file, "file search": _search,
    }),
    ("5 MB file", (), {
        "opened": lambda ide: ide.open("large.py"), "scrolled": _scroll, "edited, saved": _edit,
    }),
    (f"line of {LINE:,} characters", (), {
        "opened": lambda ide: ide.open("line.txt"), "scrolled": _scroll, "edited, saved": _edit,
    }),
    (f"{TABS} tabs", PARTS, {
        "restored": Ide.enter, "switched": _switch, "switched again": _switch,
    }),
)  # fmt: skip


def _quick_open(browser: Browser, user: User) -> Iterator[Result]:
    """Measure from a letter to the list that it makes, on a fresh page and on one that knows."""
    rounds = [_tried(lambda: _letters(browser, user)) for _ in range(ROUNDS)]
    first, later = ([ms for one in rounds for ms in one[which]] for which in (0, 1))
    what = f"letter to list, {FOLDERS * ENTRIES:,} names"
    yield bounded(f"{what}, page just loaded", median(first), "ms")
    yield bounded(f"{what}, slowest of those", max(first), "ms")
    yield bounded(f"{what}, box opened again", median(later), "ms")


def _letters(browser: Browser, user: User) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    with Ide(browser, user) as ide:
        ide.enter()
        for taken in times:
            ide.ask()
            for letter in LETTERS:
                ide.press(letter)
                taken.append(float(ide.until(_LISTED)))
                settle(ide.page)
            ide.press("Escape")
    return times
