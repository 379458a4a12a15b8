"""A phone: keys that its keyboard lacks, scrolling by finger, and nothing wider than the screen."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.screen import Screen
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture
def options() -> dict[str, Any]:
    return {
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
        "device_scale_factor": 2,
    }


def tap(screen: Screen, key: str) -> None:
    screen.page.get_by_role("toolbar", name="Extra keys").get_by_role(
        "button", name=key, exact=True
    ).tap()


def test_key_bar_sends_what_the_keyboard_lacks(shell: Screen) -> None:
    page = shell.page
    expect(page.get_by_role("toolbar", name="Extra keys")).to_be_visible()
    shell.photograph("terminal-phone")
    keys = {"Escape": r"\$'\\E'", "Tab": r"\$'\\t'", "Slash": "/", "Pipe": r"\\\|", "Tilde": r"\\~"}
    for key, quoted in keys.items():
        shell.type("IFS= read -rsn1 k; printf 'key-%q-\\n' \"$k\"")
        shell.shows(r'"\$k"')
        tap(shell, key)
        shell.shows(f"^key-{quoted}-$")
        shell.type("clear")
        shell.lacks("key-")

    shell.type("echo recalled-$((6 * 7))")
    shell.shows("^recalled-42")
    shell.type("clear")
    shell.lacks("recalled")
    tap(shell, "Up")
    tap(shell, "Up")
    shell.shows(r"echo recalled-\S+ \* 7\)\)\Z")
    tap(shell, "Left")
    tap(shell, "Left")
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    shell.shows("^recalled-420")


def test_sticky_control_ends_a_program(shell: Screen) -> None:
    shell.type("sleep 1000")
    shell.shows("sleep 1000")
    control = shell.page.get_by_role("button", name="Ctrl", exact=True)
    control.tap()
    expect(control).to_have_attribute("aria-pressed", "true")
    shell.page.keyboard.type("c")
    shell.shows(r"\^C")
    expect(control).to_have_attribute("aria-pressed", "false")
    shell.answers()


def test_finger_scrolls_through_the_history(shell: Screen) -> None:
    shell.type(r"for i in $(seq 300); do echo line-$i-end; done; printf '\033[H\033[2J'")
    shell.lacks("line-")
    finger = shell.page.context.new_cdp_session(shell.page)

    def drag(start: int, end: int) -> str:
        point = {"x": 190, "y": start}
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        step = 40 if end > start else -40
        for y in range(start, end, step):
            moved = [{"x": 190, "y": y}]
            finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": moved})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return shell.text()

    until(lambda: "line-290-end" in drag(200, 600), "older lines come into view")
    until(lambda: "line-" not in drag(600, 200), "the other way leads back")
    shell.answers()


def test_main_path_by_finger(screen: Screen) -> None:
    page = screen.page
    screen.button("Open my first workspace").tap()
    screen.prompts()
    screen.answers()
    page.get_by_role("link", name="All workspaces").tap()
    main = page.get_by_role("region", name="main", exact=True)
    expect(main).to_contain_text("Running")
    screen.photograph("dashboard-phone")
    page.get_by_role("navigation", name="Main pages").get_by_role("button", name="More").tap()
    menu = page.get_by_role("navigation", name="Pages", exact=True)
    expect(menu.get_by_role("link", name="API")).to_be_in_viewport()
    screen.photograph("navigation-phone")
    menu.get_by_role("link", name="Account").tap()
    expect(page.get_by_role("heading", name="Account", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("/account$"))
