"""What the preview's origin says itself: pages for people, documents for programs.

And that none of it lets the rest of a request be taken for the next one.
"""

import pytest

from tests.web.preview.previewing import Previews, fields, running, saying
from tests.wire import receive_all

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NAVIGATION = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html")


@pytest.mark.parametrize(
    ("workspace", "status", "slug"),
    [("stopped", 503, "workspace-stopped"), ("stopping", 503, "workspace-stopped"),
     ("refused", 401, "sign-in-required"), ("ended", 403, "forbidden")],
)  # fmt: skip
def test_refusals_are_documents_for_programs_and_pages_for_people(
    previews: Previews, workspace: str, status: int, slug: str
) -> None:
    with running(saying(HELLO)) as app:
        if workspace == "ended":
            previews.ask(app, workspace=workspace)
            previews.hang_up()
        found, head, body = previews.ask(app, workspace=workspace)
        assert (found, fields(head)["content-type"]) == (status, "application/problem+json")
        assert slug.encode() in body
        assert b'"hint": "' in body
        found, head, body = previews.ask(app, *NAVIGATION, workspace=workspace)
        assert (found, fields(head)["content-type"]) == (status, "text/html; charset=utf-8")
        assert slug.encode() in body
        assert b'class="hint"' in body
        assert fields(head)["cache-control"] == "no-store"
        assert "script-src 'sha256-" in fields(head)["content-security-policy"]
        assert app.connections == [] or workspace == "ended"


def test_a_page_waits_for_what_does_not_listen_yet(previews: Previews) -> None:
    with running(saying(HELLO)) as app:
        port = app.port
    status, head, body = previews.ask(port, *NAVIGATION)
    assert status == 502
    assert b"/.rootblood/listening" in body
    assert "frame-ancestors 'self' http://panel.test" in fields(head)["content-security-policy"]
    assert previews.ask(port, target="/.rootblood/listening")[0] == 404
    assert b"<script>" not in previews.ask(port, *NAVIGATION, method="POST")[2]


def test_the_page_is_told_when_it_listens(previews: Previews) -> None:
    with running(saying(HELLO)) as app:
        status, head, _ = previews.ask(app, target="/.rootblood/listening")
        assert (status, fields(head)["cache-control"]) == (204, "no-store")
        assert previews.ask(app, target="/.rootblood/listening", workspace="refused")[0] == 401
        assert previews.ask(app, target="/.rootblood/listening", workspace="stopped")[0] == 404


def test_redirects_of_the_gate_are_passed_on(previews: Previews) -> None:
    status, head, _ = previews.ask(1, workspace="elsewhere")
    assert (status, fields(head)["location"]) == (303, "http://panel.test/apps/open")
    assert fields(head)["set-cookie"] == "a=b"


def test_an_answer_of_ours_takes_the_requests_body_with_it(previews: Previews) -> None:
    """What is left of a request must not be read as the next one."""
    hidden = b"GET /seen HTTP/1.1\r\nHost: panel\r\n\r\n"
    for length, sent in ((len(hidden), hidden), (len(hidden) + 9, hidden)):
        with previews.connect() as sock:
            host = previews.host(1, "refused")
            asked = previews.request(host, f"Content-Length: {length}", method="POST", body=sent)
            closing = previews.request(host, "Connection: close") if length == len(sent) else b""
            sock.sendall(asked + closing)
            data = receive_all(sock)
        assert b"dials" not in data
        assert data.count(b"HTTP/1.1 401") == (2 if closing else 1)
    with previews.connect() as sock:
        chunked = ("Transfer-Encoding: chunked",)
        sock.sendall(previews.request(previews.host(1, "refused"), *chunked, body=hidden))
        assert receive_all(sock).count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("workspace", "status"), [("main", 502), ("ending", 502), ("stopping", 503)]
)
def test_viewers_are_not_told_what_a_workspace_is_called_below(
    previews: Previews, workspace: str, status: int
) -> None:
    for asked in ((), NAVIGATION):
        found, _, body = previews.ask(1, *asked, workspace=workspace)
        assert found == status
        assert b"rb-secret" not in body
        assert b'"log"' not in body
