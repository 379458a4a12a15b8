"""Ports of a workspace: the panel that lists them, and their previews in tabs and frames."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.browser.panels import panel, write
from tests.browser.screen import DEADLINE_SECONDS, REFUSED, Complaints, Screen
from tests.end_to_end.person import Person
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]

API = "/api/v1/workspaces/main/ports"
PORT = 8123
SERVE = "cd ~/site && (setsid python3 -m http.server {port} --bind 127.0.0.1 >&- 2>/dev/null &)"
"""It outlives the terminal."""


def serve(owner: Person, port: int) -> None:
    """Have a server of the folder ``site`` listen on a port."""
    assert owner.terminal(session=f"s{port}").run(SERVE.format(port=port)) == 0

    def listens() -> bool:
        ports = owner.ok("GET", API)["ports"]
        return any(one["port"] == port and one["listening"] for one in ports)

    until(listens, "the server listens", seconds=DEADLINE_SECONDS)


@pytest.fixture(scope="module")
def site(owner: Person) -> Person:
    """The owner, in whose workspace a server shows a page."""
    write(owner, "site/index.html", "<!doctype html><title>Site</title><h1>It works</h1>")
    write(owner, "site/shop.html", "<!doctype html><title>Shop</title><h1>Buy</h1>")
    serve(owner, PORT)
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
        site.ok("PUT", f"{API}/{PORT}", body)

    yield share
    share("private")


@pytest.fixture
def other(server: Server) -> Person:
    return Person(server)


def origin(owner: Person, port: int = PORT) -> str:
    return f"http://{port}--main--{owner.username}.localhost:{owner.server.port}"


def row(screen: Screen, port: int = PORT) -> Locator:
    """Return the port's row in the panel."""
    return panel(screen, "ports").locator(".port").filter(has_text=str(port))


def opened(screen: Screen, act: Callable[[], object]) -> Page:
    """Return the page that ``act`` opens in another tab."""
    with screen.page.context.expect_page() as waiting:
        act()
    return waiting.value


def works(page: Page | FrameLocator) -> None:
    expect(page.get_by_role("heading", name="It works")).to_be_visible()


def test_a_port_is_told_of_as_it_opens_and_closes(shell: Screen, owner: Person) -> None:
    panel(shell, "ports")
    expect(shell.page.get_by_text("Nothing listens yet")).to_be_visible()
    shell.page.locator(".xterm-helper-textarea").first.focus()
    shell.type("python3 -m http.server 8124 --bind 127.0.0.1")
    told = shell.page.locator(".toast", has_text="Port 8124 is open")
    expect(told).to_contain_text("python3 -m http.server 8124")
    expect(row(shell, 8124)).to_contain_text("Private")
    page = opened(shell, lambda: told.get_by_role("button", name="Open in browser").click())
    expect(page).to_have_url(f"{origin(owner, 8124)}/")
    expect(page.get_by_role("heading", name="Directory listing")).to_be_visible()
    page.close()
    shell.page.locator(".xterm-helper-textarea").first.focus()
    shell.page.keyboard.press("Control+c")
    expect(row(shell, 8124)).to_have_count(0)


def test_a_preview_opens_in_a_tab_of_its_own_origin(shell: Screen, site: Person) -> None:
    page = opened(shell, lambda: row(shell).get_by_role("link", name=str(PORT), exact=True).click())
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
    row(shell).get_by_role("button", name=f"Open port {PORT} beside").click()
    shown = shell.page.locator(".port-page:visible")
    frame = shown.frame_locator("iframe")
    works(frame)
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
    complaints.expect("Unsafe attempt to initiate navigation", "permission to navigate the target")
    write(site, "site/away.html", "<button onclick=\"top.location = '/x'\">Go</button>")
    row(shell).get_by_role("button", name=f"Open port {PORT} beside").click()
    shown = shell.page.locator(".port-page:visible")
    shown.get_by_label("Path").fill("/away.html")
    shell.page.keyboard.press("Enter")
    shown.frame_locator("iframe").get_by_role("button", name="Go").click()
    shell.page.locator(".xterm-helper-textarea").first.focus()
    shell.answers()
    expect(shell.page).to_have_url(re.compile("/w/main/"))


def test_nobody_else_may_frame_a_private_preview(
    shell: Screen, site: Person, complaints: Complaints
) -> None:
    works(opened(shell, lambda: row(shell).get_by_role("link", name=str(PORT), exact=True).click()))
    write(site, "site/thief.html", f"<iframe src='{origin(site)}/'></iframe>")
    complaints.expect("frame-ancestors", "chrome-error")
    site.ok("PUT", f"{API}/8125", {"share": "public"})
    serve(site, 8125)
    thief = shell.page.context.new_page()
    thief.goto(f"{origin(site, 8125)}/thief.html")

    def refused() -> bool:
        thief.evaluate("0")  # Playwright learns of events while it is asked something
        return "chrome-error:" in thief.frames[-1].url

    until(refused, "the frame is refused", seconds=DEADLINE_SECONDS)
    site.ok("PUT", f"{API}/8125", {"share": "private"})


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
    shared("public", seconds=2)
    expect(row(shell)).to_contain_text("ends")
    expect(row(shell)).to_contain_text("Private")
    stranger.page.reload()
    expect(stranger.page.get_by_role("heading", name="Sign in")).to_be_visible()


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
    (port,) = [one for one in site.ok("GET", API)["ports"] if one["port"] == PORT]
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
    owner.ok("PUT", f"{API}/9999", {"share": "private"})
    expect(row(shell, 9999)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panel_is_drawn(
    new_screen: Callable[..., Screen], site: Person, shared: Callable[..., None], scheme: str
) -> None:
    shared("users", seconds=3600)
    screen = new_screen(color_scheme=scheme).let_in(site.username).enter()
    row(screen).get_by_role("button", name=f"Open port {PORT} beside").click()
    frame = screen.page.locator(".port-page:visible").frame_locator("iframe")
    works(frame)
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
