"""Every page, dark and light, on a phone and on a desk: whole, quiet and never too wide."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.panels import panel
from tests.browser.screen import REFUSED, Complaints, Screen
from tests.end_to_end.person import PASSWORD, Caller, Visit
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]

WIDTHS = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
FOR_STRANGERS = {
    "landing": "/", "login": "/login", "register": "/register", "recover": "/recover",
    "api": "/docs/api",
}  # fmt: skip
FOR_PEOPLE = {
    "dashboard": "/",
    "home": "/home",
    "terminal": "/w/main/",
    "ports-shared": "/w/main/",
    "app-failed": "/w/with-apps/apps/broken",
    "catalogue": "/templates",
    "account": "/account",
    "delete-account": "/account/delete",
    "doctor": "/doctor",
    "api-signed-in": "/docs/api",
    "not-found": "/w/no-such-workspace/",
    "users": "/admin/users",
    "invites": "/admin/invites",
    "admin-templates": "/admin/templates",
    "audit-log": "/admin/events",
}
READY: dict[str, Callable[[Screen], object]] = {
    "terminal": Screen.prompts,
    "ports-shared": lambda screen: expect(panel(screen, "ports")).to_contain_text(
        "nothing listens"
    ),
    "app-failed": lambda screen: expect(screen.page.locator("#app-text")).to_contain_text(
        "exit code 1"
    ),
}
OF_PREVIEWS = {"preview-absent": "8000--none--boss", "preview-waited-for": "8000--main--boss"}
UNFOLD = "document.querySelectorAll('details.fold').forEach((one) => { one.open = true; })"
# What reaches beyond the right edge without being cut off or scrolled by one of its ancestors.
TOO_WIDE = """() => {
  const clips = (element) => {
    for (let up = element.parentElement; up && up !== document.body; up = up.parentElement)
      if (getComputedStyle(up).overflowX !== 'visible') return true;
    return false;
  };
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }))
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
    .filter((element) => !clips(element))
    .map((element) => element.outerHTML.slice(0, 120));
}"""
SIDEWAYS = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"


@pytest.fixture(scope="module")
def workspaces(server: Server) -> None:
    """The administrator has one that runs, one with a long name and one with apps."""
    boss = Caller(server, {})
    proof = {"username": "boss", "password": PASSWORD, "name": "test"}
    secret = boss.ok("POST", "/api/v1/tokens", proof)["token"]
    boss.header["Authorization"] = f"Bearer {secret}"
    for name in ("main", "a-name-as-long-as-can-be"):
        boss.ok("POST", "/api/v1/workspaces", {"name": name})
    boss.ok("POST", "/api/v1/workspaces/main/start")
    boss.ok("PUT", "/api/v1/workspaces/main/ports/8000", {"share": "users"})
    Visit(server, "boss").offer("paged", apps="broken | Broken | box | 8091 | / | false")
    boss.ok("POST", "/api/v1/workspaces", {"name": "with-apps", "template": "paged"})
    boss.ok("POST", "/api/v1/workspaces/with-apps/start")


@pytest.fixture(params=["dark", "light"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def still(new_screen: Callable[..., Screen], theme: str) -> Screen:
    """A browser that shows no transitions."""
    return new_screen(color_scheme=theme, reduced_motion="reduce")


def look_at(screen: Screen, name: str, theme: str) -> None:
    assert screen.is_dark() == (theme == "dark")
    screen.page.evaluate(UNFOLD)
    for device, size in WIDTHS.items():
        screen.page.set_viewport_size(size)
        screen.photograph(f"{name}-{theme}-{device}")
        assert screen.page.evaluate(TOO_WIDE) == [], f"{name} on a {device}"
        assert screen.page.evaluate(SIDEWAYS) <= 0, f"{name} on a {device}"


def test_pages_of_strangers(still: Screen, theme: str) -> None:
    for name, path in FOR_STRANGERS.items():
        look_at(still.go(path), name, theme)


@pytest.mark.usefixtures("workspaces")
def test_pages_of_people(still: Screen, theme: str, complaints: Complaints) -> None:
    complaints.expect(REFUSED + r".*no-such-workspace")
    still.sign_in("boss")
    for name, path in FOR_PEOPLE.items():
        still.page.set_viewport_size(WIDTHS["desk"])
        still.go(path)
        if ready := READY.get(name):
            ready(still)
        look_at(still, name, theme)


@pytest.mark.usefixtures("workspaces")
def test_pages_in_a_previews_stead(still: Screen, theme: str, complaints: Complaints) -> None:
    complaints.expect(REFUSED + r".*--boss")
    still.let_in("boss")
    for name, label in OF_PREVIEWS.items():
        still.page.goto(f"http://{label}.localhost:{still.server.port}/")
        expect(still.page.get_by_role("heading")).to_be_visible()
        look_at(still, name, theme)


def test_icon_of_every_page_is_there(screen: Screen) -> None:
    for path in ("/", "/account", "/login"):
        screen.go(path)
        icon = screen.page.locator("link[rel=icon]").get_attribute("href")
        answer = screen.page.request.get(f"{screen.url}{icon}")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("image/svg+xml")


def test_pages_load_nothing_from_elsewhere(screen: Screen) -> None:
    asked: list[str] = []
    screen.page.on("request", lambda one: asked.append(one.url))
    for path in ("/", "/w/main/", "/account", "/docs/api"):
        screen.go(path)
    assert asked
    assert [url for url in asked if not url.startswith((screen.url, "data:", "blob:"))] == []


def test_reference_of_the_api_opens_and_fills_its_examples(screen: Screen) -> None:
    page = screen.go("/docs/api").page
    entry = page.locator("details#create_workspace")
    entry.locator("summary").click()
    expect(entry.locator("[data-example]")).to_contain_text("name")
