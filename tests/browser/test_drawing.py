"""What the terminal draws: wide characters, links and pictures."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.screen import Screen, becomes

pytestmark = [pytest.mark.browser, pytest.mark.engine]


COLUMNS = {"日本": 4, "🦀🚀": 4, "한글ab": 6, "äöü": 3, "e\u0301t": 2, "ｆｗ": 4}


def test_programs_tmux_and_the_page_agree_how_wide_text_is(shell: Screen) -> None:
    for text, columns in COLUMNS.items():
        # The terminal says where its cursor stands after the text (DSR 6, ECMA-48 8.3.35).
        ask = r"""IFS='[;' read -rs -d R -p $'\e[6n' _ _ at; echo " at-$at-" """
        shell.type(rf"clear; printf '{text}\033[20G|\n{text}'; {ask}")
        shell.shows(f" at-{columns + 1}-$")
        # The page has drawn the bar in the twentieth column only if its own count is the same.
        shell.shows(rf"^{text}{' ' * (19 - columns)}\|$")


def test_links_are_links(shell: Screen) -> None:
    shell.page.context.route(
        "https://localhost.invalid/**", lambda route: route.fulfill(content_type="text/plain")
    )
    shell.type("clear; echo see https://localhost.invalid/path?a=b#c now")
    shell.shows(r"^see https://localhost\.invalid/path\?a=b#c now$")
    row = shell.page.locator(".xterm-rows > div", has_text=re.compile("^see https"))
    box = row.last.bounding_box()
    assert box is not None
    x, y = box["x"] + 100, box["y"] + 8
    shell.page.mouse.move(x, y)
    expect(shell.page.locator(".xterm-cursor-pointer")).to_have_count(1)
    with shell.page.context.expect_page() as opened:
        shell.page.mouse.click(x, y)
    opened.value.wait_for_url("https://localhost.invalid/path?a=b#c")


SIXEL = r"\033Pq#0;2;100;0;0#0!200~-#0!200~-#0!200~\033\\"


def test_sixel_picture_is_drawn_through_tmux(shell: Screen) -> None:
    inner = SIXEL.replace(r"\033", r"\033\033")
    shell.type(rf"clear; printf '\n\033Ptmux;{inner}\033\\\n\n\n'")
    canvas = shell.page.locator("canvas.xterm-image-layer")
    expect(canvas).to_have_count(1)
    red = becomes(
        shell.page,
        """(() => {
             const canvas = document.querySelector('canvas.xterm-image-layer');
             const { width, height } = canvas;
             const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
             let red = 0;
             for (let at = 0; at < data.length; at += 4)
               if (data[at] > 200 && data[at + 1] < 50 && data[at + 3] > 200) red += 1;
             return red;
           })()""",
        lambda count: count > 1000,
    )
    shell.photograph("terminal-sixel")
    assert red >= 200 * 18 * 0.9
    shell.answers()


def test_colours_are_those_that_programs_ask_for(shell: Screen) -> None:
    shell.type(r"clear; printf '\033[38;2;0;90;20mGREEN\033[0m\n'")
    shell.shows("^GREEN$")
    span = shell.page.locator(".xterm-rows span", has_text=re.compile("^GREEN$"))
    expect(span).to_have_css("color", "rgb(0, 90, 20)")
