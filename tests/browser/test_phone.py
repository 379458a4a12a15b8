"""A phone: keys that its keyboard lacks, scrolling by finger, and nothing wider than the screen."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.screen import Screen
from tests.end_to_end.person import Person
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}


@pytest.fixture
def screen(new_screen: Callable[..., Screen], person: Person) -> Screen:
    return new_screen(**PHONE).sign_in(person.username)


def tap(screen: Screen, key: str) -> None:
    screen.page.get_by_role("toolbar", name="Extra keys").get_by_role(
        "button", name=key, exact=True
    ).tap()


def test_key_bar_sends_what_the_keyboard_lacks(terminal: Screen) -> None:
    page = terminal.page
    expect(page.get_by_role("toolbar", name="Extra keys")).to_be_visible()
    terminal.photograph("terminal-phone")
    keys = {"Escape": r"\$'\\E'", "Tab": r"\$'\\t'", "Slash": "/", "Pipe": r"\\\|", "Tilde": r"\\~"}
    for key, quoted in keys.items():
        terminal.type("IFS= read -rsn1 k; printf 'key-%q-\\n' \"$k\"")
        terminal.shows(r'"\$k"')
        tap(terminal, key)
        terminal.shows(f"^key-{quoted}-$")
        terminal.type("clear")
        terminal.lacks("key-")

    terminal.type("echo recalled-$((6 * 7))")
    terminal.shows("^recalled-42")
    terminal.type("clear")
    terminal.lacks("recalled")
    tap(terminal, "Up")
    tap(terminal, "Up")
    terminal.shows(r"echo recalled-\S+ \* 7\)\)\Z")
    tap(terminal, "Left")
    tap(terminal, "Left")
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    terminal.shows("^recalled-420")


def test_sticky_control_ends_a_program(terminal: Screen) -> None:
    terminal.type("sleep 1000")
    terminal.shows("sleep 1000")
    control = terminal.page.get_by_role("button", name="Ctrl", exact=True)
    control.tap()
    expect(control).to_have_attribute("aria-pressed", "true")
    terminal.page.keyboard.type("c")
    terminal.shows(r"\^C")
    expect(control).to_have_attribute("aria-pressed", "false")
    terminal.answers()


def test_finger_scrolls_through_the_history(terminal: Screen) -> None:
    terminal.type(r"for i in $(seq 300); do echo line-$i-end; done; printf '\033[H\033[2J'")
    terminal.lacks("line-")
    finger = terminal.page.context.new_cdp_session(terminal.page)

    def drag(start: int, end: int) -> str:
        point = {"x": 190, "y": start}
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        step = 40 if end > start else -40
        for y in range(start, end, step):
            moved = [{"x": 190, "y": y}]
            finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": moved})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return terminal.text()

    until(lambda: "line-290-end" in drag(200, 600), "older lines come into view")
    until(lambda: "line-" not in drag(600, 200), "the other way leads back")
    terminal.answers()


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
    expect(page.get_by_role("heading", name="Account")).to_be_visible()
    expect(page).to_have_url(re.compile("/account$"))
