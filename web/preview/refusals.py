"""What a preview's origin answers where no app does: pages for people, documents for programs."""

import base64
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from orchestrator.errors import RootBloodError
from orchestrator.previews import RESERVED, Label
from web.heads import RequestHead
from web.preview.clients import navigates
from web.problems import document

LISTENING = f"{RESERVED}listening"
"""Says whether the app answers by now; asked by the page that waits for it."""

# Static, so that the policy can name it by its hash.
_SCRIPT = f"""
setInterval(async () => {{
  const asked = await fetch("{LISTENING}", {{cache: "no-store"}}).catch(() => null);
  if (asked && asked.status === 204) location.reload();
}}, 1000);
"""
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parents[2] / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_BY_STATUS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "2"}}
COMMON = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What all answers of ours say."""
Headers = Iterable[tuple[str, str]]


def wants_page(head: RequestHead) -> bool:
    """Return whether a browser is to show the answer to a person."""
    return head.method in (b"GET", b"HEAD", b"POST") and navigates(head.fields)


def refusal(
    head: RequestHead,
    error: RootBloodError,
    *,
    status: int | None = None,
    headers: Headers = (),
    label: Label | None = None,
    panel: str = "",
    own: bool = False,
    retries: bool = False,
) -> bytes:
    """Return the whole answer, but for the fields of the connection's state.

    ``panel`` is the panel's origin where it is known: it may frame the page. ``own``: the
    workspace is the viewer's, so the page links to it. ``retries``: a page opens the app by
    itself as soon as something listens.
    """
    problem = document(error)
    problem["status"] = status = status or problem["status"]
    fields = _ours(panel) | dict(headers) | _BY_STATUS.get(status, {})
    if not wants_page(head):
        fields["Content-Type"] = "application/problem+json"
        return response(head, status, json.dumps(problem).encode(), fields.items())
    retries = retries and head.method == b"GET"
    page = _TEMPLATES.get_template("preview.html").render(
        problem=problem,
        label=label,
        link=f"{panel}/w/{label.workspace}/" if own and panel and label else "",
        script=_SCRIPT if retries else "",
    )
    fields["Content-Type"] = "text/html; charset=utf-8"
    return response(head, status, page.encode(), fields.items())


def response(head: RequestHead, status: int, body: bytes, headers: Headers) -> bytes:
    """Return an answer of ours as its bytes."""
    fields = [*headers, ("Content-Length", str(len(body)))]
    if status == HTTPStatus.NO_CONTENT:
        fields.pop()
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += (f"{name}: {value}" for name, value in fields)
    whole = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return whole if head.method == b"HEAD" else whole + body


def _ours(panel: str) -> dict[str, str]:
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {script_hash(_SCRIPT)}; "
        f"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self' {panel}"
    )
    return {
        "Content-Security-Policy": policy.rstrip(),
        **COMMON,
    }


@cache
def script_hash(script: str) -> str:
    """Return a script, as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
