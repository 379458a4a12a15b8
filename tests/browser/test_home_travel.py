"""Travelling in time: snapshots are taken, looked into, compared, brought back and deleted."""

from collections.abc import Callable

import pytest
from docker import APIClient
from playwright.sync_api import Locator, expect

from tests.browser.screen import Screen
from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]

# What a terminal or a page could be fooled by, and how it is shown.
HOSTILE = {
    "line\nbreak": r"line\nbreak",
    "\x1b[31mred": r"\e[31mred",
    "gpj.\u202eexe": r"gpj.\u202eexe",
    "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    "a b&c#d?e%2f": "a b&c#d?e%2f",
}


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    """A server that keeps homes in vaults, with an administrator of the name ``boss``."""
    started = make_server(storage="vault").start()
    Person(started, "boss")
    return started


@pytest.fixture
def client(docker_client: APIClient) -> APIClient:
    return docker_client


@pytest.fixture
def traveller(person: Person, client: APIClient) -> Person:
    """An account whose ``main`` runs, with one file in a folder that two snapshots know."""
    person.open()
    run(client, person, "mkdir ~/src; printf 'one\\ntwo\\nthree\\n' > ~/src/app.py")
    take(person, "first")
    run(client, person, "printf 'one\\nTWO\\nthree\\n' > ~/src/app.py")
    take(person, "second")
    return person


def run(client: APIClient, person: Person, script: str) -> str:
    return execute(client, person.container(), "sh", "-c", script)


def take(person: Person, note: str) -> None:
    person.ok("POST", "/api/v1/home/snapshots", {"note": note})


def look(new_screen: Callable[..., Screen], person: Person) -> Screen:
    return new_screen().let_in(person.username).go("/home")


def snapshot(screen: Screen, note: str) -> Locator:
    """A snapshot's row in the list."""
    return screen.page.get_by_role("navigation", name="Snapshots").get_by_role("button", name=note)


def entry(screen: Screen, name: str) -> Locator:
    """A file's or folder's button."""
    return screen.page.get_by_role("list", name="Files").get_by_role(
        "button", name=name, exact=True
    )


def toast(screen: Screen, text: str) -> Locator:
    return screen.page.locator(".toast", has_text=text)


def test_first_snapshot_is_taken_with_a_note(
    new_screen: Callable[..., Screen], person: Person, client: APIClient
) -> None:
    person.open()
    run(client, person, "echo hello > ~/greeting.txt")
    screen = look(new_screen, person)
    screen.button("Take the first one").click()
    dialog = screen.dialog("Take a snapshot")
    expect(dialog.get_by_label("A note (optional)")).to_be_focused()
    screen.type("before <b>the</b> upgrade")
    expect(screen.page.get_by_role("progressbar")).to_be_visible()
    expect(toast(screen, "Snapshot taken")).to_be_visible()
    expect(screen.page.get_by_role("progressbar")).to_have_count(0)
    expect(snapshot(screen, "before <b>the</b> upgrade")).to_have_attribute("aria-current", "true")
    mark = screen.page.get_by_role("listbox", name="Snapshots over time").get_by_role("option")
    expect(mark).to_have_attribute("aria-selected", "true")
    mark.hover()
    expect(screen.page.locator(".tip")).to_contain_text("before <b>the</b> upgrade")
    expect(entry(screen, "greeting.txt")).to_be_visible()


def test_another_tab_sees_a_snapshot_that_is_taken(
    new_screen: Callable[..., Screen], traveller: Person
) -> None:
    screen = look(new_screen, traveller)
    expect(snapshot(screen, "second")).to_be_visible()
    take(traveller, "third")
    expect(snapshot(screen, "third")).to_be_visible()
    expect(screen.page.get_by_role("option")).to_have_count(3)


def test_changed_file_is_compared_and_brought_back(
    new_screen: Callable[..., Screen], traveller: Person, client: APIClient
) -> None:
    run(client, traveller, "printf 'ONE\\nTWO\\n' > ~/src/app.py")
    screen = look(new_screen, traveller)
    page = screen.page
    snapshot(screen, "first").click()
    entry(screen, "src").click()
    entry(screen, "app.py").click()
    versions = page.get_by_role("list", name="Versions").get_by_role("button")
    expect(versions).to_have_count(2)
    expect(versions.last).to_have_attribute("aria-current", "true")
    removed, added = page.locator(".diff tr.removed"), page.locator(".diff tr.added")
    expect(removed).to_contain_text(["one", "two", "three"])
    expect(added).to_contain_text(["ONE", "TWO"])
    versions.first.click()
    screen.button("Changes in it").click()
    expect(removed).to_have_count(1)
    expect(removed).to_contain_text("two")
    expect(removed.locator(".n").first).to_have_text("2")
    expect(added).to_contain_text("TWO")
    screen.photograph("home-diff")

    versions.last.click()
    screen.button("Restore").click()
    screen.dialog("Restore this file?").get_by_role("button", name="Restore").click()
    expect(toast(screen, "Restored")).to_be_visible()
    assert run(client, traveller, "cat ~/src/app.py") == "one\ntwo\nthree\n"
    before = page.get_by_role("navigation", name="Snapshots").get_by_text("Before a restore")
    expect(before).to_be_visible()  # the way back


def test_file_and_folder_are_downloaded(
    new_screen: Callable[..., Screen], traveller: Person
) -> None:
    screen = look(new_screen, traveller)
    snapshot(screen, "first").click()
    with screen.page.expect_download() as packed:
        screen.choose("More for src", "Download as .tar.gz")
    assert packed.value.suggested_filename.endswith(".tar.gz")
    entry(screen, "src").click()
    with screen.page.expect_download() as plain:
        screen.choose("More for app.py", "Download")
    assert plain.value.suggested_filename == "app.py"
    assert plain.value.path().read_text() == "one\ntwo\nthree\n"


def test_everything_is_restored_after_what_runs_was_stopped(
    new_screen: Callable[..., Screen], traveller: Person, client: APIClient
) -> None:
    run(client, traveller, "rm -r ~/src; echo new > ~/made-later")
    screen = look(new_screen, traveller)
    snapshot(screen, "first").click()
    screen.button("Restore everything …").click()
    dialog = screen.dialog("Restore everything?")
    expect(dialog).to_contain_text("Your workspace main is stopped first")
    expect(dialog).to_contain_text("kept in a snapshot first")
    dialog.get_by_role("button", name="Stop and restore").click()
    expect(toast(screen, "Restored")).to_be_visible(timeout=60_000)
    assert traveller.state() == "stopped"
    traveller.open()
    assert run(client, traveller, "cat ~/src/app.py") == "one\ntwo\nthree\n"
    assert (
        run(client, traveller, "ls ~/made-later 2>&1").strip().endswith("No such file or directory")
    )


def test_snapshot_is_deleted_and_no_other(
    new_screen: Callable[..., Screen], traveller: Person
) -> None:
    screen = look(new_screen, traveller)
    snapshot(screen, "first").click()
    screen.choose("More for this snapshot", "Delete …")
    dialog = screen.dialog("Delete this snapshot?")
    expect(dialog).to_contain_text("first")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(toast(screen, "Snapshot deleted")).to_be_visible()
    expect(snapshot(screen, "first")).to_have_count(0)
    expect(snapshot(screen, "second")).to_be_visible()
    kept = traveller.ok("GET", "/api/v1/home/snapshots")["snapshots"]
    assert [one["note"] for one in kept] == ["second"]


def test_names_that_deceive_are_written_out(
    new_screen: Callable[..., Screen], person: Person, client: APIClient
) -> None:
    def on(name: str, script: str) -> str:
        return execute(client, person.container(), "sh", "-c", script, "sh", name)

    person.open()
    for name in HOSTILE:
        on(name, 'printf %s "$1" > "$HOME/$1"')
    take(person, "hostile")
    screen = look(new_screen, person)
    for name, shown in HOSTILE.items():
        expect(entry(screen, shown)).to_be_visible()
        entry(screen, shown).click()
        expect(screen.page.get_by_text("exactly this version")).to_be_visible()
        with screen.page.expect_download() as download:
            screen.button("Download").click()
        assert download.value.path().read_text() == name
        on(name, 'rm "$HOME/$1"')
        screen.button("Restore").click()
        screen.dialog("Restore this file?").get_by_role("button", name="Restore").click()
        expect(toast(screen, "Restored")).to_be_visible()
        assert on(name, 'cat "$HOME/$1"') == name
        screen.page.locator(".toast").get_by_role("button", name="Close").click()
        screen.page.get_by_role("navigation", name="Folder").get_by_role(
            "button", name="Home"
        ).click()


def test_keyboard_alone_leads_from_the_timeline_to_a_restored_file(
    new_screen: Callable[..., Screen], traveller: Person, client: APIClient
) -> None:
    screen = look(new_screen, traveller)
    keys = screen.page.keyboard
    marks = screen.page.get_by_role("option")
    marks.last.focus()
    keys.press("ArrowLeft")
    expect(marks.first).to_be_focused()
    expect(marks.first).to_have_attribute("aria-selected", "true")
    expect(screen.page.locator(".tip")).to_contain_text("first")
    reach(screen, entry(screen, "src"))
    keys.press("Enter")
    reach(screen, entry(screen, "app.py"))
    keys.press("Enter")
    reach(screen, screen.button("Restore"))
    keys.press("Enter")
    expect(screen.dialog("Restore this file?")).to_be_visible()
    reach(screen, screen.dialog().get_by_role("button", name="Restore"))
    keys.press("Enter")
    expect(toast(screen, "Restored")).to_be_visible()
    assert run(client, traveller, "cat ~/src/app.py") == "one\ntwo\nthree\n"


def reach(screen: Screen, target: Locator) -> None:
    """Press Tab until the target has the focus."""
    expect(target).to_be_visible()
    for _ in range(60):
        if target.evaluate("element => element === document.activeElement"):
            return
        screen.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {target}")
