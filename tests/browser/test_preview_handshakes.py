"""What an app learns of a browser by the handshake of a WebSocket, in a tab and in a frame."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Frame

from tests.browser.ports import PORT, beside, in_tab, origin, serve
from tests.browser.screen import Complaints, Screen
from tests.end_to_end.carrying import carry
from tests.end_to_end.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.engine]

APP = Path(__file__).parents[1] / "end_to_end/preview_app.py"
HANDSHAKE = """() => new Promise((resolve) => {
  const socket = new WebSocket(`ws://${location.host}/handshake`);
  socket.onmessage = ({ data }) => resolve(JSON.parse(data));
  socket.onerror = () => resolve([]);
})"""


@pytest.fixture(scope="module")
def telltale(owner: Person) -> Person:
    """The owner, in whose workspace an app sends the head of a handshake back."""
    carry(owner, "telltale", {"app.py": APP})
    serve(owner, PORT, "telltale", f"python3 app.py {PORT}")
    return owner


def tab(shell: Screen) -> Frame:
    return in_tab(shell).main_frame


def frame(shell: Screen) -> Frame:
    beside(shell).get_by_text("X-Forwarded-Host").wait_for()
    (found,) = [one for one in shell.page.frames if f"//{PORT}--" in one.url]
    return found


@pytest.mark.parametrize(
    ("open_", "pass_name", "theirs"),
    [
        (tab, "__Host-rootblood-pass", {"sid=1", "partitioned=2"}),
        # Browsers keep a site's other cookies from its frames in the pages of another site.
        (frame, "__Host-rootblood-pass-framed", {"partitioned=2"}),
    ],
)
def test_an_app_gets_its_own_cookies_and_none_of_ours(
    shell: Screen,
    telltale: Person,
    complaints: Complaints,
    open_: Callable[[Screen], Frame],
    pass_name: str,
    theirs: set[str],
) -> None:
    """Whatever the app does with what it gets: some passed it on to the code of others."""
    complaints.expect(r"/favicon\.ico", "allow-scripts and allow-same-origin")
    page = open_(shell)
    page.evaluate("document.cookie = 'partitioned=2; SameSite=None; Secure; Partitioned'")
    ours = [one for one in shell.page.context.cookies() if "rootblood" in one["name"].lower()]
    assert pass_name in {one["name"] for one in ours}, "it is there to be sent"
    said = page.evaluate(HANDSHAKE)
    fields = {name.lower(): value for name, value in said}
    assert set(fields["cookie"].split("; ")) == theirs
    assert fields["host"] == f"localhost:{PORT}"
    assert fields["origin"] == f"http://localhost:{PORT}"
    assert fields["x-forwarded-host"] == origin(telltale).partition("//")[2]
    whole = json.dumps(said)
    assert "rootblood" not in whole.lower()
    assert all(one["value"] not in whole for one in ours)
