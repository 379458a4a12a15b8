"""Ports of a workspace: the panel that lists them, and their previews in tabs and frames."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.browser.panels import API, panel, write
from tests.browser.ports import PORT, beside, in_tab, opened, origin, row, serve
from tests.browser.screen import DEADLINE_SECONDS, REFUSED, Complaints, Screen
from tests.end_to_end.person import Person
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]

SHARES = f"{API}/ports"
SERVER = "python3 -m http.server {port} --bind 127.0.0.1"


@pytest.fixture(scope="module")
def site(owner: Person) -> Person:
    """The owner, in whose workspace a server shows a page."""
    write(owner, "site/index.html", "<!doctype html><title>Site</title><h1>It works</h1>")
    write(owner, "site/shop.html", "<!doctype html><title>Shop</title><h1>Buy</h1>")
    serve(owner, PORT, "site", SERVER.format(port=PORT))
    return owner


@pytest.fixture(autouse=True)
def _icons(complaints: Complaints) -> None:
    complaints.expect(r"/favicon\.ico")  # which these sites do not have
    # Chromium warns of it where a frame begins on the page's own origin, and leaves it at once.
    complaints.expect("allow-scripts and allow-same-origin")


@pytest.fixture
def shared(site: Person) -> Iterator[Callable[..., None]]:
    """Return ``shared("users", seconds)``: share the port; it is private again at the end."""

    def share(audience: str, seconds: float | None = None) -> None:
        ends = datetime.now(UTC) + timedelta(seconds=seconds) if seconds else None
        body = {"share": audience, "expires": ends.isoformat() if ends else None}
        site.ok("PUT", f"{SHARES}/{PORT}", body)

    yield share
    share("private")


@pytest.fixture
def other(server: Server) -> Person:
    return Person(server)


def end_share(site: Person) -> None:
    """Have the time of the port's share be over now."""
    with closing(sqlite3.connect(site.server.data_dir / "rootblood.db", timeout=10)) as database:
        past = "2001-01-01 00:00:00.000000"
        change = "UPDATE shares SET expires_at = ? WHERE port = ?"
        assert database.execute(change, (past, PORT)).rowcount == 1
        database.commit()


def works(page: Page | FrameLocator) -> None:
    expect(page.get_by_role("heading", name="It works")).to_be_visible()


def test_a_port_is_told_of_as_it_opens_and_closes(shell: Screen, owner: Person) -> None:
    panel(shell, "ports")
    expect(shell.page.get_by_text("Nothing listens yet")).to_be_visible()
    shell.page.locator(".xterm-helper-textarea").first.focus()
    shell.type(SERVER.format(port=8124))
    told = shell.page.locator(".toast", has_text="Port 8124 is open")
    expect(told).to_contain_text("python3 -m http.server 8124")
    expect(row(shell, 8124)).to_contain_text("Private")
    page = opened(shell.page, told.get_by_role("button", name="Open in browser").click)
    expect(page).to_have_url(f"{origin(owner, 8124)}/")
    expect(page.get_by_role("heading", name="Directory listing")).to_be_visible()
    page.close()
    shell.page.locator(".xterm-helper-textarea").first.focus()
    shell.page.keyboard.press("Control+c")
    expect(row(shell, 8124)).to_have_count(0)


def test_a_preview_opens_in_a_tab_of_its_own_origin(shell: Screen, site: Person) -> None:
    page = in_tab(shell)
    works(page)
    expect(page).to_have_url(f"{origin(site)}/")
    (cookie,) = [one for one in page.context.cookies(origin(site)) if one["name"].endswith("-pass")]
    assert cookie["name"] == "__Host-rootblood-pass"
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("document.referrer") == ""
    assert page.evaluate("window.opener") is None
    expect(row(shell).locator(".guests")).to_have_text(site.username)


def test_a_preview_opens_beside_the_editors(shell: Screen, site: Person) -> None:
    frame = beside(shell)
    works(frame)
    shown = shell.page.locator(".port-page:visible")
    shown.get_by_label("Path").fill("/shop.html")
    shell.page.keyboard.press("Enter")
    expect(frame.get_by_role("heading", name="Buy")).to_be_visible()
    (cookie,) = [
        one for one in shell.page.context.cookies() if one["name"] == "__Host-rootblood-pass-framed"
    ]
    assert cookie["sameSite"] == "None"
    assert cookie["partitionKey"] == "http://localhost"


def test_what_is_framed_cannot_lead_the_page_away(
    shell: Screen, site: Person, complaints: Complaints
) -> None:
    refused = "Unsafe attempt to initiate navigation"
    complaints.expect(refused, "permission to navigate the target")
    write(site, "site/away.html", "<button onclick=\"top.location = '/x'\">Go</button>")
    frame = beside(shell)
    works(frame)
    shell.page.locator(".port-page:visible").get_by_label("Path").fill("/away.html")
    shell.page.keyboard.press("Enter")
    frame.get_by_role("button", name="Go").click()
    # Playwright learns of what the browser says while it is asked something.
    until(lambda: shell.page.evaluate("0") or complaints.count(refused), "the browser refuses")
    shell.page.locator(".xterm-helper-textarea").first.focus()
    shell.answers()
    expect(shell.page).to_have_url(re.compile("/w/main/"))


def test_who_is_not_signed_in_signs_in_and_arrives(
    new_screen: Callable[..., Screen], site: Person
) -> None:
    screen = new_screen()
    screen.page.goto(f"{origin(site)}/shop.html?q=1")
    screen.fill_in(site.username, "correct horse battery")
    expect(screen.page.get_by_role("heading", name="Buy")).to_be_visible()
    expect(screen.page).to_have_url(f"{origin(site)}/shop.html?q=1")


def test_another_person_is_told_of_nothing_until_it_is_shared(
    new_screen: Callable[..., Screen],
    site: Person,
    other: Person,
    shell: Screen,
    shared: Callable[..., None],
    complaints: Complaints,
) -> None:
    complaints.expect(REFUSED)
    screen = new_screen().let_in(other.username)
    for where in (origin(site), origin(site).replace("--main--", "--none--")):
        screen.page.goto(f"{where}/")
        expect(screen.page.get_by_text("There is no such preview")).to_be_visible()
    shared("users")
    screen.page.goto(f"{origin(site)}/")
    works(screen.page)
    expect(row(shell)).to_contain_text("Signed-in users")
    expect(row(shell).locator(".guests")).to_contain_text(other.username)
    shared("private")
    expect(row(shell).locator(".guests")).not_to_contain_text(other.username)
    screen.page.reload()
    expect(screen.page.get_by_text("There is no such preview")).to_be_visible()


def test_a_public_preview_is_for_strangers_until_it_ends(
    new_screen: Callable[..., Screen],
    site: Person,
    shell: Screen,
    shared: Callable[..., None],
    complaints: Complaints,
) -> None:
    complaints.expect(REFUSED)
    shared("public")
    stranger = new_screen()
    stranger.page.goto(f"{origin(site)}/")
    works(stranger.page)
    assert stranger.page.context.cookies() == []
    expect(row(shell).locator(".guests")).to_contain_text("127.0.0.1")
    shared("public", seconds=3600)
    expect(row(shell)).to_contain_text("ends")
    end_share(site)
    expect(row(shell)).to_contain_text("Private")
    expect(row(shell).locator(".guests")).not_to_contain_text("127.0.0.1")

    def is_asked_who_they_are() -> bool:
        stranger.page.reload()
        return "/login" in stranger.page.url

    until(is_asked_who_they_are, "the stranger is led to the panel", seconds=DEADLINE_SECONDS)


def test_sharing_is_chosen_in_a_dialog(
    shell: Screen, site: Person, shared: Callable[..., None]
) -> None:
    row(shell).get_by_role("button", name="Private").click()
    box = shell.dialog(f"Share port {PORT}")
    expect(box.get_by_label("How long")).to_be_hidden()
    box.get_by_text("Public", exact=True).click()
    box.get_by_label("How long").select_option("For 1 day")
    box.get_by_role("button", name="Save").click()
    expect(row(shell)).to_contain_text("Public")
    expect(row(shell)).to_contain_text("ends tomorrow")
    (port,) = [one for one in site.ok("GET", SHARES)["ports"] if one["port"] == PORT]
    assert port["share"] == "public"
    assert port["expires"]
    card = shell.tab().go("/").page.locator(".card.workspace")
    expect(card.get_by_role("link", name=f":{PORT}")).to_have_attribute(
        "href", f"/apps/open?host={PORT}--main--{site.username}"
    )
    row(shell).get_by_role("button", name=f"More for port {PORT}").click()
    shell.page.get_by_role("menu").get_by_text("Make it private").click()
    expect(row(shell)).to_contain_text("Private")


def test_a_port_on_which_nothing_listens_can_be_shared(
    shell: Screen, owner: Person, complaints: Complaints
) -> None:
    complaints.expect(r"status of 422")
    panel(shell, "ports").get_by_role("button", name="Share another port").click()
    box = shell.dialog("Share a port")
    box.get_by_label("Port").fill("7681")
    box.get_by_role("button", name="Next").click()
    expect(box.get_by_role("alert")).to_contain_text("cannot be shared")
    box.get_by_label("Port").fill("9999")
    box.get_by_role("button", name="Next").click()
    again = shell.dialog("Share port 9999")
    again.get_by_text("Signed-in users", exact=True).click()
    again.get_by_role("button", name="Save").click()
    expect(row(shell, 9999)).to_contain_text("nothing listens")
    owner.ok("PUT", f"{SHARES}/9999", {"share": "private"})
    expect(row(shell, 9999)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panel_is_drawn(
    new_screen: Callable[..., Screen], site: Person, shared: Callable[..., None], scheme: str
) -> None:
    shared("users", seconds=3600)
    screen = new_screen(color_scheme=scheme).let_in(site.username).enter()
    works(beside(screen))
    assert screen.is_dark() is (scheme == "dark")
    screen.photograph(f"ports-{scheme}")


def test_the_panel_fits_a_phone(
    new_screen: Callable[..., Screen], site: Person, shared: Callable[..., None]
) -> None:
    shared("public", seconds=3600)
    phone = {"width": 390, "height": 800}
    screen = new_screen(viewport=phone, has_touch=True, is_mobile=True).let_in(site.username)
    screen.enter()
    screen.page.get_by_role("navigation", name="Views").get_by_role("button", name="Ports").click()
    shown = screen.page.locator(".port").filter(has_text=str(PORT))
    expect(shown).to_be_visible()
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= 390
    screen.photograph("ports-phone")
    screen.page.locator(".port").filter(has_text=str(PORT)).get_by_role(
        "button", name="Public"
    ).click()
    expect(screen.dialog(f"Share port {PORT}")).to_be_visible()
    screen.photograph("ports-phone-share")
