"""Going to what a file declares: by its language server, by its syntax, or line by line."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.ide import Ide

pytestmark = [pytest.mark.browser, pytest.mark.engine]

GUIDE = "# Guide\n\ntext\n\n## Install it\n\n### From source\n\n## Use it\n"
SHAPES = """struct Point { x: i32 }

impl Point {
    fn length(&self) -> i32 { let far = self.x; far }
}

fn main() {}
"""
TOOL = "#!/bin/sh\nset -eu\n\nprepare() {\n  :\n}\n\nfunction build {\n  :\n}\n"
STYLE = ".card > h2,\n.card > h3 { color: red }\n"
SETTINGS = '{"name": "x", "scripts": {"build": "make", "deep": {"er": 1}}}\n'


def symbols(ide: Ide, key: str = "Control+Shift+o") -> Locator:
    """Open the list of what the file in front declares."""
    ide.page.keyboard.press(key)
    box = ide.page.get_by_role("dialog", name="Quick open")
    expect(box.get_by_role("combobox")).to_have_value("@")
    return box.get_by_role("option")


def test_headings_are_gone_to_by_keyboard(ide: Ide) -> None:
    ide.fill({"guide.md": GUIDE}).go().open("guide.md")
    expect(symbols(ide).locator(".label")).to_have_text(
        ["Guide", "Install it", "From source", "Use it"]
    )
    ide.page.keyboard.type("inst")
    ide.page.keyboard.press("Enter")
    expect(ide.page.get_by_role("button", name="Ln 5, Col 1")).to_be_visible()
    expect(ide.text).to_be_focused()


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("shapes.rs", SHAPES, ["Point", "Point", "length", "main"]),
        ("tool.sh", TOOL, ["prepare", "build"]),
        ("style.css", STYLE, [".card > h2, .card > h3"]),
        ("settings.json", SETTINGS, ["name", "scripts", "build", "deep"]),
        ("plain.txt", "nothing\n", []),
    ],
)
def test_declarations_without_a_language_server(
    ide: Ide, name: str, text: str, wanted: list[str]
) -> None:
    ide.fill({name: text}).go().open(name)
    expect(ide.page.locator("#statusbar .language")).to_be_visible()
    found = symbols(ide)
    expect(found.locator(".label")).to_have_text(wanted)
    if not wanted:
        expect(ide.page.get_by_text("Nothing that this file declares is known.")).to_be_visible()


def test_symbols_files_commands_and_lines_share_one_box(ide: Ide) -> None:
    ide.fill({"guide.md": GUIDE}).go().open("guide.md")
    ide.page.keyboard.press("Control+p")
    box = ide.page.get_by_role("dialog", name="Quick open")
    field = box.get_by_role("combobox")
    field.fill("@use")
    expect(box.get_by_role("option")).to_have_text(["Use itline 9"])
    field.fill("@nowhere")
    expect(box.get_by_text("No symbol of that name.")).to_be_visible()
    field.fill(":3")
    expect(box.get_by_role("option")).to_contain_text(["Go to line 3"])
    field.fill(">go to a symbol")
    expect(box.get_by_role("option").first).to_contain_text("Ctrl+Shift+O")
