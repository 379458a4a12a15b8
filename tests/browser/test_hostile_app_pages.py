"""What a hostile app does with pages: frames, windows, workers, and the way into previews.

As in ``test_hostile_app.py``, at three installations, and with what works at home beside what does
not elsewhere.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Error, Frame, Page, expect

from tests.browser.ports import beside, in_tab
from tests.browser.screen import DEADLINE_SECONDS, REFUSED, Complaints, Screen, requests_of
from tests.browser.victim import HOSTILE, NEIGHBOUR, PRIVATE, App, Victim, refused
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]

FOR_ALL = "header=Content-Security-Policy: frame-ancestors *&header=X-Frame-Options: ALLOWALL"
"""By which an app would let everybody frame it."""
STATE = f"&state={'0' * 64}"
"""Of a nonce that an app might have made up."""
LED_AWAY = "Unsafe attempt to initiate navigation"
LEAD = (
    "top.location = '/?led'",
    "parent.location.replace('/?led')",
    "open('/?led', '_top')",
    "Object.assign(document.createElement('a'), { href: '/?led', target: '_top' }).click()",
)
RECORDS = """JSON.stringify([
  location.href, document.URL, document.referrer, document.baseURI, window.name, history.state,
  navigation.entries().map((entry) => entry.url), navigation.activation?.from?.url,
  performance.getEntries(),
])"""


@pytest.fixture
def ide(browser: BrowserContext, victim: Victim, complaints: Complaints) -> Screen:
    """The victim's page with editors, where previews are opened beside them."""
    # Chromium warns of it where a frame begins on the page's own origin, and leaves it at once.
    complaints.expect("allow-scripts and allow-same-origin")
    return victim.screen(browser).go("/w/main/")


def framed(ide: Screen, app: App) -> Frame:
    """Open one beside the editors; return its frame."""
    inside = beside(ide, app.port)
    expect(inside.get_by_role("heading", name=app.name)).to_be_visible()
    frame = inside.owner.element_handle().content_frame()
    assert frame is not None
    frame.wait_for_load_state()  # the tools come after the heading
    return frame


def test_neither_panel_nor_preview_is_framed(
    hostile: Page, ide: Screen, browser: BrowserContext, victim: Victim, complaints: Complaints
) -> None:
    complaints.expect("frame-ancestors", "chrome-error", "ERR_BLOCKED_BY_", REFUSED)
    framed(ide, NEIGHBOUR)
    names = {one["name"] for one in browser.cookies(victim.origin(NEIGHBOUR))}
    assert names >= {victim.cookie(NEIGHBOUR, name) for name in ("pass", "pass-framed")}
    for around, mark in ((framed(ide, HOSTILE), "inside"), (hostile.main_frame, "tab")):
        around.evaluate("frame('/?own')")
        expect(around.frame_locator("iframe").get_by_role("heading")).to_have_text("hostile")
        url = f"{victim.origin(NEIGHBOUR)}/?{FOR_ALL}&mark={mark}"
        around.evaluate("(url) => frame(url)", url)
        refused(around)
    heads = victim.heads(NEIGHBOUR)
    assert "&mark=inside" in heads, "the pass was sent"
    assert ("&mark=tab" in heads) is victim.layout.is_one_site
    assert "rootblood" not in heads + victim.heads(HOSTILE)
    led = requests_of(browser, "ticket=")
    places = [f"{victim.panel}{path}" for path in ("/", "/login", "/w/main/")]
    for app in (NEIGHBOUR, HOSTILE):
        places += [victim.way_to(app), victim.way_to(app) + STATE]
    for url in places:
        hostile.evaluate("(url) => frame(url)", url)
        refused(hostile.main_frame)
    for tag in ("object", "embed"):
        hostile.evaluate("([tag, url]) => load(tag, url)", [tag, places[-1]])
    assert led == []


def test_what_is_framed_cannot_lead_the_panel_away(
    ide: Screen, victim: Victim, hostile: Page, complaints: Complaints
) -> None:
    complaints.expect(LED_AWAY, "does not have permission to navigate")
    inside, before = framed(ide, HOSTILE), ide.page.url
    for script in LEAD:
        heard = complaints.count(LED_AWAY)
        with suppress(Error):  # some throw
            inside.evaluate(f"() => {{ {script} }}")
        # Playwright learns of what the browser says while it is asked something.
        until(
            lambda heard=heard: ide.page.evaluate("0") or complaints.count(LED_AWAY) > heard,
            f"the browser refuses {script}", seconds=DEADLINE_SECONDS,
        )  # fmt: skip
        hostile.goto(victim.origin(HOSTILE))
        hostile.evaluate(f"() => {{ {script} }}")
        expect(hostile).to_have_url(f"{victim.origin(HOSTILE)}/?led")
    assert ide.page.url == before
    expect(ide.page.locator("#quick-open")).to_be_visible()


def test_windows_do_not_lead_the_panel_away(
    hostile: Page, ide: Screen, browser: BrowserContext, victim: Victim
) -> None:
    tab = in_tab(ide, HOSTILE.port)
    expect(tab.get_by_role("heading")).to_have_text("hostile")
    assert tab.evaluate("window.opener") is None
    for place in (victim.panel, victim.origin(HOSTILE)):
        at_home = place != victim.panel
        with browser.expect_page() as waiting:
            hostile.evaluate("(url) => { window.other = open(url); }", f"{place}/?opened")
        expect(waiting.value).to_have_url(f"{place}/?opened")
        waiting.value.wait_for_load_state()
        assert hostile.evaluate("other.closed") is not at_home
        hostile.evaluate("() => { other.location = '/?led'; }")
        if at_home:
            expect(waiting.value).to_have_url(f"{place}/?led")
        else:
            expect(waiting.value.get_by_role("heading", name="Workspaces")).to_be_visible()


def test_its_service_worker_is_of_its_own_origin(
    hostile: Page,
    private: dict[App, Page],
    browser: BrowserContext,
    victim: Victim,
    complaints: Complaints,
) -> None:
    complaints.expect("not under the max scope allowed", REFUSED, "bad HTTP response code")
    allowed = "/worker.js?header=Service-Worker-Allowed: "
    places = [victim.panel, *map(victim.origin, PRIVATE)]
    tries = [] if victim.layout.shares_host else [["/below/worker.js", "/"]]
    for place in places:
        tries += [[f"{place}/worker.js", "/"], ["/worker.js", f"{place}/"]]
        tries += [[f"{allowed}{place}/", f"{place}/"], [f"{allowed}*", f"{place}/"]]
    for url, scope in tries:
        said = hostile.evaluate("([url, scope]) => register(url, { scope })", [url, scope])
        assert said == "SecurityError", (url, scope)
    said = hostile.evaluate("register('/below/worker.js?header=Service-Worker-Allowed: /',"
                            " { scope: '/' })")  # fmt: skip
    # On a shared host it would answer for the next app of the port.
    assert said == ("TypeError" if victim.layout.shares_host else "registered")
    hostile.reload()
    shown = "hostile" if victim.layout.shares_host else "taken"
    expect(hostile.get_by_role("heading")).to_have_text(shown)
    for app, page in private.items():
        page.reload()
        expect(page.get_by_role("heading")).to_have_text(app.name)
    panel = victim.screen(browser).go("/").page
    expect(panel.get_by_role("heading", name="Workspaces", exact=True)).to_be_visible()


def end_pass(browser: BrowserContext, victim: Victim, app: App) -> None:
    """Have a browser lose its pass, but not the nonce that it came with."""
    host = urlsplit(victim.origin(app)).hostname
    browser.clear_cookies(name=victim.cookie(app, "pass"), domain=host)


def share_nonce(browser: BrowserContext, victim: Victim, app: App, other: App) -> None:
    """Have a browser come to another preview with the same nonce, which no app can bring about."""
    given, wanted = (victim.cookie(one, "nonce") for one in (app, other))
    (nonce,) = (c for c in browser.cookies(victim.origin(app)) if c["name"] == given)
    there = f"https://{urlsplit(victim.origin(other)).hostname}/"  # cookies know no ports
    browser.add_cookies([{"name": wanted, "value": nonce["value"], "url": there}])
    came = {c["name"]: c["value"] for c in browser.cookies(victim.origin(other))}
    assert came[wanted] == nonce["value"]


def test_it_sees_no_ticket(browser: BrowserContext, victim: Victim, complaints: Complaints) -> None:
    complaints.expect(REFUSED)
    victim.forget()
    steps = requests_of(browser, "/.rootblood/")
    page = browser.new_page()
    for number, begins in enumerate(
        (victim.way_to(HOSTILE) + "&to=/", victim.origin(HOSTILE) + "/")
    ):
        end_pass(browser, victim, HOSTILE)
        page.goto(f"{begins}?q={number}")
        expect(page.get_by_role("heading")).to_have_text("hostile")
        *_, url = (one.url for one in steps if "ticket=" in one.url)
        ticket = url.partition("ticket=")[2].partition("&")[0]
        assert len(ticket) > 40
        page.evaluate("() => { location.href = '/?next'; }")
        expect(page).to_have_url(f"{victim.origin(HOSTILE)}/?next")
        next_records = page.evaluate(RECORDS)
        page.go_back()
        records = page.evaluate(RECORDS) + next_records
        heads = victim.heads(HOSTILE)
        for kept in (records, heads):
            assert f"?q={number}" in kept
            assert ticket not in kept
            assert "ticket" not in kept
            assert "rootblood" not in kept
        (arrival,) = page.evaluate("performance.getEntriesByType('navigation')")
        assert arrival["redirectCount"] == 0
    end_pass(browser, victim, HOSTILE)
    page.goto(victim.way_to(HOSTILE) + STATE)
    assert page.url.startswith(victim.origin(HOSTILE))
    assert "ticket=" in steps[-2].url
    assert "ticket" not in page.url


def unused(page: Page, victim: Victim, app: App) -> str:
    """Return the address with a ticket that a browser is led to, and kept from going to."""
    session: CDPSession = page.context.new_cdp_session(page)
    led_to: list[str] = []

    def hold(paused: Any) -> None:
        led_to.append(paused["request"]["url"])
        session.send(
            "Fetch.failRequest", {"requestId": paused["requestId"], "errorReason": "Failed"}
        )

    session.on("Fetch.requestPaused", hold)
    session.send("Fetch.enable", {"patterns": [{"urlPattern": "*/.rootblood/enter?*"}]})
    end_pass(page.context, victim, app)
    with suppress(Error):
        page.goto(victim.way_to(app))
    session.detach()
    (url,) = led_to
    return url


def test_a_ticket_works_once_at_one_host_in_one_browser(
    browser: BrowserContext,
    private: dict[App, Page],
    new_browser: Callable[..., BrowserContext],
    victim: Victim,
    complaints: Complaints,
) -> None:
    complaints.expect(REFUSED)
    page = victim.visit(browser, HOSTILE)
    elsewhere, other = private[NEIGHBOUR], new_browser(storage_state=victim.state)
    also = victim.visit(other, HOSTILE)
    end_pass(other, victim, HOSTILE)
    stranger = new_browser().new_page()

    def is_refused(page: Page, url: str, said: str = "was used already") -> bool:
        answer = page.goto(url)
        assert answer is not None
        expect(page.get_by_text(said)).to_be_visible()
        return answer.status == 403

    url = unused(page, victim, HOSTILE)
    assert is_refused(also, url), "another browser of the same person"
    assert is_refused(page, url), "and it is used up"
    assert is_refused(stranger, unused(page, victim, HOSTILE), "does not keep the cookies")
    url = unused(page, victim, HOSTILE)
    end_pass(browser, victim, NEIGHBOUR)
    share_nonce(browser, victim, HOSTILE, NEIGHBOUR)
    theirs = url.replace(victim.origin(HOSTILE), victim.origin(NEIGHBOUR))
    assert is_refused(elsewhere, theirs), "another preview"
    assert is_refused(page, url), "and it is used up"
    url = unused(page, victim, HOSTILE)
    page.goto(url)
    expect(page.get_by_role("heading")).to_have_text("hostile")
    end_pass(browser, victim, HOSTILE)
    assert is_refused(page, url), "again"
