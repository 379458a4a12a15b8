"""Keys as VS Code has them: on a Mac, on other keyboards, and where the keyboard is afterwards."""

from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.ide import Ide

pytestmark = [pytest.mark.browser, pytest.mark.engine]

PRESS = """(element, init) => element.dispatchEvent(
    new KeyboardEvent("keydown", {bubbles: true, cancelable: true, ...init}))"""


@pytest.fixture
def opened(ide: Ide) -> Ide:
    return ide.fill({"a.txt": "one\n", "b.txt": "two\n"}).go()


class TestOnAMac:
    @pytest.fixture
    def opened(self, ide: Ide) -> Ide:
        mac = "Object.defineProperty(navigator, 'platform', {get: () => 'MacIntel'})"
        ide.page.add_init_script(mac)
        return ide.fill({"a.txt": "one\n", "b.txt": "two\n"}).go()

    def test_commands_are_on_cmd(self, opened: Ide) -> None:
        page = opened.page
        expect(page.locator("#quick-open kbd")).to_have_text("⌘ P")
        opened.open("a.txt")
        page.keyboard.press("Meta+p")
        expect(page.get_by_role("dialog", name="Quick open")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Meta+Shift+p")
        box = page.get_by_role("dialog", name="Command palette")
        box.get_by_role("combobox").fill(">symbol")
        expect(box.get_by_role("option").first).to_contain_text("⌘⇧O")
        page.keyboard.press("Escape")
        page.keyboard.press("Meta+b")
        expect(page.locator("#panels")).to_be_hidden()
        page.keyboard.press("Control+Shift+g")
        expect(page.locator(".panel.git")).to_be_visible()
        page.keyboard.press("Control+g")
        expect(page.get_by_role("combobox")).to_have_value(":")

    def test_option_and_a_digit_write_what_the_keyboard_has_there(self, opened: Ide) -> None:
        """ "[" is Option+5 on a German Mac; tabs are chosen by Ctrl."""
        opened.open("a.txt")
        text = opened.open("b.txt")
        bracket = {"key": "[", "code": "Digit1", "altKey": True}
        assert text.evaluate(PRESS, bracket), "the browser writes it"
        expect(opened.tab("b.txt")).to_have_attribute("aria-selected", "true")
        text.evaluate(PRESS, {"key": "1", "code": "Digit1", "ctrlKey": True})
        expect(opened.tab("a.txt")).to_have_attribute("aria-selected", "true")


def test_letters_are_those_of_the_layout(opened: Ide) -> None:
    """On a Dvorak keyboard P is where others have R; a Cyrillic one goes by the place."""
    text = opened.open("a.txt")
    text.evaluate(PRESS, {"key": "p", "code": "KeyR", "ctrlKey": True})
    box = opened.page.get_by_role("dialog", name="Quick open")
    expect(box).to_be_visible()
    opened.page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    text.evaluate(PRESS, {"key": "з", "code": "KeyP", "ctrlKey": True})
    expect(box).to_be_visible()


def test_reload_leaves_the_keyboard_in_the_editor(opened: Ide) -> None:
    opened.open("a.txt").press("End")
    opened.page.reload()
    expect(opened.text).to_be_focused()
    opened.screen.prompts()
    expect(opened.text).to_be_focused()


def test_a_file_that_comes_late_does_not_take_the_keyboard(opened: Ide) -> None:
    page = opened.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/files/content?path=*a.txt", hold)
    opened.unfold().entry("a.txt").dblclick()
    page.keyboard.press("Control+Shift+f")
    field = page.get_by_role("textbox", name="Search", exact=True)
    expect(field).to_be_focused()
    for route in held:
        route.continue_()
    expect(opened.text).to_be_visible()
    expect(opened.tab("a.txt")).to_have_attribute("aria-selected", "true")
    page.keyboard.type("one")
    expect(field).to_have_value("one")
    expect(opened.text).to_have_text("one")


def test_the_half_that_commands_mean_is_seen(opened: Ide) -> None:
    opened.open("a.txt").press("Control+\\")
    groups = opened.page.locator(".group")
    expect(groups).to_have_count(2)
    expect(opened.page.locator(".group.entered")).to_have_count(1)
    assert "entered" in (groups.nth(1).get_attribute("class") or "")
    opened.page.keyboard.press("Control+1")
    assert "entered" in (groups.nth(0).get_attribute("class") or "")


class TestOnAPhone:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        phone = {"width": 390, "height": 844}
        return {"viewport": phone, "has_touch": True, "is_mobile": True}

    def test_nothing_is_split(self, ide: Ide) -> None:
        ide.fill({"README.md": "# Title\n"}).go().open("README.md")
        ide.screen.button("Show the page it makes").tap()
        shown = ide.page.get_by_role("tabpanel", name="Preview of README.md")
        expect(shown.get_by_role("heading", name="Title")).to_be_visible()
        expect(ide.page.locator(".group")).to_have_count(1)
        box = shown.bounding_box()
        assert box
        assert box["width"] > 380
