"""What a hostile app reads, sets, calls and opens in the browser of somebody who came to see it.

At three installations: where browsers take the panel and each preview for sites of their own; where
they all are one, for which ``SameSite`` means nothing; and where previews share a host besides, and
with it one jar of cookies. What is refused elsewhere works at home, with the same tools: so it is
the place that was refused, not the way.
"""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.screen import CUT_OFF, REFUSED, Complaints, requests_of
from tests.browser.victim import HOSTILE, NEIGHBOUR, PRIVATE, VAULT, App, Victim
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]

MAIN = "/api/v1/workspaces/main"
SAFE = f"/api/v1/workspaces/{VAULT.workspace}"
LOADED = {"script": "/secret.js", "img": "/secret.svg", "link": "/secret.css", "object": "/"}
SOCKETS = {
    f"{MAIN}/terminal?session=main": "tty",
    f"{MAIN}/files/watch": "",
    f"{MAIN}/ports/watch": "",
    "/api/v1/echo": "",
}
CONNECT = "([url, kind]) => connect(url, ...(kind ? [kind] : []))"


@pytest.fixture(autouse=True)
def _refusals(complaints: Complaints) -> None:
    complaints.expect(
        REFUSED, CUT_OFF, "CORS", "net::ERR_FAILED", "ERR_BLOCKED_BY_", "frame-ancestors"
    )


def worth(browser: BrowserContext, *places: str) -> dict[tuple[str, str], str]:
    """Return the values of our cookies at these origins, by host and name."""
    return {
        (one["domain"], one["name"]): one["value"]
        for one in browser.cookies(list(places))
        if one["name"].lower().startswith("__host-rootblood")
    }


def test_no_cookie_of_ours_is_read(hostile: Page, browser: BrowserContext, victim: Victim) -> None:
    home = victim.origin(HOSTILE)
    assert len(worth(browser, victim.panel)) == 1, "there is something to be stolen"
    assert worth(browser, home)
    hostile.goto(f"{home}/?header=Set-Cookie: theirs=1")
    hostile.reload()
    assert hostile.evaluate("document.cookie") == "theirs=1"
    every = "cookieStore.getAll().then((all) => all.map((one) => one.name))"
    assert hostile.evaluate(every) == ["theirs"]
    heads = victim.heads(HOSTILE)
    assert "Cookie: theirs=1\r\n" in heads
    assert "rootblood" not in heads.lower()


def spellings(names: set[str], above: str) -> list[str]:
    """Return lines that would set cookies which somebody could take for ours."""
    odd = [name.lower().removeprefix("__host-") for name in names]
    odd += [f"={name}" for name in names] + [f'"{name}"' for name in names]
    odd += [f"\u2000{name}" for name in names] + [name.upper() for name in names]
    return [
        f"{name}=evil; Path={path}; Secure{reach}"
        for name in (*names, *odd)
        for path in ("/", "/w", "/login")
        for reach in ("", f"; Domain={above}")
    ]


def test_no_cookie_of_ours_is_set(hostile: Page, browser: BrowserContext, victim: Victim) -> None:
    home, elsewhere = victim.origin(HOSTILE), [victim.panel, *map(victim.origin, PRIVATE)]
    before, at_home = worth(browser, *elsewhere), worth(browser, home)
    # Of one preview, since browsers keep so many cookies of a site and drop the oldest.
    panels = {name for _, name in worth(browser, victim.panel)}
    names = {*panels, *(victim.cookie(NEIGHBOUR, name) for name in ("pass", "nonce"))}
    assert names <= {name for _, name in before}
    lines = spellings(names, victim.above)
    headers = [f"Set-Cookie: {line}" for line in (*lines, "asked=1")]
    headers.append('Clear-Site-Data: "cache", "cookies", "storage"')
    hostile.evaluate(
        """async (headers) => {
             for (const header of headers) await ask(`/?${new URLSearchParams({ header })}`);
           }""",
        headers,
    )
    assert worth(browser, *elsewhere) == before
    assert worth(browser, home) == at_home
    hostile.evaluate(
        "(lines) => lines.forEach((line) => { document.cookie = line; })", [*lines, "said=1"]
    )
    until(lambda: "said" in {one["name"] for one in browser.cookies(home)}, "scripts' are kept")
    after = worth(browser, *elsewhere)
    assert after.items() >= before.items()
    added = {name for _, name in after.keys() - before.keys()}
    # Cookies know no ports. But none of these means anything on a preview's host.
    means_nothing = {*panels, *(name.upper() for name in names)}
    assert added == (means_nothing if victim.layout.shares_host else set())
    assert worth(browser, home).items() >= at_home.items(), "which nobody else asks for"
    assert "asked" in {one["name"] for one in browser.cookies(home)}
    for app in PRIVATE:
        victim.visit(browser, app)
    assert worth(browser, *map(victim.origin, PRIVATE)).items() <= after.items(), "still let in"
    screen = victim.screen(browser)
    for path in ("/", "/account"):
        assert victim.person.username in screen.go(path).page.content()


def workspaces(victim: Victim) -> dict[str, str]:
    found = victim.person.ok("GET", "/api/v1/workspaces")["workspaces"]
    return {one["name"]: one["state"] for one in found}


def test_the_panels_api_is_neither_read_nor_called(
    hostile: Page, browser: BrowserContext, victim: Victim, complaints: Complaints
) -> None:
    complaints.expect("status of 400", "status of 415")
    before = workspaces(victim)
    sent = requests_of(browser, SAFE)
    for place in (victim.panel, victim.origin(HOSTILE)):
        at_home = place != victim.panel
        for path in ("/api/v1/me", f"{SAFE}/ports"):
            said = hostile.evaluate("(url) => ask(url)", place + path)
            assert (said != "TypeError") is at_home, said
        hostile.evaluate(
            """async ([stop, make, port]) => {
                 const simple = { method: 'POST', mode: 'no-cors' };
                 await ask(`${stop}?fetched`, simple);
                 await ask(make, { ...simple, body: '{"name": "evil"}' });
                 await ask(port, { method: 'PUT', body: '{"share": "public"}' });
                 await submit(`${stop}?form`, {});
                 await submit(make, { '{"name": "evil", "x': '": 1}' }, 'text/plain');
                 navigator.sendBeacon(`${stop}?beacon`, new URLSearchParams());
               }""",
            [f"{place}{SAFE}/stop", f"{place}/api/v1/workspaces", f"{place}{SAFE}/ports/8001"],
        )
    until(lambda: f"POST {SAFE}/stop?beacon" in victim.heads(HOSTILE), "it comes at home")
    heads = victim.heads(HOSTILE)
    for line in (f"POST {SAFE}/stop?fetched", f"POST {SAFE}/stop?form", "POST /api/v1/workspaces",
                 f"PUT {SAFE}/ports/8001"):  # fmt: skip
        assert line in heads
    (form,) = (one for one in sent if one.url == f"{victim.panel}{SAFE}/stop?form")
    # Known by the cookie, which one site's pages send, it still lacks what only the panel's have.
    answer = form.response()
    assert answer is not None
    assert answer.status == (400 if victim.layout.is_one_site else 401)
    assert workspaces(victim) == before
    (port,) = (p for p in victim.person.ok("GET", f"{SAFE}/ports")["ports"] if p["port"] == 8001)
    assert port["share"] == "private"


def test_the_panels_sockets_are_closed_to_it(
    hostile: Page, browser: BrowserContext, victim: Victim
) -> None:
    own = victim.screen(browser).go("/").page
    tools = victim.ask(HOSTILE, "/tools.js").body
    for path, kind in SOCKETS.items():
        url = victim.panel + path
        assert hostile.evaluate(CONNECT, [url, kind]) == "refused"
        said = hostile.evaluate("(call) => sandboxed(call)", f"connect('{url}')")
        assert said == "null refused"
        at_home = f"([url, kind]) => {{ {tools} return ({CONNECT})([url, kind]); }}"
        assert own.evaluate(at_home, [url, kind]) == "open", path
    assert hostile.evaluate("connect(location.origin)") == "open"
    events = f"{victim.panel}/api/v1/events"
    assert hostile.evaluate("(url) => follow(url)", events) == "refused"
    assert own.evaluate(f"(url) => {{ {tools} return follow(url); }}", events) == "open"
    assert hostile.evaluate("follow('/events')") == "open"


def take(page: Page, origin: str, mark: str) -> set[str]:
    """Have a page ask for everything that another has, in every way; return what came of it."""
    said = {page.evaluate("([tag, url]) => load(tag, url)", [tag, f"{origin}{path}?{mark}"])
            for tag, path in LOADED.items()}  # fmt: skip
    for options in ({}, {"mode": "no-cors"}, {"mode": "no-cors", "method": "POST"}):
        url = f"{origin}/?{mark}"
        page.evaluate("([url, options]) => ask(url, options)", [url, options])
    read = page.evaluate("(url) => ask(url)", f"{origin}/secret.js?{mark}")
    followed = page.evaluate("(url) => follow(url)", f"{origin}/events?{mark}")
    return {*said, read, followed, f"{page.evaluate('window.secret')}"}


@pytest.mark.parametrize("app", PRIVATE, ids=lambda app: app.name)
def test_another_preview_is_not_read(
    hostile: Page, private: dict[App, Page], victim: Victim, browser: BrowserContext, app: App
) -> None:
    sent = requests_of(browser, "?stolen")
    assert take(private[app], victim.origin(app), "own") == {
        "loaded", f"window.secret = '{app.name}';", "open", app.name,
    }  # fmt: skip
    assert take(hostile, victim.origin(app), "stolen") == {"refused", "TypeError", "None"}
    carried = {"rootblood" in one.all_headers().get("cookie", "") for one in sent}
    assert (True in carried) is victim.layout.is_one_site, "the pass went along"
    heads = victim.heads(app)
    assert "/secret.js?own" in heads
    assert "?stolen" not in heads


def test_another_previews_socket_is_closed_to_it(
    hostile: Page, private: dict[App, Page], victim: Victim
) -> None:
    share = f"{MAIN}/ports/{NEIGHBOUR.port}"
    for audience, app in (("private", VAULT), ("private", NEIGHBOUR), ("public", NEIGHBOUR)):
        victim.person.ok("PUT", share, {"share": audience})
        url = victim.origin(app)
        assert private[app].evaluate("connect(location.origin + '/?own')") == "open"
        assert hostile.evaluate("(url) => connect(`${url}/?stolen`)", url) == "refused"
        said = hostile.evaluate("(call) => sandboxed(call)", f"connect('{url}/?stolen')")
        assert said == "null refused"
        heads = victim.heads(app)
        assert "GET /?own" in heads
        assert "?stolen" not in heads
    victim.person.ok("PUT", share, {"share": "private"})


def test_it_sees_neither_pass_nor_token(
    hostile: Page, browser: BrowserContext, victim: Victim, complaints: Complaints
) -> None:
    complaints.expect("bad HTTP response code")
    secret = victim.person.header["Authorization"].removeprefix("Bearer ")
    assert victim.ask(HOSTILE, "/?by-token").status == 200
    assert victim.ask(HOSTILE, Cookie="__Host-rootblood-pass=x; a=b").status == 200
    hostile.evaluate("ask('/?own', { headers: { Authorization: 'Bearer of-its-own' } })")
    hostile.evaluate("ask('/?posted', { method: 'POST', body: 'x' })")
    assert hostile.evaluate("connect(location.origin + '/?socket')") == "open"
    registered = hostile.evaluate("register('/worker.js')") == "registered"
    assert registered is not victim.layout.shares_host
    heads = victim.heads(HOSTILE)
    for seen_as in ("GET /?by-token", "Cookie: a=b", "Bearer of-its-own", "POST /?posted",
                    "GET /?socket", "Upgrade: websocket"):  # fmt: skip
        assert seen_as.lower() in heads.lower()
    assert ("service-worker: script" in heads.lower()) is registered
    secrets = {one["value"] for one in browser.cookies() if "rootblood" in one["name"]}
    assert len(secrets) > 3
    for kept in {*secrets, secret, "rb_", "rootblood"}:
        assert kept.lower() not in heads.lower()
