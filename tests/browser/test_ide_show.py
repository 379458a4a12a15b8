"""What is shown of files that are no plain text, and what is declined."""

import base64

import pytest
from playwright.sync_api import expect

from tests.browser.ide import Ide
from tests.browser.screen import Complaints, becomes, requests_of

pytestmark = [pytest.mark.browser, pytest.mark.engine]

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MARKDOWN = """# Title
A [neighbour](sub/other.txt), [elsewhere](https://example.invalid/), [this server](/account),
[bad](javascript:alert(1)) and [below](#the-end).

![local](sub/dot.png) ![remote](https://example.invalid/spy.png)

<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">
<form action=/logout method=post><button>go</button></form>

- [x] done

## The end
"""
PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20">
<script>window.hacked = 3</script><rect width="30" height="20"/></svg>"""


def test_markdown_is_shown_and_can_do_nothing(ide: Ide, complaints: Complaints) -> None:
    # Chromium says so even of a document that is only taken apart.
    complaints.expect("Executing inline event handler violates")
    page = ide.page
    asked = requests_of(page.context, "example.invalid")
    ide.fill({"README.md": MARKDOWN, "sub/other.txt": "hi", "sub/dot.png": PIXEL}).go()
    ide.open("README.md").press("Control+k")
    page.keyboard.press("v")
    shown = page.get_by_role("tabpanel", name="Preview of README.md")
    expect(shown.get_by_role("heading", name="Title")).to_be_visible()
    expect(shown.get_by_role("img", name="local")).to_be_visible()
    expect(shown.get_by_text("remote · from elsewhere, not loaded")).to_be_visible()
    expect(shown.get_by_role("checkbox")).to_be_disabled()
    assert shown.locator("script, form, button, [onerror], [id]").count() == 0
    assert page.evaluate("window.hacked") is None
    assert asked == []
    links = {one.inner_text(): one.get_attribute("href") for one in shown.locator("a").all()}
    assert links["elsewhere"] == "https://example.invalid/"
    assert links["bad"] is None
    assert {links["neighbour"], links["this server"], links["below"]} == {"#"}

    ide.page.get_by_role("tab", name="README.md", exact=True).click()
    ide.text.press("Control+Home")
    page.keyboard.press("End")
    page.keyboard.type(" changed")
    expect(shown.get_by_role("heading", name="Title changed")).to_be_visible()
    ide.screen.photograph("ide-markdown")
    shown.get_by_role("link", name="neighbour").click()
    expect(ide.tab("other.txt")).to_have_attribute("aria-selected", "true")


def test_pictures(ide: Ide) -> None:
    ide.fill({"dot.png": PIXEL, "drawing.svg": PICTURE, "broken.png": b"no picture"}).go().unfold()
    ide.entry("dot.png").click()
    expect(ide.page.get_by_text("1 × 1 · ")).to_be_visible()
    ide.entry("drawing.svg").click()
    expect(ide.page.get_by_text("30 × 20 · ")).to_be_visible()
    assert ide.page.evaluate("window.hacked") is None
    ide.screen.button("Open as text").click()
    expect(ide.text).to_contain_text("<rect")
    ide.entry("broken.png").click()
    expect(ide.page.get_by_role("heading", name="This picture cannot be shown")).to_be_visible()


def test_binaries_and_large_files_are_declined_with_a_way_on(ide: Ide) -> None:
    ide.fill({"program.bin": bytes(range(256)), "large.log": b"x" * (21 << 20)}).go().unfold()
    for name, heading in [
        ("program.bin", "This file is no text"),
        ("large.log", "This file is too large to open here"),
    ]:
        ide.entry(name).click()
        expect(ide.page.get_by_role("heading", name=heading)).to_be_visible()
        with ide.page.expect_download() as started:
            ide.page.get_by_role("link", name="Download", exact=True).click()
        assert started.value.suggested_filename == name
        started.value.cancel()
    ide.screen.photograph("ide-declined")


def test_large_text_is_edited_without_colours(ide: Ide) -> None:
    lines = "".join(f"line {number} of a large file\n" for number in range(200_000))
    ide.fill({"large.py": lines, "long.json": f'["{"y" * 200_000}"]'}).go()
    note = ide.page.locator(".note:visible", has_text="so colours, folding and completion are off")
    ide.open("large.py")
    expect(note).to_contain_text("This file has 5.")
    ide.text.press("Control+End")
    ide.page.keyboard.type("the end")
    ide.page.keyboard.press("Control+s")
    ide.is_dirty("large.py", False)
    ide.holds("work/large.py", lines + "the end")
    ide.open("long.json")
    expect(note).to_contain_text("A line has 200,004 characters")
    ide.text.press("End")
    ide.page.keyboard.type("!")
    ide.is_dirty("long.json")
    becomes(ide.page, "document.querySelectorAll('.page:not([hidden]) .cm-content').length", 1)


def test_quick_open_and_palette(ide: Ide) -> None:
    ide.fill({"src/alpha_beta.py": "a\nb\nc\n", "src/other.py": "", "docs/alpha.md": ""}).go()
    page = ide.page
    page.keyboard.press("Control+Shift+E")
    page.keyboard.press("Control+p")
    box = page.get_by_role("dialog", name="Quick open")
    box.get_by_role("combobox").fill("alphbet:3")
    expect(box.get_by_role("option").first).to_contain_text("alpha_beta.py")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Ln 3, Col 1")).to_be_visible()
    page.keyboard.press("Control+p")
    expect(box.get_by_role("option").first).to_contain_text("alpha_beta.py")
    box.get_by_role("combobox").fill("no such name anywhere")
    expect(box.get_by_text("No file of that name.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(ide.text).to_be_focused()
    ide.run("Wrap long lines")
    expect(page.locator(".cm-lineWrapping")).to_have_count(1)
    ide.run("Dark theme")
    assert ide.screen.is_dark()
    ide.run("Terminal only")
    expect(page.get_by_role("tree")).to_be_hidden()


def test_colours_come_with_the_language(ide: Ide) -> None:
    ide.fill({"a.py": "def f():\n    return 'text'\n", "script": "#!/bin/sh\nexit 1\n"}).go()
    for name, language in [("a.py", "Python"), ("script", "Shell")]:
        ide.open(name)
        expect(ide.page.locator(".statusbar .language")).to_have_text(language)
        expect(ide.text.locator("span").first).to_be_attached()
