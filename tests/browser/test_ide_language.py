"""Language servers: they help while a file of theirs is open, and the page says how they are."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.panels import edit, read, repository, write
from tests.browser.screen import CUT_OFF, Complaints, Screen, becomes
from tests.end_to_end.person import Person
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.slow]


@pytest.fixture
def enter(
    new_screen: Callable[..., Screen], person: Person, options: dict[str, Any]
) -> Callable[[], Screen]:
    """Return what opens the page of a fresh account, whose workspace runs already."""
    person.open()
    return lambda: new_screen(**options).let_in(person.username).enter()


SERVER_SECONDS = 60.0
"""A server reads the project before it answers, on a machine that does other things, too."""

GREET = 'def greet(name: str) -> str:\n    """Say **hello**."""\n    return "hello " + name\n'
MAIN = "import os\nfrom lib.greet import greet\n\nprint(greet('you'))\nprint(greet(3))\n"


def python(enter: Callable[[], Screen], person: Person) -> tuple[Screen, Locator]:
    """Open a file of a small project, with its server; return the page and the text."""
    write(person, "proj/lib/__init__.py", "")
    write(person, "proj/lib/greet.py", GREET)
    repository(person, "proj", main__py=MAIN)
    screen = enter()
    text = edit(screen, "main.py")
    slot = screen.page.locator("#statusbar .server")
    expect(slot).to_have_text("Python server", timeout=SERVER_SECONDS * 1000)
    return screen, text


def put_cursor(screen: Screen, text: Locator, line: int, presses: int) -> None:
    text.click()
    screen.page.keyboard.press("Control+Home")
    for _ in range(line - 1):
        screen.page.keyboard.press("ArrowDown")
    for _ in range(presses):
        screen.page.keyboard.press("ArrowRight")


def test_python_from_diagnosis_to_rename(enter: Callable[[], Screen], person: Person) -> None:
    terminal, text = python(enter, person)
    page = terminal.page
    problems = page.locator("#statusbar .problems")
    expect(problems).to_have_text("1 error", timeout=SERVER_SECONDS * 1000)
    expect(page.locator(".cm-lintRange-error")).to_have_text("3")

    text.locator(".cm-line").nth(3).get_by_text("greet").hover()
    about = page.locator(".cm-lsp-hover-tooltip")
    expect(about).to_contain_text("(name: str) -> str")
    expect(about.locator("p")).to_contain_text("Say **hello**.")

    page.keyboard.press("Control+End")
    page.keyboard.type("os.getcw")
    expect(page.locator(".cm-tooltip-autocomplete li").first).to_contain_text("getcwd")
    page.keyboard.press("Escape")
    for _ in "os.getcw":
        page.keyboard.press("Backspace")

    put_cursor(terminal, text, line=4, presses=8)
    page.keyboard.press("F2")
    field = page.locator(".cm-dialog input")
    expect(field).to_be_focused()
    field.fill("salute")
    page.keyboard.press("Enter")
    expect(text).to_contain_text("print(salute(3))")
    until(lambda: read(person, "proj/lib/greet.py").startswith("def salute("), "both are renamed")

    put_cursor(terminal, text, line=4, presses=8)
    page.keyboard.press("F12")
    expect(page.get_by_role("tab", name="greet.py")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#statusbar")).to_contain_text("Ln 1, Col 5")

    page.keyboard.press("Shift+F12")
    found = page.locator(".panel.search")
    expect(found.get_by_role("status")).to_have_text("“salute” is used in 4 matches in 2 files")


CLIENT = """/** A <b>todo</b> <img src=x onerror=window.hacked=1>
 * [bad](javascript:window.hacked=2).
 */
export interface Todo { title: string }
export function first(todos: Todo[]): Todo { return todos[0] }
const wrong: number = first([]).title;
"""


def test_typescript_from_diagnosis_to_symbols(enter: Callable[[], Screen], person: Person) -> None:
    repository(
        person, "web", client__ts=CLIENT, other__ts="import { first } from './client';\nfirst\n"
    )
    screen = enter()
    page = screen.page
    text = edit(screen, "client.ts")
    slot = page.locator("#statusbar .server")
    expect(slot).to_have_text("TypeScript and JavaScript server", timeout=SERVER_SECONDS * 1000)
    problems = page.locator("#statusbar .problems")
    expect(problems).to_have_text("1 error", timeout=SERVER_SECONDS * 1000)
    expect(page.locator(".cm-lintRange-error")).to_have_text("wrong")

    text.locator(".cm-line").nth(4).get_by_text("Todo").last.hover()
    about = page.locator(".cm-lsp-hover-tooltip")
    expect(about).to_contain_text("interface Todo")
    expect(about).to_contain_text("todo")
    assert page.evaluate("window.hacked") is None
    assert about.locator("img, [onerror], a[href^=javascript]").count() == 0

    page.keyboard.press("Control+End")
    page.keyboard.type("first([]).ti")
    expect(page.locator(".cm-tooltip-autocomplete li").first).to_contain_text("title")
    page.keyboard.press("Enter")
    expect(text).to_contain_text("first([]).title")

    page.keyboard.press("Control+Shift+o")
    found = page.get_by_role("dialog", name="Quick open").get_by_role("option")
    expect(found.locator(".label")).to_have_text(["Todo", "title", "first", "wrong"])
    page.keyboard.type("firs")
    page.keyboard.press("Enter")
    expect(page.locator("#statusbar")).to_contain_text("Ln 5, Col 17")

    other = edit(screen, "other.ts")
    put_cursor(screen, other, line=2, presses=1)
    page.keyboard.press("F12")
    expect(page.get_by_role("tab", name="client.ts")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#statusbar")).to_contain_text("Ln 5, Col 17")


def test_a_refused_server_says_why(
    enter: Callable[[], Screen], person: Person, complaints: Complaints
) -> None:
    complaints.expect(CUT_OFF)
    write(person, "proj/main.py", MAIN)
    screen = enter()
    page = screen.page
    url = f"{screen.url.replace('http', 'ws')}/api/v1/workspaces/main/language?id=python"
    script = "(url) => { window.others = [1, 2, 3, 4].map(() => new WebSocket(url)) }"
    page.evaluate(script, url)
    becomes(page, "window.others.every((one) => one.readyState === 1)", True)
    edit(screen, "main.py")
    told = page.get_by_role("status").filter(has_text="did not start")
    expect(told).to_contain_text("Four language servers run in this workspace")
    slot = page.locator("#statusbar .server")
    expect(slot).to_have_text("Python server did not start")
    page.evaluate("window.others.forEach((one) => one.close())")
    running = "SELECT id FROM active_sessions WHERE lower(kind) = 'language'"
    until(lambda: not person.server.rows(running), "there is room again")
    slot.click()
    expect(slot).to_have_text("Python server", timeout=SERVER_SECONDS * 1000)


def test_a_server_that_ends_says_so_and_starts_again(
    enter: Callable[[], Screen], person: Person
) -> None:
    terminal, _ = python(enter, person)
    page = terminal.page
    page.locator("#screens").click()
    terminal.type("pkill -f pyright-langserver")
    slot = page.locator("#statusbar .server")
    expect(slot).to_have_text("Python server ended")
    expect(page.locator(".cm-lintRange-error")).to_have_count(0)
    slot.click()
    expect(slot).to_have_text("Python server", timeout=SERVER_SECONDS * 1000)
    expect(page.locator(".cm-lintRange-error")).to_have_text("3")


def test_a_server_ends_with_the_page(enter: Callable[[], Screen], person: Person) -> None:
    terminal, _ = python(enter, person)
    shell = person.terminal(session="look")
    count = "$(pgrep -fc pyright-langserver)"
    assert int(shell.value(count)) > 0
    terminal.page.goto("about:blank")
    until(lambda: shell.value(count) == "0", "the server ends")
