"""Files from a person's device into the workspace and back."""

import io
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.panels import names, panel, read, write
from tests.browser.screen import REFUSED, Complaints, Screen
from tests.end_to_end.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture
def enter(
    new_screen: Callable[..., Screen], person: Person, options: dict[str, Any]
) -> Callable[[], Screen]:
    """Return what opens the page of a fresh account, whose workspace runs already."""
    person.open()
    return lambda: new_screen(**options).let_in(person.username).enter()


# A drop of a folder from the desktop: what a browser hands over can be built from files alone.
DROP = """
async ([selector, names]) => {
    const data = new DataTransfer();
    for (const [name, text] of Object.entries(names)) data.items.add(new File([text], name));
    const target = document.querySelector(selector);
    const box = target.getBoundingClientRect();
    const at = { clientX: box.left + 20, clientY: box.bottom - 4 };
    for (const type of ["dragover", "drop"])
        target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true,
                                                   dataTransfer: data, ...at }));
}
"""


def row(screen: Screen, name: str) -> Locator:
    return panel(screen, "files").locator(".row-file", has_text=name)


def choose(screen: Screen, folder: str, item: str) -> None:
    """Run an item of the menu of a folder in the tree."""
    row(screen, folder).click(button="right")
    screen.page.get_by_role("menuitem", name=item, exact=True).click()


def upload(screen: Screen, folder: str, item: str, chosen: Any) -> Locator:
    """Upload into a folder what is picked, and return the list of uploads."""
    with screen.page.expect_file_chooser() as chooser:
        choose(screen, folder, item)
    chooser.value.set_files(chosen)
    return screen.page.get_by_role("region", name="Uploads")


def test_files_that_are_picked_arrive(enter: Callable[[], Screen], person: Person) -> None:
    write(person, "box/there.txt", "there")
    terminal = enter()
    large = {"name": "large.bin", "mimeType": "", "buffer": b"x" * (3 << 20)}
    small = {"name": "line\u202ebreak.txt", "mimeType": "", "buffer": b"small"}
    uploads = upload(terminal, "box", "Upload files …", [large, small])
    expect(uploads.get_by_role("status")).to_have_text("2 files uploaded")
    expect(uploads).to_contain_text("3 MiB of 3 MiB")
    assert names(person, "box") == {"there.txt", "large.bin", "line\u202ebreak.txt"}
    uploads.get_by_label("Close", exact=True).click()
    expect(uploads).to_have_count(0)


def test_a_folder_arrives_with_what_is_in_it(
    enter: Callable[[], Screen], person: Person, tmp_path: Path
) -> None:
    write(person, "box/there.txt", "there")
    terminal = enter()
    for name, text in {"site/index.html": "<p>", "site/deep/er/a.css": "p{}"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    uploads = upload(terminal, "box", "Upload a folder …", tmp_path / "site")
    expect(uploads.get_by_role("status")).to_have_text("2 files uploaded")
    assert read(person, "box/site/deep/er/a.css") == "p{}"


def test_files_are_dropped_into_the_tree(enter: Callable[[], Screen], person: Person) -> None:
    terminal = enter()
    expect(panel(terminal, "files").locator(".row-file").first).to_be_visible()
    terminal.page.evaluate(DROP, [".tree", {"dropped.txt": "from the desktop"}])
    uploads = terminal.page.get_by_role("region", name="Uploads")
    expect(uploads.get_by_role("status")).to_have_text("1 file uploaded")
    expect(row(terminal, "dropped.txt")).to_be_visible()
    assert read(person, "dropped.txt") == "from the desktop"


def test_a_name_that_is_taken_is_asked_about(enter: Callable[[], Screen], person: Person) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        write(person, f"box/{name}", "old")
    terminal = enter()
    sent = [
        {"name": name, "mimeType": "", "buffer": b"new"} for name in ("a.txt", "b.txt", "c.txt")
    ]
    uploads = upload(terminal, "box", "Upload files …", sent)
    terminal.dialog("There is already “a.txt”").get_by_text("Skip").click()
    question = terminal.dialog("There is already “b.txt”")
    expect(question.get_by_text("Keep both")).to_be_visible()
    terminal.page.keyboard.press("Enter")
    question = terminal.dialog("There is already “c.txt”")
    question.get_by_text("Replace", exact=True).click()
    expect(uploads.get_by_role("status")).to_have_text("2 files uploaded")
    assert names(person, "box") == {"a.txt", "b.txt", "b copy.txt", "c.txt"}
    assert [read(person, f"box/{n}.txt") for n in ("a", "b", "b copy", "c")] == [
        "old", "old", "new", "new",
    ]  # fmt: skip


def test_one_answer_can_be_for_all(enter: Callable[[], Screen], person: Person) -> None:
    for name in ("a.txt", "b.txt"):
        write(person, f"box/{name}", "old")
    terminal = enter()
    sent = [{"name": name, "mimeType": "", "buffer": b"new"} for name in ("a.txt", "b.txt")]
    uploads = upload(terminal, "box", "Upload files …", sent)
    question = terminal.dialog("There is already")
    question.get_by_label("Do the same with all others").check()
    question.get_by_text("Replace", exact=True).click()
    expect(uploads.get_by_role("status")).to_have_text("2 files uploaded")
    assert [read(person, f"box/{n}.txt") for n in ("a", "b")] == ["new", "new"]


def test_an_upload_can_be_cancelled_and_sent_again(
    enter: Callable[[], Screen], person: Person
) -> None:
    write(person, "box/there.txt", "there")
    terminal = enter()
    held: list[Any] = []
    pattern = re.compile(r"/files/content\?path=.*slow\.bin")
    terminal.page.route(pattern, lambda route: held.append(route))  # noqa: PLW0108  a builtin is refused
    slow = {"name": "slow.bin", "mimeType": "", "buffer": b"x" * 1000}
    uploads = upload(terminal, "box", "Upload files …", [slow])
    expect(uploads.get_by_role("status")).to_have_text("Uploading 1 file")
    uploads.get_by_label("Cancel ~/box/slow.bin").click()
    expect(uploads.get_by_role("status")).to_have_text("Nothing was uploaded")
    assert names(person, "box") == {"there.txt"}

    terminal.page.unroute(pattern)
    uploads.get_by_label("Send ~/box/slow.bin again").click()
    expect(uploads.get_by_role("status")).to_have_text("1 file uploaded")
    assert names(person, "box") == {"there.txt", "slow.bin"}


def test_what_the_server_refuses_is_told(
    enter: Callable[[], Screen], person: Person, complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    write(person, "box/there.txt", "there")
    terminal = enter()
    terminal.type("chmod 500 box; echo done-$((1+1))-")
    terminal.shows("done-2-")
    one = {"name": "one.txt", "mimeType": "", "buffer": b"1"}
    uploads = upload(terminal, "box", "Upload files …", [one])
    expect(uploads.get_by_role("status")).to_have_text("1 file did not arrive")
    expect(uploads.get_by_role("listitem")).to_contain_text("no permission")


@pytest.mark.parametrize("ending", ["tar.gz", "zip"])
def test_a_folder_is_downloaded(enter: Callable[[], Screen], person: Person, ending: str) -> None:
    write(person, "box/deep/a.txt", "inside")
    terminal = enter()
    with terminal.page.expect_download() as download:
        choose(terminal, "box", f"Download as .{ending}")
    assert download.value.suggested_filename == f"box.{ending}"
    content = io.BytesIO(Path(download.value.path()).read_bytes())
    if ending == "zip":
        assert zipfile.ZipFile(content).read("box/deep/a.txt") == b"inside"
    else:
        with tarfile.open(fileobj=content) as archive:
            inside = [name for name in archive.getnames() if name.endswith("box/deep/a.txt")]
            member = archive.extractfile(inside[0])
            assert member
            assert member.read() == b"inside"


def test_a_file_is_downloaded_as_it_is(enter: Callable[[], Screen], person: Person) -> None:
    write(person, "note.html", "<script>alert(1)</script>")
    terminal = enter()
    with terminal.page.expect_download() as download:
        choose(terminal, "note.html", "Download")
    assert Path(download.value.path()).read_text() == "<script>alert(1)</script>"
