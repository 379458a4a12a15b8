"""The page of the IDE as a person uses it, for the tests of its panels."""

from urllib.parse import quote

from playwright.sync_api import Locator, expect

from tests.browser.screen import Screen
from tests.end_to_end.person import Person

API = "/api/v1/workspaces/main"


def write(person: Person, path: str, text: str) -> None:
    """Write a file of the person's workspace, with the folders that it lies in."""
    if "/" in path:
        folder = path.rsplit("/", 1)[0]
        person.ok("POST", f"{API}/files/mkdir", {"path": folder, "parents": True})
    target = f"{API}/files/content?path={quote(path)}"
    with person.asking("PUT", target, text.encode()) as response:
        assert response.status < 300, response.read()


def read(person: Person, path: str) -> str:
    """Return what a file of the person's workspace holds."""
    with person.asking("GET", f"{API}/files/content?path={quote(path)}") as response:
        assert response.status == 200, path
        return response.read().decode()


def names(person: Person, path: str) -> set[str]:
    """Return the names in a folder."""
    return {entry["name"] for entry in person.ok("GET", f"{API}/files?path={path}")["entries"]}


def repository(person: Person, root: str, **files: str) -> None:
    """Make a repository with one commit of these files."""
    for name, text in files.items():
        write(person, f"{root}/{name.replace('__', '.')}", text)
    person.ok("POST", f"{API}/git/init", {"root": root})
    paths = [name.replace("__", ".") for name in files]
    person.ok("POST", f"{API}/git/stage", {"root": root, "paths": paths})
    person.ok("POST", f"{API}/git/commit", {"root": root, "message": "Begin"})


def panel(screen: Screen, id: str) -> Locator:
    """Bring a panel to the front and return it."""
    button = screen.page.locator(f"[data-panel={id}]")
    expect(button).to_be_visible()
    if button.get_attribute("aria-pressed") != "true":
        button.click()
    return screen.page.locator(f".panel.{id}")


def edit(screen: Screen, name: str) -> Locator:
    """Open a file by its name and return the text of its editor."""
    screen.page.locator("#quick-open").click()
    box = screen.dialog("Quick open")
    box.get_by_role("combobox").fill(name)
    expect(box.get_by_role("option").first).to_contain_text(name.rsplit("/", 1)[-1])
    screen.page.keyboard.press("Enter")
    text = screen.page.locator(".group .page:visible .cm-content")
    expect(text).to_be_visible()
    return text
