"""What the doctor's page says behind a reverse proxy that is set up well, or badly."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.screen import CUT_OFF, REFUSED, Complaints, Screen
from tests.end_to_end.person import PASSWORD, Person
from tests.end_to_end.server import Server, free_port
from tests.nginx import documented, nginx

pytestmark = [pytest.mark.browser, pytest.mark.engine]

PANEL, APPS = "panel.test", "apps.test"
FAILURES = (CUT_OFF, REFUSED, "Content Security Policy", "X-Frame-Options", "net::ERR_", "CORS")
KEYS = {
    "address", "encryption", "websocket", "events", "quiet", "clock", "previews",
    "preview-websocket", "preview-frame",
}  # fmt: skip
QUIET_MS = 90_000


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    """A server that believes one proxy."""
    started = make_server(
        trusted_proxies=1, apps_domain=APPS, panel_url=f"https://{PANEL}", egress="off",
        storage="plain",
    )  # fmt: skip
    Person(started.start(), "boss")
    return started


class Front:
    """One nginx, as the page's own snippet sets it up; ``damaged`` changes that."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._stack = ExitStack()
        self._good = documented(server, directory, PANEL, APPS, self.port)

    def start(self, damage: Callable[[str], str] = str) -> None:
        """Run with what ``damage`` makes of the good configuration, instead of what ran before."""
        self._stack.close()
        text = damage(self._good)
        assert (damage is str) == (text == self._good), "nothing was damaged"
        self._stack.enter_context(nginx(self._directory, text, self.port))

    def stop(self) -> None:
        self._stack.close()


@pytest.fixture
def front(server: Server, tmp_path: Path) -> Iterator[Front]:
    made = Front(server, tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def screen(new_screen: Callable[..., Screen], front: Front) -> Screen:
    """The administrator's browser, signed in through the good proxy."""
    made = new_screen(ignore_https_errors=True)
    made.url = f"https://{PANEL}:{front.port}"
    made.go("/login").fill_in("boss", PASSWORD)
    expect(made.page).to_have_url(f"{made.url}/")
    return made


def row(screen: Screen, key: str) -> Locator:
    return screen.page.locator(f"#outside tr[data-key={key}]")


def examine(screen: Screen, *, quiet: bool = False) -> dict[str, str]:
    """Let the page look; return its verdicts. ``quiet`` waits for the one that takes a minute."""
    screen.go("/doctor")
    keys = KEYS if quiet else KEYS - {"quiet"}
    for key in keys:
        limit = QUIET_MS if key == "quiet" else 20_000
        expect(row(screen, key)).to_have_attribute(
            "data-verdict", re.compile("ok|warn|fail|skip"), timeout=limit
        )
    return {key: str(row(screen, key).get_attribute("data-verdict")) for key in keys}


def bad(verdicts: dict[str, str]) -> dict[str, str]:
    return {key: verdict for key, verdict in verdicts.items() if verdict != "ok"}


@pytest.mark.slow
def test_behind_the_proxy_of_the_documents_all_is_well(screen: Screen) -> None:
    assert bad(examine(screen, quiet=True)) == {}
    expect(screen.page.locator("#proxies")).not_to_have_attribute("open", "")


def without(*fields: str) -> Callable[[str], str]:
    """Return a damage: these headers are not set."""
    return lambda text: re.sub(rf".*proxy_set_header ({'|'.join(fields)}) .*\n", "", text)


def instead(old: str, new: str) -> Callable[[str], str]:
    """Return a damage: one directive is another."""
    return lambda text: text.replace(old, new)


def not_below(text: str) -> str:
    """Return the damage of a proxy that knows the panel alone."""
    own = "".join(re.findall(r".*(?:listen|ssl_certificate(?:_key)?) .*\n", text))
    other = f"server {{ {own.replace(' ssl;', ' ssl default_server;')} return 404; }}"
    return text.replace(f" *.{APPS};", ";") + other


@pytest.mark.parametrize(
    ("damage", "verdicts", "said"),
    [
        (
            without("Upgrade", "Connection"),
            {"websocket": "fail", "quiet": "skip", "preview-websocket": "fail"},
            "proxy_http_version 1.1",
        ),
        (
            lambda text: without("X-Forwarded-Host")(text).replace("$http_host", "$proxy_host"),
            {"address": "fail", "websocket": "fail", "quiet": "skip", "previews": "fail",
             "preview-websocket": "skip", "preview-frame": "skip"},
            "proxy_set_header Host $http_host",
        ),
        (
            instead(
                "proxy_buffering off", "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering"
            ),
            {"events": "fail"},
            "proxy_buffering off",
        ),
        (
            instead("timeout 1h", "timeout 2s"),
            {"quiet": "fail"},
            "proxy_read_timeout",
        ),
        (
            not_below,
            {"previews": "fail", "preview-websocket": "skip", "preview-frame": "skip"},
            "every host below the apps domain",
        ),
        (
            instead("proxy_pass", "add_header X-Frame-Options DENY always; proxy_pass"),
            {"preview-frame": "fail"},
            "X-Frame-Options",
        ),
        (
            instead("proxy_pass", "proxy_hide_header Set-Cookie; proxy_pass"),
            {"preview-frame": "warn"},
            "removes Set-Cookie",
        ),
        (
            instead("proxy_pass", "if ($host ~ apps) { return 503; } proxy_pass"),
            {"previews": "fail", "preview-websocket": "skip", "preview-frame": "skip"},
            "not this server",
        ),
    ],
    ids=["no-upgrade", "another-host", "buffering", "impatient", "no-wildcard", "no-frames",
         "no-cookies", "another-answers"],
)  # fmt: skip
def test_what_a_proxy_does_wrong_is_named(
    screen: Screen,
    front: Front,
    complaints: Complaints,
    damage: Callable[[str], str],
    verdicts: dict[str, str],
    said: str,
) -> None:
    complaints.expect(*FAILURES)
    front.start(damage)
    found = bad(examine(screen))
    if "quiet" in verdicts:
        expect(row(screen, "quiet")).to_have_attribute("data-verdict", verdicts["quiet"])
    assert found | {"quiet": "fail"} == verdicts | {"quiet": "fail"}
    assert said in named(screen)


def named(screen: Screen) -> str:
    """Return all that the page says of what is not well."""
    rows = screen.page.locator("#outside tr:is([data-verdict=fail], [data-verdict=warn])")
    return " ".join(rows.all_inner_texts())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without("X-Forwarded-Proto"), "proxy_set_header X-Forwarded-Proto $scheme"),
        (instead("$scheme", "http"), "what it says is wrong"),
    ],
    ids=["not-said", "said-wrongly"],
)
def test_a_server_that_does_not_know_of_tls_is_told(
    screen: Screen, front: Front, complaints: Complaints, damage: Callable[[str], str], said: str
) -> None:
    complaints.expect(*FAILURES)
    front.start(damage)
    screen.page.context.clear_cookies()
    screen.go("/login").fill_in("boss", PASSWORD)
    expect(screen.page).to_have_url(f"{screen.url}/")
    found = examine(screen)
    assert {key for key, verdict in found.items() if verdict == "fail"} >= {
        "address", "encryption", "websocket", "previews",
    }  # fmt: skip
    assert said in named(screen)
    expect(screen.page.locator("#proxies")).to_have_attribute("open", "")


def test_a_person_reads_what_is_so_and_can_report_it(
    new_screen: Callable[..., Screen], front: Front, server: Server, complaints: Complaints
) -> None:
    Person(server, "reader")
    complaints.expect(*FAILURES)
    screen = new_screen(ignore_https_errors=True, permissions=["clipboard-read"])
    screen.url = f"https://{PANEL}:{front.port}"
    screen.go("/login").fill_in("reader", PASSWORD)
    expect(screen.page).to_have_url(f"{screen.url}/")
    front.start(without("Upgrade", "Connection"))
    assert examine(screen)["websocket"] == "fail"
    assert "nginx" not in screen.page.locator("main").inner_text()
    assert "ROOTBLOOD_" not in screen.page.locator("main").inner_text()
    screen.button("Copy a report").click()
    expect(screen.page.get_by_text("The report is copied")).to_be_visible()
    report = screen.page.evaluate("navigator.clipboard.readText()")
    assert "broken · WebSockets · WebSockets do not get through" in report
    assert "fine · engine" in report


def test_the_terminal_leads_here_where_websockets_fail(
    new_screen: Callable[..., Screen], front: Front, server: Server, complaints: Complaints
) -> None:
    complaints.expect(*FAILURES)
    person = Person(server)
    person.open()
    screen = new_screen(ignore_https_errors=True)
    screen.url = f"https://{PANEL}:{front.port}"
    screen.go("/login").fill_in(person.username, PASSWORD)
    expect(screen.page).to_have_url(f"{screen.url}/")
    front.start(without("Upgrade", "Connection"))
    screen.go("/w/main/")
    screen.page.get_by_role("link", name="Find out why").click()
    expect(screen.page).to_have_url(f"{screen.url}/doctor")
    expect(row(screen, "websocket")).to_have_attribute("data-verdict", "fail")


def test_the_snippet_of_another_proxy_can_be_chosen(screen: Screen) -> None:
    screen.go("/doctor")
    screen.page.locator("#proxies summary").click()
    screen.button("Caddy").click()
    expect(screen.page.locator("#text-Caddy")).to_contain_text("reverse_proxy")
    expect(screen.page.locator("#text-nginx")).to_be_hidden()
