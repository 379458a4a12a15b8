"""What others wrote is text on the page, whatever it says: names, branches, messages, answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.ide import Ide
from tests.browser.panels import API, edit, panel, repository, write
from tests.browser.screen import CUT_OFF, REFUSED, Complaints, Screen
from tests.end_to_end.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.engine]

HOSTILE = "<img src=x onerror=window.hacked=1>\u202etxt.exe"
SHOWN = r"<img src=x onerror=window.hacked=1>\u202etxt.exe"
BRANCH = "<img/src=x/onerror=window.hacked=2>\u202e"
BRANCH_SHOWN = r"<img/src=x/onerror=window.hacked=2>\u202e"
TROJAN = "if access != 'user\u202e \u2066# check\u2069 \u2066':\n    \u202bpass\u202c\n"


def unharmed(page: Page) -> None:
    """Check that nothing of what was shown became a part of the page."""
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x], [onerror], script:not([src]):not([type*=json])").count() == 0


def test_file_names(ide: Ide) -> None:
    ide.fill({HOSTILE: "find me\n"}).go().unfold()
    page = ide.page
    ide.entry(SHOWN).dblclick()
    expect(ide.tab(SHOWN)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Control+p")
    page.keyboard.type("onerror")
    expect(page.get_by_role("option").first).to_contain_text(SHOWN)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+f")
    page.keyboard.type("find me")
    expect(page.get_by_role("tree", name="Matches")).to_contain_text(SHOWN)
    page.keyboard.press("Control+Shift+e")
    ide.entry(SHOWN).click()
    page.keyboard.press("Delete")
    expect(page.get_by_role("dialog")).to_contain_text(SHOWN)
    unharmed(page)


def test_branches_and_commits(
    new_screen: Callable[..., Screen], person: Person, options: dict[str, Any]
) -> None:
    person.open()
    repository(person, "proj", a__txt="one\n")
    person.ok("POST", f"{API}/git/switch", {"root": "proj", "branch": BRANCH, "create": True})
    write(person, "proj/a.txt", "two\n")
    person.ok("POST", f"{API}/git/stage", {"root": "proj", "paths": ["a.txt"]})
    message = f"{HOSTILE}\n\n\x1b[31m{HOSTILE}"
    person.ok("POST", f"{API}/git/commit", {"root": "proj", "message": message})
    screen = new_screen(**options).let_in(person.username).enter()
    page = screen.page
    expect(page.locator("#statusbar .branch")).to_have_text(BRANCH_SHOWN)
    found = panel(screen, "git")
    found.get_by_text("History").click()
    commit = found.get_by_role("button", name=SHOWN)
    commit.click()
    expect(found.locator(".details:visible")).to_contain_text(r"\e[31m")
    found.get_by_title("Switch to a branch").click()
    expect(page.get_by_role("option", name=BRANCH_SHOWN)).to_be_visible()
    unharmed(page)


def test_marks_that_turn_text_around_are_seen_in_the_editor(ide: Ide) -> None:
    ide.fill({"trojan.py": TROJAN}).go().open("trojan.py")
    expect(ide.text.locator(".cm-specialChar")).to_have_count(6)


def test_a_drawing_runs_nothing_even_as_a_page_of_its_own(ide: Ide, complaints: Complaints) -> None:
    complaints.expect(r"Executing inline (script|event handler) violates")
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="opener.hacked=3">'
        "<script>opener.hacked = 4; document.documentElement.id = 'ran'</script></svg>"
    )
    ide.fill({"drawing.svg": drawing}).go().unfold()
    ide.entry("drawing.svg").click()
    picture = ide.page.locator(".picture img")
    expect(picture).to_be_visible()
    with ide.page.expect_popup() as opened:
        picture.evaluate("(one) => { window.open(one.src); }")
    opened.value.wait_for_load_state()
    expect(opened.value.locator("svg")).to_be_attached()
    expect(opened.value.locator("#ran")).to_have_count(0)
    unharmed(ide.page)


class HostileServer:
    """In the place of a language server: a workspace's owner may run any program as one."""

    HTML = (
        "<img src=x onerror=window.hacked=5><b>bold</b><style>body{display:none}</style>"
        '<a href="javascript:window.hacked=6">one</a> <a href="https://example.invalid">two</a>'
        "<script>window.hacked=7</script><iframe src=/></iframe><form action=/logout></form>"
    )

    def __init__(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.on_message(self._answer)
        for junk in ("junk", "null", "[]", "7", '{"method": 1}', '{"id": 99, "result": {}}'):
            socket.send(junk)

    def _say(self, **message: Any) -> None:
        self._socket.send(json.dumps({"jsonrpc": "2.0"} | message))

    def _answer(self, text: str | bytes) -> None:
        asked = json.loads(text)
        if asked.get("method") == "textDocument/didOpen":
            document = asked["params"]["textDocument"]
            start, end = {"line": 0, "character": 0}, {"line": 0, "character": 3}
            problem = {"range": {"start": start, "end": end}, "message": self.HTML, "severity": 1}
            told = {"uri": document["uri"], "diagnostics": [problem]}
            self._say(method="textDocument/publishDiagnostics", params={})
            self._say(method="textDocument/publishDiagnostics", params=told)
            self._say(method="window/showMessage", params={"type": 1, "message": self.HTML})
        results: dict[str, Any] = {
            "initialize": {
                "capabilities": {
                    "textDocumentSync": 1, "hoverProvider": True, "documentSymbolProvider": True,
                    "completionProvider": {"triggerCharacters": ["."]},
                }
            },
            "textDocument/hover": {"contents": {"kind": "markdown", "value": self.HTML}},
            "textDocument/documentSymbol": [
                {"name": self.HTML, "kind": 12, "location": {"uri": "file:///x", "range": {
                    "start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}}}
            ],
            "textDocument/completion": [
                {"label": "hostile", "detail": self.HTML,
                 "documentation": {"kind": "markdown", "value": self.HTML}}
            ],
        }  # fmt: skip
        if "id" in asked and "method" in asked:
            self._say(id=asked["id"], result=results.get(asked["method"]))


def test_answers_of_a_language_server(ide: Ide, complaints: Complaints) -> None:
    # Chromium says so even of a document that is only taken apart.
    complaints.expect("Executing inline event handler violates", r"non-existent request 99")
    page = ide.page
    page.route_web_socket("**/language?*", lambda socket: HostileServer(socket) and None)
    ide.fill({"a.py": "name = 1\n"}).go()
    text = ide.open("a.py")
    expect(page.locator("#statusbar .server")).to_have_text("Python server")
    expect(page.locator(".cm-lsp-message")).to_contain_text("<img src=x")
    unharmed(page)

    text.locator(".cm-line").first.hover(position={"x": 12, "y": 8})
    about = page.locator(".cm-lsp-hover-tooltip")
    expect(about.locator("b")).to_have_text("bold")
    assert about.locator("img, style, script, iframe, form").count() == 0
    assert about.get_by_text("one").get_attribute("href") is None
    assert about.get_by_text("two").get_attribute("rel") == "noopener noreferrer"
    unharmed(page)

    page.keyboard.press("Control+End")
    page.keyboard.type("hos")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("hostile")
    expect(page.locator(".cm-completionInfo b")).to_have_text("bold")
    unharmed(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+o")
    expect(page.get_by_role("option").first).to_contain_text("<img src=x")
    unharmed(page)


def test_the_next_person_in_the_same_browser_sees_nothing(
    terminal: Screen, person: Person, people: Callable[..., Person], complaints: Complaints
) -> None:
    """Neither in the tab that stays open, nor by what the browser keeps."""
    complaints.expect(CUT_OFF, REFUSED)
    write(person, "secret.txt", "plans\n")
    edit(terminal, "secret.txt").press("Control+End")
    terminal.page.keyboard.type("and more plans")
    expect(terminal.page.get_by_text(", not saved")).to_have_count(1)

    other, next_one = terminal.tab().go("/"), people(terminal.server)
    next_one.open()
    other.choose(f"Account of {person.username}", "Sign out")
    expect(terminal.page.get_by_text("You are signed out.")).to_be_visible()
    expect(terminal.page.get_by_text("plans").first).not_to_be_visible()
    expect(terminal.page.get_by_role("tree", name="Files")).not_to_be_visible()

    other.sign_in(next_one.username).enter()
    expect(other.page.get_by_role("tablist", name="Open files").get_by_role("tab")).to_have_count(0)
    other.page.keyboard.press("Control+Shift+e")
    other.page.keyboard.press("Control+p")
    other.page.keyboard.type("secret")
    expect(other.page.get_by_text("No file of that name.")).to_be_visible()
    assert "plans" not in other.page.inner_html("body")

    other.go("/").choose(f"Account of {next_one.username}", "Sign out")
    expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()
    other.sign_in(person.username).enter()
    expect(other.page.get_by_text(", not saved")).to_have_count(1)
    expect(other.page.locator(".cm-content")).to_contain_text("and more plans")


def test_a_page_that_slept_over_the_change_of_persons_ends(
    terminal: Screen, people: Callable[..., Person], complaints: Complaints
) -> None:
    complaints.expect(CUT_OFF, REFUSED, "ERR_INTERNET_DISCONNECTED")
    next_one = people(terminal.server)
    next_one.open()
    context = terminal.page.context
    context.set_offline(True)
    terminal.let_in(next_one.username)
    context.set_offline(False)
    expect(terminal.page.get_by_text("You are signed out.")).to_be_visible()
    expect(terminal.page.locator("#screens")).not_to_be_visible()
