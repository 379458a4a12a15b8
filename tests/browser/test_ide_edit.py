"""Editing and saving: what is unsaved is marked, kept, and never lost to somebody else's change."""

import pytest
from playwright.sync_api import expect

from tests.browser.ide import Ide
from tests.browser.screen import REFUSED, Complaints, becomes
from tests.end_to_end.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.engine]

CHANGED = "the server responded with a status of 412"
MOVED = {"from": "work/a.txt", "to": "work/away.txt"}
MOVED_BACK = {"from": MOVED["to"], "to": MOVED["from"]}
CUT = """() => {
  const put = IDBObjectStore.prototype.put;
  window.cut = 0;
  IDBObjectStore.prototype.put = function (...given) {
    const asked = put.apply(this, given);
    this.transaction.abort();
    window.cut += 1;
    return asked;
  };
}"""


@pytest.fixture
def opened(ide: Ide) -> Ide:
    return ide.fill({"a.txt": "one\ntwo\n", "b.txt": "b", "c.txt": "c"}).go()


def add(ide: Ide, text: str) -> None:
    """Type at the end of the file in front."""
    ide.text.press("Control+End")
    ide.page.keyboard.type(text)


def test_from_opening_to_saving_by_keyboard(opened: Ide) -> None:
    press, type_ = opened.page.keyboard.press, opened.page.keyboard.type
    press("Control+Shift+E")
    press("Control+p")
    type_("work/a.txt")
    expect(opened.page.get_by_role("option").first).to_contain_text("a.txt")
    press("Enter")
    expect(opened.text).to_be_focused()
    press("Control+End")
    type_("three")
    opened.is_dirty("a.txt")
    press("Control+s")
    opened.is_dirty("a.txt", False)
    opened.holds("work/a.txt", "one\ntwo\nthree")
    press("Control+`")
    opened.screen.type("cat work/a.txt")
    opened.screen.shows("^three")
    press("Alt+w")
    expect(opened.tabs).to_have_count(1)
    press("Control+1")
    expect(opened.text).to_be_focused()
    press("Alt+w")
    expect(opened.tabs).to_have_count(0)


def test_undoing_all_of_it_is_not_unsaved(opened: Ide) -> None:
    opened.open("a.txt")
    add(opened, "x")
    opened.is_dirty("a.txt")
    opened.page.keyboard.press("Control+z")
    opened.is_dirty("a.txt", False)


def test_unsaved_text_survives_a_reload(opened: Ide) -> None:
    opened.open("b.txt")
    opened.open("a.txt")
    add(opened, "kept")
    opened.page.reload()
    opened.is_dirty("a.txt")
    expect(opened.text).to_contain_text("kept")
    expect(opened.tabs).to_have_count(2)
    assert opened.read("work/a.txt") == "one\ntwo\n"
    opened.text.press("Control+s")
    opened.is_dirty("a.txt", False)
    opened.holds("work/a.txt", "one\ntwo\nkept")
    opened.page.reload()
    expect(opened.text).to_contain_text("kept")
    opened.is_dirty("a.txt", False)


class TestPageThatGoes:
    """What the browser's database had begun to write when the page went is as if never written."""

    @pytest.fixture
    def cut_off(self, opened: Ide) -> Ide:
        """``kept`` is unsaved at the end of ``a.txt``, and the database never gets to the end."""
        opened.open("a.txt")
        opened.page.evaluate(CUT)
        add(opened, "kept")
        becomes(opened.page, "window.cut", lambda cut: cut > 0)
        return opened

    def test_leaves_unsaved_text_behind(self, cut_off: Ide) -> None:
        cut_off.page.reload()
        cut_off.is_dirty("a.txt")
        expect(cut_off.text).to_contain_text("kept")

    def test_leaves_it_under_the_files_last_name(self, cut_off: Ide) -> None:
        cut_off.unfold().entry("a.txt").click()
        cut_off.page.keyboard.press("F2")
        cut_off.page.keyboard.type("renamed")
        cut_off.page.keyboard.press("Enter")
        cut_off.holds("work/renamed.txt", "one\ntwo\n")
        cut_off.is_dirty("renamed.txt")
        cut_off.page.reload()
        cut_off.is_dirty("renamed.txt")
        expect(cut_off.text).to_contain_text("kept")
        expect(cut_off.tabs).to_have_count(1)


def test_closing_unsaved_text_asks(opened: Ide) -> None:
    opened.open("b.txt")
    add(opened, "!")
    opened.page.keyboard.press("Alt+w")
    dialog = opened.screen.dialog("Save “b.txt”?")
    expect(dialog.get_by_role("button", name="Save", exact=True)).to_be_focused()
    dialog.get_by_role("button", name="Cancel").click()
    opened.is_dirty("b.txt")
    opened.screen.button("Close b.txt").click()
    dialog.get_by_role("button", name="Don’t save").click()
    expect(opened.tabs).to_have_count(0)
    expect(opened.open("b.txt")).to_have_text("b")
    add(opened, "?")
    opened.screen.button("Close b.txt").click()
    dialog.get_by_role("button", name="Save", exact=True).click()
    opened.holds("work/b.txt", "b?")
    expect(opened.tabs).to_have_count(0)


class TestConflict:
    @pytest.fixture
    def conflict(self, opened: Ide, complaints: Complaints) -> Ide:
        """The merge view of a file that two people changed."""
        complaints.expect(CHANGED)
        opened.open("a.txt")
        add(opened, "mine")
        opened.write("work/a.txt", "ONE\ntwo\n")
        note = opened.page.get_by_text("This file was changed on the disk while you edited it.")
        expect(note).to_be_visible()
        opened.text.press("Control+s")
        expect(opened.tab("a.txt (conflict)")).to_have_attribute("aria-selected", "true")
        assert opened.read("work/a.txt") == "ONE\ntwo\n"
        return opened

    def sides(self, ide: Ide) -> list[str]:
        return ide.page.locator(".page.diff:visible .cm-content").all_inner_texts()

    def test_shows_both_and_saves_what_was_merged(self, conflict: Ide) -> None:
        page = conflict.page
        expect(page.locator(".cm-merge-a .cm-content")).to_contain_text("ONE")
        expect(page.locator(".cm-merge-b .cm-content")).to_contain_text("mine")
        conflict.screen.photograph("ide-conflict")
        page.get_by_role("button", name="Revert this chunk").first.click()
        page.get_by_role("button", name="Save the right side").click()
        conflict.holds("work/a.txt", "ONE\ntwo\nmine")
        expect(conflict.tab("a.txt (conflict)")).to_have_count(0)
        conflict.is_dirty("a.txt", False)

    def test_other_side_can_be_taken(self, conflict: Ide) -> None:
        conflict.page.get_by_role("button", name="Take the left side").click()
        expect(conflict.tab("a.txt (conflict)")).to_have_count(0)
        conflict.is_dirty("a.txt", False)
        expect(conflict.text).to_contain_text("ONE")
        expect(conflict.text).not_to_contain_text("mine")


class TestDraftOfAnEarlierPage:
    @pytest.fixture
    def left(self, opened: Ide, complaints: Complaints) -> Ide:
        """The page was left with ``mine`` unsaved at the end of ``a.txt``."""
        complaints.expect(CHANGED, REFUSED)
        opened.open("a.txt")
        add(opened, "mine")
        opened.page.goto("about:blank")
        return opened

    def test_is_not_saved_over_what_changed_meanwhile(self, left: Ide) -> None:
        left.write("work/a.txt", "somebody else's\n")
        left.go()
        expect(left.text).to_contain_text("mine")
        note = left.page.get_by_text("This file was changed on the disk")
        expect(note).to_be_visible()
        left.owner.ok("POST", "/api/v1/workspaces/main/files/move", MOVED)
        expect(left.page.get_by_text("This file was deleted or moved away.")).to_be_visible()
        left.owner.ok("POST", "/api/v1/workspaces/main/files/move", MOVED_BACK)
        expect(note).to_be_visible()
        left.text.press("Control+s")
        expect(left.tab("a.txt (conflict)")).to_be_visible()
        assert left.read("work/a.txt") == "somebody else's\n"

    def test_is_there_without_its_file(self, left: Ide) -> None:
        left.owner.ok("DELETE", "/api/v1/workspaces/main/files/content?path=work/a.txt")
        left.go()
        expect(left.text).to_contain_text("mine")
        expect(left.page.get_by_text("This file was deleted or moved away.")).to_be_visible()
        left.screen.button("Save it again").click()
        left.holds("work/a.txt", "one\ntwo\nmine")
        left.is_dirty("a.txt", False)

    def test_is_no_news_where_somebody_saved_the_same(self, left: Ide) -> None:
        left.write("work/a.txt", "one\ntwo\nmine")
        left.go()
        expect(left.text).to_contain_text("mine")
        left.is_dirty("a.txt", False)
        left.page.goto("about:blank")
        left.write("work/a.txt", "newer")
        left.go()
        expect(left.text).to_have_text("newer")
        left.is_dirty("a.txt", False)


def test_unedited_file_follows_the_terminal(opened: Ide, complaints: Complaints) -> None:
    complaints.expect(REFUSED)
    opened.open("a.txt")
    opened.text.press("Control+End")
    opened.page.locator(".xterm-helper-textarea").focus()
    opened.screen.type("sed -i s/one/from-the-terminal/ work/a.txt")
    expect(opened.text).to_contain_text("from-the-terminal")
    opened.is_dirty("a.txt", False)
    opened.screen.type("rm work/a.txt")
    expect(opened.page.get_by_text("This file was deleted or moved away.")).to_be_visible()
    opened.screen.button("Save it again").click()
    opened.holds("work/a.txt", "from-the-terminal\ntwo\n")


def test_bytes_that_were_not_edited_stay_as_they_are(ide: Ide) -> None:
    files = {
        "crlf.txt": b"a\r\nb\r\n",
        "mixed.txt": b"a\r\nb\nc",
        "bom.txt": "\ufeffa\n".encode(),
        "latin.txt": b"caf\xe9\n",
    }
    ide.fill(files).go()
    for name in files:
        ide.open(name)
        ide.text.press("Control+Home")
        ide.page.keyboard.type("x")
        ide.page.keyboard.press("Control+s")
        ide.is_dirty(name, False)
    wanted = [b"xa\r\nb\r\n", b"xa\r\nb\nc", "\ufeffxa\n".encode(), b"xcaf\xe9\n"]
    for name, content in zip(files, wanted, strict=True):
        assert raw(ide.owner, f"work/{name}") == content


def raw(owner: Person, path: str) -> bytes:
    with owner.asking("GET", f"/api/v1/workspaces/main/files/content?path={path}") as answer:
        return answer.read()


def test_two_editors_of_one_file_are_one(opened: Ide) -> None:
    opened.open("a.txt")
    opened.text.press("Control+\\")
    editors = opened.page.locator(".group .cm-content:visible")
    expect(editors).to_have_count(2)
    expect(editors.nth(1)).to_be_focused()
    opened.page.keyboard.type("both ")
    for editor in editors.all():
        expect(editor).to_contain_text("both one")
    opened.page.keyboard.press("Control+s")
    opened.holds("work/a.txt", "both one\ntwo\n")
    opened.page.keyboard.press("Control+1")
    expect(editors.nth(0)).to_be_focused()
    opened.page.reload()
    expect(opened.page.locator(".group .cm-content:visible")).to_have_count(2)


def test_thirty_tabs(ide: Ide) -> None:
    ide.fill({f"f{number:02}.txt": f"text {number}" for number in range(30)}).go().unfold()
    for number in range(30):
        ide.entry(f"f{number:02}.txt").dblclick()
        expect(ide.tab(f"f{number:02}.txt")).to_have_attribute("aria-selected", "true")
    expect(ide.tabs).to_have_count(30)
    ide.page.reload()
    expect(ide.tabs).to_have_count(30)
    expect(ide.text).to_have_text("text 29")
    ide.text.press("Control+PageDown")
    expect(ide.text).to_have_text("text 0")
    ide.text.press("Alt+3")
    expect(ide.text).to_have_text("text 2")


def test_find_replace_and_go_to_line(opened: Ide) -> None:
    opened.open("a.txt")
    opened.text.press("Control+f")
    opened.page.keyboard.type("two")
    expect(opened.page.locator(".cm-searchMatch")).to_have_count(1)
    opened.page.keyboard.press("Escape")
    opened.text.press("Control+g")
    box = opened.page.get_by_role("dialog", name="Quick open").get_by_role("combobox")
    expect(box).to_have_value(":")
    opened.page.keyboard.type("2:3")
    opened.page.keyboard.press("Enter")
    expect(opened.page.get_by_role("button", name="Ln 2, Col 3")).to_be_visible()
