"""What a person is told of idleness: why, when, and how to keep a workspace on."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.screen import Screen
from tests.end_to_end.person import Person
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    """A server whose workspaces stop after so short a time that its seconds are counted."""
    return make_server(idle_seconds=85, collector_seconds=0.5, busy_cpu_percent=90).start()


def seconds_left(screen: Screen) -> int:
    found = re.search(r"tops in\s(\d+)\ss", screen.page.inner_text("body"))
    return int(found[1]) if found else 0


def test_dashboard_counts_down_and_can_wait(screen: Screen, person: Person) -> None:
    person.start("main")
    card = screen.page.get_by_role("region", name="main", exact=True)
    expect(card).to_contain_text(re.compile(r"Stops in \d+\ss: no input for \d+\ss, cpu "))
    first = until(lambda: seconds_left(screen), "it says when")
    assert first <= 85
    until(lambda: 0 < seconds_left(screen) < first - 2, "it counts down")
    card.get_by_role("button", name="Snooze").click()
    expect(card).to_contain_text(re.compile(r"Kept for (59|60)\smin: snoozed"))
    expect(card.get_by_role("button", name="Snooze")).to_be_hidden()
    snoozed = person.workspace()["activity"]
    assert snoozed["snoozed_until"] == snoozed["stops_at"]


def test_terminal_warns_and_typing_is_enough(terminal: Screen) -> None:
    page = terminal.page
    warning = page.get_by_role("status").filter(has_text="This workspace stops in")
    expect(warning).to_be_visible()
    first = until(lambda: seconds_left(terminal), "it says when")
    until(lambda: 0 < seconds_left(terminal) < first, "it counts down")
    terminal.photograph("terminal-idle")
    terminal.page.locator(".xterm-helper-textarea").focus()
    page.keyboard.type("x")
    expect(warning).to_have_count(0)


def test_terminal_can_be_kept_for_an_hour(terminal: Screen, person: Person) -> None:
    warning = terminal.page.get_by_role("status").filter(has_text="This workspace stops in")
    warning.get_by_role("button", name="Keep it for an hour").click()
    until(lambda: person.workspace()["activity"]["snoozed_until"], "the server knows")
    expect(warning).to_have_count(0)
    terminal.answers()
