"""Live events: all tabs of a browser share one connection, and take over from one another."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.screen import CUT_OFF, REFUSED, Complaints, Screen, requests_of
from tests.end_to_end.person import Person
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def test_tabs_share_one_connection_for_events(
    screen: Screen, person: Person, complaints: Complaints
) -> None:
    complaints.expect(CUT_OFF)
    person.ok("POST", "/api/v1/workspaces", {"name": "main"})
    context = screen.page.context
    screen.go("/templates")  # nothing to follow there
    asked = requests_of(context, "/api/v1/events")
    tabs = [screen.go("/"), screen.tab().go("/"), screen.tab().go("/")]
    words = {True: "Running", False: "Stopped"}

    def all_follow(*, running: bool) -> None:
        person.ok("POST", f"/api/v1/workspaces/main/{'start' if running else 'stop'}")
        for one in tabs:
            region = one.page.get_by_role("region", name="main", exact=True)
            expect(region.get_by_text(words[running], exact=True)).to_be_visible()

    all_follow(running=True)
    assert len(asked) == 1
    tabs.pop(0).page.close()
    until(lambda: tabs[0].page.evaluate("1") and len(asked) == 2, "another tab takes over")
    all_follow(running=False)
    terminal = tabs[0].tab().go("/w/main/").prompts()
    for one in tabs:
        expect(one.page.get_by_text("Running", exact=True)).to_be_visible()
    all_follow(running=False)
    expect(terminal.page.get_by_role("alertdialog")).to_contain_text("Stopped by")
    assert len(asked) == 2


def test_sign_out_reaches_every_tab(screen: Screen, person: Person, complaints: Complaints) -> None:
    complaints.expect(CUT_OFF, REFUSED)
    other = screen.tab().go("/")
    screen.choose(f"Account of {person.username}", "Sign out")
    expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_next_person_in_the_same_browser_gets_their_own_news(
    terminal: Screen, person: Person, people: Callable[..., Person], complaints: Complaints
) -> None:
    """The first one's page stays open in its tab, signed out."""
    complaints.expect(CUT_OFF, REFUSED)
    other, next_one = terminal.tab().go("/"), people(terminal.server)
    expect(other.page.get_by_role("region", name="main")).to_be_visible()
    other.choose(f"Account of {person.username}", "Sign out")
    expect(terminal.page.get_by_text("You are signed out.")).to_be_visible()
    other.sign_in(next_one.username)
    next_one.start("mine")
    mine = other.page.get_by_role("region", name="mine")
    expect(mine.get_by_text("Running", exact=True)).to_be_visible()
    expect(other.page.get_by_role("region", name="main")).to_have_count(0)
