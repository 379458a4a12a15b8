"""The file tree: by mouse and by keyboard, and as the terminal changes what it shows."""

import json

import pytest
from playwright.sync_api import Route, WebSocketRoute, expect

from tests.browser.ide import Ide
from tests.browser.screen import REFUSED, Complaints, becomes
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]

FILES = {"b.txt": "b", "a10.txt": "ten", "a9.txt": "nine", "sub/inner.txt": "inner"}


@pytest.fixture
def opened(ide: Ide) -> Ide:
    return ide.fill(FILES).go().unfold()


def names(ide: Ide) -> list[str]:
    """The entries of ``work`` from top to bottom."""
    items = ide.page.locator('[role=treeitem][aria-level="2"] .label')
    return items.all_inner_texts()


def test_folders_come_first_and_numbers_count(opened: Ide) -> None:
    until(lambda: names(opened) == ["sub", "a9.txt", "a10.txt", "b.txt"], "it is in order")
    opened.unfold("sub")
    inner = opened.entry("inner.txt")
    expect(inner).to_have_attribute("aria-level", "3")
    expect(inner).to_have_attribute("aria-setsize", "1")


def test_click_previews_and_double_click_keeps(opened: Ide) -> None:
    opened.entry("a9.txt").click()
    expect(opened.text).to_have_text("nine")
    opened.entry("b.txt").click()
    expect(opened.text).to_have_text("b")
    expect(opened.tabs).to_have_count(1)
    opened.entry("b.txt").dblclick()
    opened.entry("a10.txt").click()
    expect(opened.text).to_have_text("ten")
    expect(opened.tabs).to_have_count(2)


def test_everything_by_keyboard(opened: Ide) -> None:
    press, type_ = opened.page.keyboard.press, opened.page.keyboard.type
    press("Control+Shift+E")
    expect(opened.page.get_by_role("tree")).to_be_focused()
    for key in ("Home", "w", "ArrowLeft", "ArrowRight"):
        press(key)
    expect(opened.entry("a9.txt")).to_be_visible()
    press("ArrowRight")
    press("ArrowDown")
    expect(opened.entry("a9.txt")).to_have_attribute("aria-selected", "true")

    press("F2")
    field = opened.page.get_by_role("textbox", name="New name of a9.txt")
    expect(field).to_be_focused()
    assert (
        field.evaluate("(input) => input.value.slice(input.selectionStart, input.selectionEnd)")
        == "a9"
    )
    type_("renamed")
    press("Enter")
    opened.holds("work/renamed.txt", "nine")
    expect(opened.entry("renamed.txt")).to_have_attribute("aria-selected", "true")

    press("Control+c")
    press("Control+v")
    opened.holds("work/renamed copy.txt", "nine")
    expect(opened.entry("renamed copy.txt")).to_have_attribute("aria-selected", "true")

    press("Control+x")
    press("Home")
    type_("sub")
    press("Control+v")
    opened.holds("work/sub/renamed copy.txt", "nine")
    opened.holds("work/renamed copy.txt", None)
    expect(opened.entry("renamed copy.txt")).to_have_attribute("aria-level", "3")

    press("Delete")
    dialog = opened.screen.dialog()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Delete").press("Enter")
    opened.holds("work/sub/renamed copy.txt", None)
    expect(opened.entry("renamed copy.txt")).to_have_count(0)
    expect(opened.page.get_by_role("tree")).to_be_focused()


def test_new_file_and_folder(opened: Ide) -> None:
    opened.entry("sub").click()
    opened.screen.button("New file").click()
    field = opened.page.get_by_role("textbox", name="Name of the new file")
    field.fill("inner.txt")
    expect(opened.page.get_by_text("There is already “inner.txt” here.")).to_be_visible()
    field.fill("deep/er/new.py")
    field.press("Enter")
    opened.holds("work/sub/deep/er/new.py", "")
    expect(opened.tab("new.py")).to_have_attribute("aria-selected", "true")
    expect(opened.entry("new.py")).to_be_visible()

    opened.entry("sub").click(button="right")
    opened.page.get_by_role("menuitem", name="New folder …").click()
    opened.page.get_by_role("textbox", name="Name of the new folder").fill("fresh")
    opened.page.keyboard.press("Enter")
    expect(opened.entry("fresh")).to_have_attribute("aria-level", "3")
    opened.screen.button("New file").click()
    expect(field).to_be_focused()
    opened.page.keyboard.press("Escape")
    expect(opened.page.locator(".editing")).to_have_count(0)


def test_entries_are_dragged_into_folders(opened: Ide) -> None:
    opened.entry("b.txt").drag_to(opened.entry("sub"))
    opened.holds("work/sub/b.txt", "b")
    opened.holds("work/b.txt", None)


def test_open_file_follows_its_name(opened: Ide, complaints: Complaints) -> None:
    complaints.expect(REFUSED)  # the old name may still be asked for
    text = opened.open("b.txt")
    text.press("End")
    opened.page.keyboard.type(" more")
    opened.entry("b.txt").click()
    opened.page.keyboard.press("F2")
    opened.page.keyboard.type("c")
    opened.page.keyboard.press("Enter")
    expect(opened.tab("c.txt")).to_have_attribute("aria-selected", "true")
    expect(opened.tab("b.txt")).to_have_count(0)
    text.press("Control+s")
    opened.holds("work/c.txt", "b more")
    opened.holds("work/b.txt", None)


def test_renamed_file_is_not_taken_for_a_deleted_one(opened: Ide, complaints: Complaints) -> None:
    """The news that the old name is gone comes before the answer that it was renamed."""
    complaints.expect(REFUSED)
    page = opened.page
    opened.open("b.txt")

    def late(route: Route) -> None:
        answer = route.fetch()
        expect(page.get_by_text("This file was deleted or moved away.")).to_be_visible()
        route.fulfill(response=answer)

    page.route("**/files/move", late)
    opened.entry("b.txt").click()
    page.keyboard.press("F2")
    page.keyboard.type("c")
    page.keyboard.press("Enter")
    expect(opened.tab("c.txt")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("This file was deleted or moved away.")).to_have_count(0)
    opened.text.press("End")
    page.keyboard.type(" more")
    page.keyboard.press("Control+s")
    opened.holds("work/c.txt", "b more")


def test_terminal_changes_the_tree(opened: Ide) -> None:
    opened.unfold("sub")
    opened.page.locator(".xterm-helper-textarea").focus()
    opened.screen.type("cd work; touch sub/made.txt; rm b.txt; mv a9.txt z.txt")
    expect(opened.entry("made.txt")).to_be_visible()
    until(lambda: names(opened) == ["sub", "a10.txt", "z.txt"], "the tree follows")


def test_a_refused_watch_is_told_and_tried_again(ide: Ide) -> None:
    refused: list[WebSocketRoute] = []

    def answer(socket: WebSocketRoute) -> None:
        if len(refused) > 1:
            socket.connect_to_server()
            return
        refused.append(socket)
        socket.send(json.dumps({"problem": {"title": "No", "detail": "Too many pages watch"}}))
        socket.close(code=4429)

    ide.page.route_web_socket("**/files/watch", answer)
    ide.fill({}).go()
    told = ide.page.get_by_text("Does not follow the disk")
    expect(told).to_be_visible()
    expect(told.locator("..")).to_have_attribute("title", "Too many pages watch")
    expect(told).to_have_count(0)
    ide.unfold().write("work/new.txt", "")
    expect(ide.entry("new.txt")).to_be_visible()


def test_names_are_shown_as_they_are(ide: Ide) -> None:
    ide.fill({}).go().unfold()
    ide.page.locator(".xterm-helper-textarea").focus()
    ide.screen.type(r"""cd work; touch $'line\nbreak' $'bad\xff' '<b>bold' "it's"; clear""")
    for shown in (r"line\nbreak", r"bad\xff", "<b>bold", "it's"):
        expect(ide.entry(shown)).to_be_visible()
    ide.entry(r"bad\xff").click()
    expect(ide.tab(r"bad\xff")).to_have_attribute("aria-selected", "true")
    ide.text.fill("written")
    ide.page.keyboard.press("Control+s")
    ide.is_dirty(r"bad\xff", False)
    ide.page.locator(".xterm-helper-textarea").focus()
    ide.screen.type(r"cat $'bad\xff'")
    ide.screen.shows("^written")


def test_ten_thousand_entries(ide: Ide) -> None:
    ide.fill({}).go().unfold()
    ide.page.locator(".xterm-helper-textarea").focus()
    ide.screen.type("cd work; mkdir many; cd many; seq -f 'n%05g' 10000 | xargs touch; clear")
    ide.screen.prompts()
    ide.unfold("many")
    first = ide.entry("n00001")
    expect(first).to_have_attribute("aria-setsize", "10000")
    assert ide.page.get_by_role("treeitem").count() < 100
    ide.page.get_by_role("tree").focus()
    ide.page.keyboard.press("End")
    ide.page.keyboard.type("n05000")
    expect(ide.entry("n05000")).to_be_in_viewport()
    expect(ide.entry("n05000")).to_have_attribute("aria-selected", "true")
    becomes(ide.page, "document.querySelectorAll('[role=treeitem]').length < 100", True)


def test_one_folder_can_be_the_root(opened: Ide) -> None:
    opened.entry("sub").click(button="right")
    opened.page.get_by_role("menuitem", name="Show this folder alone").click()
    expect(opened.entry("inner.txt")).to_have_attribute("aria-level", "1")
    opened.page.reload()
    expect(opened.entry("inner.txt")).to_have_attribute("aria-level", "1")
    opened.screen.button("Show the whole home").click()
    expect(opened.entry("work")).to_have_attribute("aria-level", "1")


def test_terminal_opens_in_a_folder(opened: Ide) -> None:
    opened.entry("sub").click(button="right")
    opened.page.get_by_role("menuitem", name="Open a terminal here").click()
    expect(opened.page.locator("#tab-t2")).to_have_attribute("aria-selected", "true")
    opened.screen.type("echo here-$PWD-")
    opened.screen.shows("here-/home/.*/work/sub-")
    opened.screen.type("exit")
