"""What the panel of ports says while the server cannot look into the workspace."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.panels import panel
from tests.browser.screen import Screen
from tests.end_to_end.person import Person
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]

SHARED = {
    "port": 8123, "listening": None, "address": None, "command": None, "share": "users",
    "expires": None, "url": "http://x.localhost/", "path": "/apps/open?host=x", "guests": [],
}  # fmt: skip
Say = Callable[..., None]


@pytest.fixture
def told(new_screen: Callable[..., Screen], owner: Person) -> tuple[Screen, Say]:
    """A person's page, and what has the server tell it of ports."""
    opened: list[WebSocketRoute] = []
    screen = new_screen().let_in(owner.username)
    screen.page.route_web_socket(re.compile("/ports/watch$"), lambda one: opened.append(one))  # noqa: PLW0108
    screen.go("/w/main/")
    panel(screen, "ports")
    until(lambda: screen.page.title() and opened, "the page asks to be told")

    def say(*ports: Any, known: bool) -> None:
        opened[-1].send(json.dumps({"ports": ports, "known": known}))

    return screen, say


def test_unknown_is_not_nothing(told: tuple[Screen, Say]) -> None:
    screen, say = told
    ports = screen.page.locator(".ports-list")
    say(known=False)
    expect(ports).to_contain_text("What listens is not known")
    expect(ports).not_to_contain_text("Nothing listens")
    say(known=True)
    expect(ports).to_contain_text("Nothing listens yet")


def test_shared_ports_stay_and_are_not_told_as_closed(told: tuple[Screen, Say]) -> None:
    screen, say = told
    ports, port = screen.page.locator(".ports-list"), screen.page.locator(".port")
    say({**SHARED, "listening": True}, known=True)
    expect(port).to_have_class("port on")
    say(SHARED, known=False)
    expect(ports).to_contain_text("What listens is not known")
    expect(port).to_contain_text("8123")
    expect(port).not_to_contain_text("nothing listens")
    say({**SHARED, "listening": False}, known=True)
    expect(port).to_contain_text("nothing listens")
    expect(ports).not_to_contain_text("not known")
