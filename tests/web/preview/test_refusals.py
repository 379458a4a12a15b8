import base64
import hashlib
import json
import re
from typing import Any

import pytest

from orchestrator.errors import DialFailed, NotFound, RootBloodError, SignInRequired
from orchestrator.previews import Label
from tests.web.preview.previewing import fields
from web.heads import RequestHead, parse_request
from web.preview.refusals import refusal, response, wants_page

LABEL = Label(8000, "web", "bob")
PANEL = "https://panel.test"
NAVIGATES = "Sec-Fetch-Mode: navigate"


def head(*lines: str, method: str = "GET") -> RequestHead:
    text = "\r\n".join([f"{method} / HTTP/1.1", "Host: a.test", *lines, "", ""])
    return parse_request(text.encode())


def refused(
    asked: RequestHead, error: RootBloodError | None = None, **options: Any
) -> tuple[bytes, dict[str, str], str]:
    said, _, body = refusal(asked, error or NotFound(), **options).partition(b"\r\n\r\n")
    lines = said.split(b"\r\n")
    return lines[0], fields(lines), body.decode()


@pytest.mark.parametrize(
    ("method", "line", "wants"),
    [
        ("GET", NAVIGATES, True),
        ("HEAD", NAVIGATES, True),
        ("POST", NAVIGATES, True),
        ("PUT", NAVIGATES, False),
        ("GET", "Sec-Fetch-Mode: cors", False),
        ("GET", "Accept: text/html,*/*", True),
        ("GET", "Accept: */*", False),
        ("DELETE", "Accept: text/html", False),
    ],
)
def test_pages_are_for_people(method: str, line: str, wants: bool) -> None:
    assert wants_page(head(line, method=method)) is wants


def test_a_program_gets_a_document() -> None:
    status, found, body = refused(head(), DialFailed("no", hint="look"), status=502)
    assert status == b"HTTP/1.1 502 Bad Gateway"
    assert found["content-type"] == "application/problem+json"
    assert found["content-length"] == str(len(body))
    problem = json.loads(body)
    assert (problem["status"], problem["detail"], problem["hint"]) == (502, "no", "look")


def test_a_person_gets_a_page_that_is_whole_in_itself() -> None:
    _, found, body = refused(head(NAVIGATES), NotFound("nobody's"), label=LABEL)
    assert found["content-type"] == "text/html; charset=utf-8"
    assert found["content-length"] == str(len(body.encode()))
    assert "port 8000 of web" in body
    assert "404" in body
    assert not re.findall(r"(?:src|href)=", body)


def test_what_is_said_is_text() -> None:
    error = NotFound("<script>alert(1)</script>", hint='"><img src=x onerror=alert(1)>')
    _, _, body = refused(head(NAVIGATES), error, label=LABEL)
    assert "<script" not in body
    assert "<img" not in body
    assert "&lt;script&gt;" in body


def test_an_answer_to_head_has_no_body() -> None:
    _, found, body = refused(head(NAVIGATES, method="HEAD"))
    assert body == ""
    assert int(found["content-length"]) > 1000


@pytest.mark.parametrize("asked", [head(), head(NAVIGATES)])
def test_the_panel_alone_may_frame_it_and_nothing_is_kept(asked: RequestHead) -> None:
    for panel, framed in ((PANEL, f"'self' {PANEL}"), ("", "'self'")):
        _, found, _ = refused(asked, panel=panel)
        assert found["content-security-policy"].endswith(f"frame-ancestors {framed}")
        assert found["cache-control"] == "no-store"
        assert found["referrer-policy"] == "no-referrer"
        assert found["x-content-type-options"] == "nosniff"


def test_a_page_that_waits_may_run_its_script_and_no_other() -> None:
    _, found, body = refused(head(NAVIGATES), retries=True)
    (script,) = re.findall("<script>(.*?)</script>", body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in found["content-security-policy"]
    assert "default-src 'none'" in found["content-security-policy"]


def test_what_was_sent_by_a_form_is_not_sent_again() -> None:
    assert "<script" not in refused(head(NAVIGATES, method="POST"), retries=True)[2]
    assert "<script" not in refused(head(NAVIGATES))[2]


@pytest.mark.parametrize(
    ("options", "links"),
    [
        ({"own": True, "panel": PANEL, "label": LABEL}, True),
        ({"own": False, "panel": PANEL, "label": LABEL}, False),
        ({"own": True, "panel": "", "label": LABEL}, False),
        ({"own": True, "panel": PANEL}, False),
    ],
)
def test_the_workspace_is_linked_for_whose_it_is(options: dict[str, Any], links: bool) -> None:
    found = re.findall('href="(.*?)"', refused(head(NAVIGATES), **options)[2])
    assert found == [f"{PANEL}/w/web/"] * links


def test_programs_are_told_how_to_sign_in_and_when_to_come_back() -> None:
    _, found, _ = refused(head(), SignInRequired("not public"), headers=(("X-Gate", "no"),))
    assert (found["www-authenticate"], found["x-gate"]) == ("Bearer", "no")
    _, found, _ = refused(head(), status=503)
    assert found["retry-after"] == "2"


def test_no_content_has_no_length() -> None:
    assert response(head(), 204, b"", (("A", "b"),)) == b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n"
    assert response(head(), 404, b"", ()).endswith(b"Not Found\r\nContent-Length: 0\r\n\r\n")
