"""The dashboard: create, name, limit, start, repair and delete workspaces."""

import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker.errors
import pytest
from docker import APIClient
from playwright.sync_api import Locator, expect

from tests.browser.screen import REFUSED, Complaints, Screen, becomes
from tests.conftest import IMAGE
from tests.end_to_end.person import Person, Visit, execute
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def card(screen: Screen, name: str = "main") -> Locator:
    return screen.page.get_by_role("region", name=name, exact=True)


def more(screen: Screen, name: str, item: str) -> None:
    screen.choose(f"More for {name}", item)


def create(person: Person, *names: str, **fields: object) -> None:
    for name in names:
        person.ok("POST", "/api/v1/workspaces", {"name": name} | fields)


def test_new_workspace_is_named_limited_and_started(screen: Screen, person: Person) -> None:
    create(person, "main")
    page = screen.go("/").page
    screen.button("New workspace").click()
    dialog = screen.dialog("New workspace")
    name = dialog.get_by_label("Name")
    expect(name).to_be_focused()
    expect(name).not_to_have_value("main")
    note = dialog.locator("#workspace-name-note")
    for wrong, said in [
        ("Api", "Small letters only."),
        ("api_1", "Only letters a–z, digits and hyphens."),
        ("api--1", "Hyphens only inside, and never two in a row."),
        ("main", "You have a workspace of this name."),
    ]:
        name.fill(wrong)
        expect(note).to_have_text(said)
        expect(name).to_have_attribute("aria-invalid", "true")
    dialog.get_by_role("button", name="Create and start").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Choose another name.")
    screen.photograph("dialog-new")

    name.fill("api-1")
    dialog.get_by_role("slider", name="Memory").press("Home")
    expect(dialog.get_by_text("256 MiB", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(card(screen, "api-1")).to_contain_text("Running")
    expect(card(screen, "api-1")).to_contain_text("1 CPU · 256 MiB")
    assert person.workspace("api-1")["limits"]["memory_bytes"] == 256 << 20


def test_more_workspaces_than_allowed_are_not_offered(screen: Screen, person: Person) -> None:
    create(person, *(f"number-{number}" for number in range(5)))
    screen.go("/").button("New workspace").click()
    dialog = screen.dialog("New workspace")
    expect(dialog).to_contain_text("You have 5 of 5 workspaces.")
    expect(dialog.get_by_role("button", name="Create and start")).to_be_disabled()


def test_state_is_live(screen: Screen, person: Person) -> None:
    page = screen.page
    person.start("main")
    expect(card(screen)).to_contain_text("Running")
    expect(card(screen).get_by_role("link", name="Open")).to_be_visible()
    expect(card(screen)).to_contain_text(re.compile(r"Memory [\d.]+ MiB"))
    expect(page.locator(".tile", has_text="Running workspaces")).to_contain_text("1 of 1")
    screen.photograph("dashboard-running")
    person.ok("POST", "/api/v1/workspaces/main/stop")
    expect(card(screen)).to_contain_text(f"by {person.username}")
    expect(card(screen)).to_contain_text("Stopped just now")
    expect(page.locator(".tile", has_text="Running workspaces")).to_contain_text("0 of 1")
    card(screen).get_by_role("button", name="Start").click()
    expect(card(screen)).to_contain_text("Running")


def test_rename(screen: Screen, person: Person, complaints: Complaints) -> None:
    complaints.expect(REFUSED)
    create(person, "main", "other")
    more(screen.go("/"), "main", "Rename …")
    dialog = screen.dialog("Rename main")
    dialog.get_by_label("New name").fill("other")
    expect(dialog).to_contain_text("You have a workspace of this name.")
    dialog.get_by_label("New name").fill("better")
    dialog.get_by_role("button", name="Rename").click()
    expect(dialog).to_be_hidden()
    expect(card(screen, "better")).to_be_visible()
    expect(card(screen)).to_have_count(0)
    assert person.call("GET", "/api/v1/workspaces/main").status == 404


def test_limits_hold_from_the_next_start(
    screen: Screen, person: Person, docker_client: APIClient
) -> None:
    create(person, "main")
    more(screen.go("/"), "main", "Limits …")
    dialog = screen.dialog("Limits of main")
    for name in ("Processors", "Memory", "Processes"):
        dialog.get_by_role("slider", name=name).press("Home")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(card(screen)).to_contain_text("0.25 CPU · 256 MiB")
    card(screen).get_by_role("button", name="Start").click()
    expect(card(screen)).to_contain_text("Running")
    limits = docker_client.inspect_container(person.container())["HostConfig"]
    assert limits["Memory"] == 256 << 20
    assert limits["PidsLimit"] == 64


def test_delete_needs_the_name(screen: Screen, person: Person) -> None:
    create(person, "main")
    more(screen.go("/"), "main", "Delete …")
    dialog = screen.dialog("Delete main?")
    agreed = dialog.get_by_role("button", name="Delete the workspace")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    expect(agreed).to_be_disabled()
    screen.page.keyboard.type("mai")
    expect(agreed).to_be_disabled()
    screen.page.keyboard.type("n")
    agreed.click()
    expect(card(screen)).to_have_count(0)
    expect(screen.page.get_by_role("heading", name="Open your first workspace")).to_be_visible()
    assert person.ok("GET", "/api/v1/workspaces")["workspaces"] == []


@pytest.fixture
def ghost(server: Server, docker_client: APIClient) -> Iterator[str]:
    """A template whose image is not there."""
    untag(docker_client)
    boss = Visit(server, "boss")
    boss.submit(
        "/admin/templates", name="ghost", title="Ghost", image="ghost:1", cpus="1",
        memory_mib="256", pids="128", ports="", description="", enabled="on", read_only_root="on",
    )  # fmt: skip
    yield "ghost"
    untag(docker_client)


def untag(client: APIClient) -> None:
    with suppress(docker.errors.ImageNotFound):
        client.remove_image("ghost:1", noprune=True)


def test_failed_start_says_why_and_can_be_tried_again(
    screen: Screen, person: Person, ghost: str, docker_client: APIClient, complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    create(person, "main", template=ghost)
    screen.go("/").button("Start").click()
    expect(card(screen)).to_contain_text("Failed")
    expect(card(screen)).to_contain_text("image")
    expect(screen.page.get_by_role("alert")).to_contain_text("main could not start")
    screen.photograph("dashboard-failed")

    terminal = screen.tab().go("/w/main/")
    dialog = terminal.page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("It did not start")
    expect(dialog).to_contain_text("An administrator has to build it")

    screen.button("New workspace").click()
    choice = screen.dialog("New workspace").get_by_role("radio", name="Ghost")
    expect(choice).to_be_disabled()
    screen.page.keyboard.press("Escape")

    docker_client.tag(IMAGE, "ghost", "1")
    card(screen).get_by_role("button", name="Retry").click()
    expect(card(screen)).to_contain_text("Running")
    terminal.prompts()
    terminal.answers()


def test_download_of_the_home(
    screen: Screen, person: Person, docker_client: APIClient, tmp_path: Path
) -> None:
    person.open()
    text = "head -c 3000000 /dev/urandom > ~/noise; echo all of it > ~/mine.txt"
    execute(docker_client, person.container(), "sh", "-c", text)
    with screen.page.expect_download() as started:
        screen.button("Download my home").click()
    said = screen.page.get_by_role("status").filter(has_text="Your home is saved")
    expect(said).to_contain_text(re.compile(r"MiB .* · "))
    target = tmp_path / started.value.suggested_filename
    assert target.name.endswith(".tar.gz")
    started.value.save_as(target)
    with tarfile.open(target) as archive:
        (name,) = [one for one in archive.getnames() if one.endswith("mine.txt")]
        member = archive.extractfile(name)
        assert member is not None
        assert member.read() == b"all of it\n"


def test_palette_by_keyboard(screen: Screen, person: Person) -> None:
    person.open()
    page = screen.go("/").page
    keyboard = page.keyboard
    palette = screen.dialog("Command palette")

    def run(command: str) -> None:
        keyboard.press("Control+k")
        expect(palette.get_by_role("combobox")).to_be_focused()
        keyboard.type(command)
        keyboard.press("Enter")
        expect(palette).to_have_count(0)

    run("dark th")
    becomes(page, "document.documentElement.dataset.theme", "dark")
    run("limits main")
    expect(screen.dialog("Limits of main")).to_be_visible()
    keyboard.press("Escape")
    expect(screen.dialog()).to_have_count(0)
    keyboard.press("Control+k")
    keyboard.type("xyzzy")
    expect(palette).to_contain_text("Nothing of that name.")
    keyboard.press("Escape")
    run("stop main")
    expect(card(screen)).to_contain_text("Stopped")
    run("account")
    page.wait_for_url("**/account")
    run("start main")
    run("open main")
    screen.prompts()


def test_first_visitor_of_an_empty_catalogue_is_told(new_screen: Callable[..., Screen]) -> None:
    """The words for a server on which nothing can be opened yet."""
    screen = new_screen().sign_in("boss")
    screen.page.route(
        "**/",
        lambda route: route.fulfill(
            response=(answer := route.fetch()),
            body=re.sub(r'"image_present": ?true', '"image_present": false', answer.text()),
        ),
    )
    screen.go("/")
    expect(screen.page.get_by_text("No template is ready yet")).to_be_visible()
