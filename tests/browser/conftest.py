"""Real Chromium against the real server on the real engine."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from tests.browser.ide import Ide
from tests.browser.screen import DEADLINE_SECONDS, RESULTS, Complaints, Screen
from tests.browser.victim import HOSTILE, LAYOUTS, PRIVATE, App, Victim, installed
from tests.conftest import missing
from tests.end_to_end import leftovers
from tests.end_to_end.fixtures import (  # noqa: F401
    instances,
    make_server,
    people,
    person,
    pytest_runtest_makereport,
)
from tests.end_to_end.person import Person
from tests.end_to_end.server import PROJECT, Server

CHROMIUM = Path("/usr/bin/chromium")
# As root, and without anything that asks its maker's servers. lan.test and its like stand for names
# of a machine in somebody's network, which browsers do not trust as they trust localhost. Of them
# certificates are taken that nobody has signed, also for service workers: to those a context's
# ignore_https_errors means nothing.
ARGUMENTS = [
    *"--no-sandbox --disable-background-networking --disable-component-update".split(),
    *"--disable-sync --no-first-run --no-default-browser-check".split(),
    "--host-resolver-rules=MAP *.test 127.0.0.1",
    "--ignore-certificate-errors",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        missing(f"needs {CHROMIUM}: apt-get install chromium fonts-noto-cjk")
    if not (PROJECT / "static/dist/manifest.json").exists():
        missing("needs the front end: cd frontend && npm ci && npm run build")
    expect.set_options(timeout=DEADLINE_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(instances: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: F811
    """The server of all tests that do it no harm, with an administrator of the name ``boss``."""
    started = Server(tmp_path_factory.mktemp("server"), f"{instances}-b").start()
    Person(started, "boss")
    yield started
    started.close()


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def new_browser(
    chromium: Browser, complaints: Complaints, request: pytest.FixtureRequest
) -> Iterator[Callable[..., BrowserContext]]:
    """Return a maker of browsers that share nothing; the test fails if a page complains."""
    made: list[BrowserContext] = []
    failures = request.session.testsfailed

    def make(**options: Any) -> BrowserContext:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        context = chromium.new_context(**options)
        context.set_default_timeout(DEADLINE_SECONDS * 1000)
        complaints.watch(context)
        made.append(context)
        return context

    yield make
    if request.session.testsfailed > failures:
        _photograph(made, re.sub(r"\W+", "-", request.node.name))
    for context in made:
        context.close()
    assert complaints.unexpected() == []


def _photograph(contexts: list[BrowserContext], name: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    pages = [page for context in contexts for page in context.pages]
    for number, page in enumerate(pages):
        with suppress(Error):  # a page that hangs has no picture
            page.screenshot(path=RESULTS / f"failed-{name}-{number}.png", timeout=5000)


@pytest.fixture
def new_screen(new_browser: Callable[..., BrowserContext], server: Server) -> Callable[..., Screen]:
    """Return a maker of tabs, each in a browser of its own; the options are the browser's."""
    return lambda **options: Screen(new_browser(**options).new_page(), server)


@pytest.fixture
def options() -> dict[str, Any]:
    """The browser's options; a module may have its own."""
    return {}


@pytest.fixture
def screen(
    new_screen: Callable[..., Screen],
    person: Person,  # noqa: F811
    options: dict[str, Any],
) -> Screen:
    """A browser where a fresh account is signed in."""
    return new_screen(**options).sign_in(person.username)


@pytest.fixture
def terminal(
    new_screen: Callable[..., Screen],
    person: Person,  # noqa: F811
    options: dict[str, Any],
) -> Screen:
    """The terminal page of a fresh account, with a shell."""
    person.open()
    return new_screen(**options).let_in(person.username).enter()


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[Person]:
    """An account of the module, whose ``main`` runs."""
    one = Person(server)
    one.open()
    yield one
    one.leave()


def _end_shells(owner: Person) -> None:
    path = "/api/v1/workspaces/main/sessions"
    for session in owner.ok("GET", path)["sessions"]:
        owner.ok("DELETE", f"{path}/{session['name']}")


@pytest.fixture
def shell(new_screen: Callable[..., Screen], owner: Person, options: dict[str, Any]) -> Screen:
    """A fresh shell of the module's account in a fresh browser: quicker than ``terminal``."""
    _end_shells(owner)
    return new_screen(**options).let_in(owner.username).enter()


@pytest.fixture
def ide(new_screen: Callable[..., Screen], owner: Person, options: dict[str, Any]) -> Ide:
    """The IDE of the module's account in a fresh browser, not yet opened."""
    _end_shells(owner)
    return Ide(new_screen(**options).let_in(owner.username), owner)


@pytest.fixture(scope="session", params=LAYOUTS, ids=lambda layout: layout.name)
def victim(
    request: pytest.FixtureRequest,
    instances: str,  # noqa: F811
    docker_client: APIClient,
    chromium: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Victim]:
    """Somebody who came to see a hostile app, at an installation of their own."""
    directory, instance = tmp_path_factory.mktemp("victim"), f"{instances}-v{request.param_index}"
    with installed(directory, instance, request.param) as made:
        made.serve(docker_client)
        made.sign_in(chromium)
        yield made
    leftovers.sweep(docker_client, instance.__eq__)


@pytest.fixture
def browser(new_browser: Callable[..., BrowserContext], victim: Victim) -> BrowserContext:
    """The victim's browser, signed in."""
    return new_browser(storage_state=victim.state)


@pytest.fixture
def private(browser: BrowserContext, victim: Victim) -> dict[App, Page]:
    """Tabs of the browser with what is the victim's alone."""
    victim.forget()
    return {app: victim.visit(browser, app) for app in PRIVATE}


@pytest.fixture
def hostile(browser: BrowserContext, victim: Victim, private: dict[App, Page]) -> Page:
    """A tab of the same browser with the hostile app, which holds passes for all previews."""
    return victim.visit(browser, HOSTILE)
