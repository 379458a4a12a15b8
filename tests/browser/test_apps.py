"""Apps in a browser: JupyterLab, the real one, and the pages that lead to apps."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.panels import panel
from tests.browser.ports import opened
from tests.browser.screen import Complaints, Screen, requests_of
from tests.conftest import missing
from tests.end_to_end.person import Person, Visit
from tests.end_to_end.server import PROJECT, Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]

LAB_SECONDS = 120.0
"""A cold start reads a hundred packages from the disk, on a machine that does other things, too."""
SITE = "python3 -m http.server 8090 --bind 127.0.0.1"
LINES = f"""
site | Site | globe | 8090 | / | {SITE}
broken | Broken | box | 8091 | / | sh -c 'echo no luck; exit 3'
"""


@pytest.fixture(scope="module")
def boxed(server: Server) -> Iterator[Person]:
    """Somebody with a workspace ``one`` whose template names apps."""
    Visit(server, "boss").offer("box", apps=LINES)
    person = Person(server)
    person.ok("POST", "/api/v1/workspaces", {"name": "one", "template": "box"})
    person.ok("POST", "/api/v1/workspaces/one/start")
    yield person
    person.leave()


@pytest.fixture
def entered(new_screen: Callable[..., Screen], boxed: Person) -> Screen:
    return new_screen().let_in(boxed.username)


def test_an_app_is_opened_from_the_dashboard(
    entered: Screen, boxed: Person, complaints: Complaints
) -> None:
    complaints.expect(r"/favicon\.ico")  # which the site does not have
    entered.go("/")
    card = entered.page.locator("#main section.workspace", has_text="one")
    page = opened(entered.page, lambda: card.get_by_role("link", name="Site").click())
    expect(page.get_by_role("heading", name="Directory listing")).to_be_visible()
    origin = f"http://8090--one--{boxed.username}.localhost:{boxed.server.port}"
    expect(page).to_have_url(f"{origin}/")


def test_the_page_says_why_an_app_failed_and_starts_it_again(
    entered: Screen, boxed: Person
) -> None:
    page = entered.go("/w/one/apps/broken").page
    expect(page.get_by_role("heading", name="Broken does not run")).to_be_visible()
    expect(page.get_by_text("It ended with exit code 3.")).to_be_visible()
    expect(page.locator("#app-log")).to_have_text("no luck")
    with page.expect_response(lambda answer: answer.url.endswith("/apps/broken/start")):
        page.get_by_role("button", name="Start it again").click()


def test_a_link_of_another_site_starts_nothing_by_itself(entered: Screen, boxed: Person) -> None:
    asked = requests_of(entered.page.context, "/apps/broken/start")
    page = entered.page.context.new_page()
    page.set_content(f"<a href='{entered.url}/w/one/apps/broken'>A game</a>")
    page.get_by_role("link", name="A game").click()
    expect(page.get_by_role("heading", name="Start Broken?")).to_be_visible()
    expect(page.locator("#app")).to_have_attribute("aria-busy", "false")
    assert asked == []
    page.get_by_role("button", name="Start it").click()
    expect(page.get_by_role("heading", name="Broken does not run")).to_be_visible()
    expect(page.get_by_role("button", name="Start it again")).to_be_visible()


def test_apps_stand_above_the_ports_and_open_beside(
    entered: Screen, boxed: Person, complaints: Complaints
) -> None:
    complaints.expect(r"/favicon\.ico", "can escape its sandboxing")
    page = entered.go("/w/one/").page
    panel(entered, "ports")
    site = page.locator(".app", has_text="Site")
    site.get_by_role("button", name="Open beside: Site").click()
    frame = page.frame_locator("iframe[title='Port 8090']")
    expect(frame.get_by_role("heading", name="Directory listing")).to_be_visible()
    expect(site.get_by_role("status")).to_have_text("running")
    site.get_by_role("button", name="Stop Site").click()
    expect(site.get_by_role("status")).to_have_text("")
    expect(page.locator(".app", has_text="Broken")).to_be_visible()


@pytest.fixture
def lab(server: Server, person: Person) -> Person:
    """Somebody with a workspace of the template that is offered with JupyterLab."""
    offer = subprocess.run(
        [sys.executable, "init_db.py", "--offer", "jupyterlab"],
        cwd=PROJECT, env=server.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert offer.returncode == 0, offer.stderr
    (template,) = (
        one
        for one in person.ok("GET", "/api/v1/templates")["templates"]
        if one["name"] == "jupyter"
    )
    if not template["image_present"]:
        missing(f"needs the image {template['image']}: script/add-app jupyterlab builds it")
    person.ok("POST", "/api/v1/workspaces", {"name": "lab", "template": "jupyter"})
    return person


@pytest.mark.slow
def test_jupyterlab_runs_a_notebook(
    new_screen: Callable[..., Screen], lab: Person, complaints: Complaints
) -> None:
    complaints.expect(r"\(http://8888--lab--")  # its own console is its makers' business
    page = new_screen().let_in(lab.username).go("/w/lab/apps/jupyterlab").page
    expect(page.get_by_role("heading", name="Starting JupyterLab")).to_be_visible()
    origin = f"http://8888--lab--{lab.username}.localhost:{lab.server.port}"
    page.wait_for_url(f"{origin}/lab**", timeout=LAB_SECONDS * 1000)
    launcher = page.locator(".jp-LauncherCard[data-category='Notebook']").first
    launcher.click(timeout=LAB_SECONDS * 1000)
    cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first
    idle = page.get_by_role("button", name="Python 3 (ipykernel) | Idle")  # else it runs nothing
    expect(idle).to_be_visible(timeout=LAB_SECONDS * 1000)
    cell.click(timeout=LAB_SECONDS * 1000)
    page.keyboard.type("import os; print('answer', 6 * 7, os.getcwd())")
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-OutputArea-output").first
    expect(output).to_contain_text(f"answer 42 /home/{lab.username}", timeout=LAB_SECONDS * 1000)
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    found = lab.ok("GET", "/api/v1/workspaces/lab/apps")["apps"]
    assert [(one["id"], one["state"]) for one in found] == [("jupyterlab", "running")]
    page.close()
    assert lab.ok("GET", "/api/v1/workspaces/lab/apps")["apps"][0]["state"] == "running"
    lab.ok("POST", "/api/v1/workspaces/lab/apps/jupyterlab/stop")
    assert lab.ok("GET", "/api/v1/workspaces/lab/ports")["ports"] == []
