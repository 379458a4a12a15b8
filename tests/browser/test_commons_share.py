"""Share files from the browser, and see what they take."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.screen import Complaints, Screen
from tests.browser.test_every_page import SIDEWAYS, TOO_WIDE, WIDTHS
from tests.end_to_end.person import Person
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]

DROP = """([name, text]) => {
    const carried = new DataTransfer();
    carried.items.add(new File([text], name));
    for (const kind of ["dragover", "drop"])
        document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""  # noqa: E501


@pytest.fixture(autouse=True, scope="module")
def two(server: Server) -> None:
    """Grace, who shares, and Noether, who looks."""
    for name in ("hopper", "noether"):
        Person(server, name)


def test_files_are_chosen_or_dropped_found_and_deleted(
    new_screen: Callable[..., Screen], tmp_path: Path
) -> None:
    screen = new_screen().let_in("hopper")
    other = new_screen().let_in("noether")
    page = screen.go("/global/hopper/").page
    (tmp_path / "table é.csv").write_text("1;2\n")
    (tmp_path / "large.bin").write_bytes(b"x" * (6 << 20))
    files = page.locator("table.shared")
    page.locator("[data-share] input[type=file]").set_input_files(
        [tmp_path / "table é.csv", tmp_path / "large.bin"]
    )
    expect(files).to_contain_text("large.bin")
    expect(files).to_contain_text("6 MiB")
    page.evaluate(DROP, ["dropped.txt", "hello"])
    expect(files).to_contain_text("dropped.txt")
    screen.photograph("commons-share")
    for size in WIDTHS.values():
        page.set_viewport_size(size)
        assert page.evaluate(TOO_WIDE) == []
        assert page.evaluate(SIDEWAYS) <= 0

    theirs = other.go("/global/hopper/").page
    expect(theirs.locator("[data-share]")).to_have_count(0)
    with theirs.expect_download() as download:
        theirs.get_by_role("link", name="table é.csv").click()
    assert Path(download.value.path()).read_text() == "1;2\n"

    page.get_by_role("button", name="Delete dropped.txt").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("table.shared")).not_to_contain_text("dropped.txt")
    space = screen.go("/home").page.locator(".usage")
    expect(space).to_contain_text("Published")
    expect(space).to_contain_text("6 MiB")


def test_a_refused_file_says_why(
    new_screen: Callable[..., Screen], complaints: Complaints, tmp_path: Path
) -> None:
    complaints.expect(r"status of 422")
    page = new_screen().let_in("hopper").go("/global/hopper/").page
    (tmp_path / ".hidden").write_text("x")
    page.locator("[data-share] input[type=file]").set_input_files(tmp_path / ".hidden")
    expect(page.get_by_role("alert")).to_contain_text("not a name for a shared file")
