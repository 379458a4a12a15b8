"""Somebody in whose workspaces a hostile program runs beside their own, and their browser."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from docker import APIClient
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect

from tests.browser.panels import API, read, write
from tests.browser.screen import DEADLINE_SECONDS, Screen
from tests.end_to_end.person import PASSWORD, Answer, Person
from tests.end_to_end.server import Server, free_port, free_ports
from tests.end_to_end.waiting import until
from tests.nginx import documented, nginx
from web.opening import OPEN

PROGRAM = Path(__file__).with_name("hostile_app.py")


class App(NamedTuple):
    """One program of the victim's."""

    name: str
    workspace: str
    port: int


HOSTILE = App("hostile", "main", 8001)
NEIGHBOUR = App("neighbour", "main", 8002)
VAULT = App("vault", "safe", 8001)
PRIVATE = (NEIGHBOUR, VAULT)


@dataclass(frozen=True)
class Layout:
    """Where an installation has its panel and its previews, as browsers see it."""

    name: str
    is_one_site: bool = False
    """Whether they take the panel and all previews for parts of one site."""
    shares_host: bool = False
    """Whether previews have one host, each with a port, and so one jar of cookies."""


LAYOUTS = (
    Layout("many-sites"),
    Layout("one-site", is_one_site=True),
    Layout("one-host", is_one_site=True, shares_host=True),
)


@dataclass
class Victim:
    """The owner of all three; ``panel`` is an origin.

    Previews are below ``apps``, or at its ``ports``.
    """

    person: Person
    layout: Layout
    panel: str
    apps: str
    above: str
    """The domain above all of it, by whose cookies all could be reached."""
    state: Any = None
    """The cookies of a browser that is signed in."""
    ports: dict[App, str] = field(default_factory=dict)
    """By which previews are told from each other where they share a host."""

    def origin(self, app: App) -> str:
        shared = self.layout.shares_host
        host = f"{self.apps}:{self.ports[app]}" if shared else f"{self.label(app)}.{self.apps}"
        return f"{self.panel.partition(':')[0]}://{host}"

    def label(self, app: App) -> str:
        return f"{app.port}--{app.workspace}--{self.person.username}"

    def cookie(self, app: App, name: str) -> str:
        """Return the whole name of one of our cookies at a preview."""
        tag = f"-{self.ports[app]}" if self.layout.shares_host else ""
        return f"__Host-rootblood-{name}{tag}"

    def way_to(self, app: App) -> str:
        """Return the panel's address that leads to it."""
        return f"{self.panel}{OPEN}?host={self.label(app)}"

    def serve(self, client: APIClient) -> None:
        """Start the workspaces and the programs."""
        self.person.open()
        self.person.start(VAULT.workspace)
        write(self.person, PROGRAM.name, PROGRAM.read_text())
        for app in (HOSTILE, *PRIVATE):
            if self.layout.shares_host:
                self.ports[app] = self.berth(app)
            script = f"cd; exec python3 {PROGRAM.name} {app.port} {app.name} > {app.name}.log 2>&1"
            container = self.person.container(app.workspace)
            made = client.exec_create(container, ["bash", "-c", script])
            client.exec_start(made["Id"], detach=True)
            until(lambda app=app: self.ask(app).status == 200, f"{app.name} answers")

    def berth(self, app: App) -> str:
        """Return the preview's port, which it is given as it is shared, and keeps."""
        path = f"/api/v1/workspaces/{app.workspace}/ports/{app.port}"
        url = self.person.ok("PUT", path, {"share": "users"})["url"]
        self.person.ok("PUT", path, {"share": "private"})
        return str(urlsplit(url).port)

    def ask(self, app: App, path: str = "/", **fields: str) -> Answer:
        """Ask it with the person's API token, without a browser."""
        host = {"Host": self.origin(app).partition("://")[2]}
        with self.person.asking("GET", path, header=host | fields) as response:
            return Answer(response.status, response.read().decode())

    def heads(self, app: App) -> str:
        """Return every request's head that the program has seen."""
        return read(self.person, f"{app.name}.heads")

    def forget(self) -> None:
        """Have every program begin anew to keep heads."""
        for app in (HOSTILE, *PRIVATE):
            target = f"{API}/files/content?path={app.name}.heads"
            assert self.person.call("DELETE", target).status in (204, 404)

    def sign_in(self, chromium: Browser) -> None:
        """Sign in with a browser, whose cookies others may have."""
        with chromium.new_context() as context:
            self.screen(context).go("/login").fill_in(self.person.username, PASSWORD)
            expect(context.pages[0]).to_have_url(f"{self.panel}/")
            self.state = context.storage_state()

    def screen(self, context: BrowserContext) -> Screen:
        """Return a fresh tab for the panel."""
        screen = Screen(context.new_page(), self.person.server)
        screen.url = self.panel
        return screen

    def visit(self, context: BrowserContext, app: App, path: str = "/") -> Page:
        """Open it in a tab of a browser that is signed in."""
        page = self.screen(context).go(f"{OPEN}?host={self.label(app)}&to={path}").page
        expect(page.get_by_role("heading", name=app.name)).to_be_visible()
        return page


@contextmanager
def installed(directory: Path, instance: str, layout: Layout) -> Iterator[Victim]:
    """Run an installation until the end: on localhost, or on hosts of one domain behind nginx."""
    settings: dict[str, object] = {"egress": "off", "storage": "plain"}
    with ExitStack() as stack:
        port = free_port()
        panel, apps, ports = f"https://panel.site.test:{port}", "apps.site.test", ""
        if layout.shares_host:
            free = free_ports(len((HOSTILE, *PRIVATE)))
            ports = f"{free[0]}-{free[-1]}"
            settings |= {"apps_host": apps, "apps_ports": ports}
        elif layout.is_one_site:
            settings |= {"apps_domain": apps}
        if layout.is_one_site:
            settings |= {"panel_url": panel, "trusted_proxies": 1}
        server = Server(directory, instance, **settings).start()
        stack.callback(server.close)
        if layout.is_one_site:
            text = documented(server, directory, "panel.site.test", apps, port, ports)
            stack.enter_context(nginx(directory, text, port))
            below = apps if layout.shares_host else f"{apps}:{port}"
            yield Victim(Person(server), layout, panel, below, "site.test")
        else:
            host = f"localhost:{server.port}"
            yield Victim(Person(server), layout, f"http://{host}", host, "localhost")


def refused(frame: Frame) -> None:
    """Wait until the last frame in it is not shown, because of who is around it."""

    def is_refused() -> bool:
        frame.evaluate("0")  # Playwright learns of events while it is asked something
        return "chrome-error:" in frame.child_frames[-1].url

    until(is_refused, "the frame is refused", seconds=DEADLINE_SECONDS)
