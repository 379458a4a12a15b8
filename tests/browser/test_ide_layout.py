"""The parts of the IDE: shown, hidden, resized and found again; dark and light; on a phone."""

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.ide import Ide
from tests.browser.screen import CUT_OFF, REFUSED, Complaints, becomes
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture
def opened(ide: Ide) -> Ide:
    return ide.fill({"a.py": "import os\n"}).go()


def height(part: Locator) -> float:
    box = part.bounding_box()
    return box["height"] if box else 0


def test_first_visit_has_tree_welcome_and_terminal(opened: Ide) -> None:
    page = opened.page
    expect(page.get_by_role("tree")).to_be_visible()
    expect(page.get_by_text("Search in all files")).to_be_visible()
    expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    share = height(page.locator("#dock")) / height(page.locator("#centre"))
    assert 0.4 < share < 0.5
    opened.screen.photograph("ide-welcome")


def test_terminal_alone_is_remembered(opened: Ide) -> None:
    page = opened.page
    opened.screen.button("Terminal only").click()
    expect(page.get_by_role("tree")).to_be_hidden()
    opened.screen.answers()
    page.reload()
    opened.screen.prompts()
    expect(page.get_by_role("tree")).to_be_hidden()
    page.keyboard.press("Control+Shift+Backquote")
    expect(page.get_by_role("tree")).to_be_visible()


def test_terminal_and_side_bar_fold_away(opened: Ide) -> None:
    page = opened.page
    dock, side = page.locator("#dock"), page.locator("#panels")
    page.keyboard.press("Control+Backquote")
    expect(dock).to_be_hidden()
    page.keyboard.press("Control+b")
    expect(side).to_be_hidden()
    page.reload()
    expect(page.locator("#editors")).to_be_visible()
    expect(dock).to_be_hidden()
    page.keyboard.press("Control+Backquote")
    expect(dock).to_be_visible()
    opened.screen.prompts()
    opened.screen.answers()
    page.keyboard.press("Control+Shift+E")
    expect(side).to_be_visible()


def test_parts_are_resized_by_mouse_and_keyboard(opened: Ide) -> None:
    page = opened.page
    dock = page.locator("#dock")
    before, rows = height(dock), opened.screen.size()[0]
    bar = page.get_by_role("separator", name="Height of the terminal")
    box = bar.bounding_box()
    assert box
    page.mouse.move(box["x"] + 50, box["y"])
    page.mouse.down()
    page.mouse.move(box["x"] + 50, box["y"] - 150, steps=4)
    page.mouse.up()
    until(lambda: height(dock) > before + 120, "the terminal is higher")
    page.locator(".xterm-helper-textarea").focus()
    assert opened.screen.size()[0] > rows
    taller = height(dock)
    page.get_by_role("separator", name="Width of the side bar").press("ArrowRight")
    becomes(page, "document.getElementById('panels').offsetWidth", 264)
    page.reload()
    until(lambda: abs(height(dock) - taller) < 2, "it is remembered")
    becomes(page, "document.getElementById('panels').offsetWidth", 264)


def test_shell_keeps_its_keys(opened: Ide) -> None:
    page = opened.page
    page.keyboard.type("echo one")
    page.keyboard.press("Enter")
    opened.screen.shows("^one$")
    page.keyboard.press("Control+p")
    opened.screen.shows(r"\$ echo one\Z")
    page.keyboard.press("Control+w")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    opened.screen.shows("^two$")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+Shift+P")
    expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()


def test_status_bar_says_how_things_are(opened: Ide) -> None:
    bar = opened.page.locator("#statusbar")
    expect(bar).to_contain_text("Connected")
    opened.open("a.py")
    for text in ("Ln 1, Col 1", "UTF-8", "LF", "Python"):
        expect(bar).to_contain_text(text)
    opened.screen.button("LF").click()
    opened.page.get_by_role("menuitemcheckbox", name="CRLF, as on Windows").click()
    opened.is_dirty("a.py")
    opened.text.press("Control+s")
    opened.holds("work/a.py", "import os\r\n")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_theme_of_editors_is_that_of_the_page(ide: Ide, theme: str) -> None:
    ide.page.emulate_media(color_scheme=theme)
    ide.fill({"a.py": "import os\n\n\ndef f() -> str:\n    return os.sep\n"}).go().unfold()
    ide.open("a.py")
    expect(ide.text.locator("span").first).to_be_attached()
    background = ide.screen.style(".cm-editor", "background-color")
    dark = sum(int(part) for part in background[4:-1].split(",")) < 300
    assert dark == (theme == "dark")
    ide.screen.photograph(f"ide-{theme}")


def test_files_can_be_read_while_the_workspace_is_stopped(
    opened: Ide, complaints: Complaints
) -> None:
    complaints.expect(CUT_OFF, REFUSED)
    opened.unfold()
    opened.owner.ok("POST", "/api/v1/workspaces/main/stop")
    try:
        expect(opened.page.locator("#statusbar")).to_contain_text("Stopped")
        opened.entry("a.py").click()
        expect(opened.text).to_contain_text("import os")
        opened.text.press("Control+End")
        opened.page.keyboard.type("rescued")
        opened.page.keyboard.press("Control+s")
        opened.is_dirty("a.py", False)
    finally:
        opened.owner.open()
    opened.holds("work/a.py", "import os\nrescued")


class TestPhone:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {
            "viewport": {"width": 390, "height": 844},
            "is_mobile": True,
            "has_touch": True,
            "device_scale_factor": 2,
        }

    def test_one_part_at_a_time(self, opened: Ide) -> None:
        page = opened.page
        views = page.get_by_role("navigation", name="Views")
        expect(page.locator(".xterm-helper-textarea")).to_be_focused()
        views.get_by_role("button", name="Files").tap()
        expect(page.locator("#dock")).to_be_hidden()
        opened.entry("work").tap()
        opened.entry("a.py").tap()
        expect(opened.text).to_contain_text("import os")
        expect(page.get_by_role("tree")).to_be_hidden()
        opened.screen.photograph("ide-phone")
        views.get_by_role("button", name="Terminal").tap()
        page.locator(".xterm-screen").tap()
        opened.screen.answers()
        views.get_by_role("button", name="Editor").tap()
        opened.text.tap()
        page.keyboard.type("x")
        opened.is_dirty("a.py")
        opened.screen.button("Save").tap()
        opened.is_dirty("a.py", False)
