"""The panel's part in opening a preview."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from models import Audience, User, db, utcnow
from orchestrator import workspaces
from orchestrator.previews import Label, panels, shares
from orchestrator.workspaces import Actor
from tests.visitor import Visitor
from web.opening import gate_of

STATE = "a" * 64
OPEN = "/apps/open?host=5173--web--bob"


def share(app: Flask, audience: Audience) -> None:
    with app.app_context():
        bob = db.session.query(User).filter_by(username="bob").one()
        (row,) = workspaces.of_user(bob)
        shares.change(
            app.extensions["rootblood"], row, 5173, audience, None, utcnow(), Actor("bob")
        )


def signed_in_at(origin: str, app: Flask, bob: Visitor) -> Visitor:
    """Return Bob's browser where it sees the panel at ``origin``."""
    visitor = Visitor(app, "bob", bob.password)
    visitor.get("/login", base_url=origin)
    form = {"username": "bob", "password": bob.password}
    assert visitor.post("/login", form, base_url=origin).status_code == 303
    return visitor


def onward(answer: TestResponse) -> tuple[str, dict[str, str]]:
    """Return where a redirect leads, and with what."""
    assert answer.status_code == 303, answer.text
    parts = urlsplit(answer.location)
    query = {name: text for name, (text,) in parse_qs(parts.query).items()}
    return f"{parts.scheme}://{parts.netloc}{parts.path}", query


def test_a_link_leads_to_the_previews_origin_with_a_proof_of_the_panels(
    app: Flask, bob: Visitor, bobs: str
) -> None:
    where, given = onward(bob.get(f"{OPEN}&to=/a%3Fb%3Dc", base_url="http://localhost:8000"))
    assert where == "http://5173--web--bob.localhost:8000/.rootblood/begin"
    assert given["to"] == "/a?b=c"
    label = Label(5173, "web", "bob")
    secret = app.config["SECRET_KEY"]
    assert panels.proven(secret, label, given["panel"], utcnow()) == "http://localhost:8000"


def test_where_the_panel_is_known_no_other_address_gives_tickets_or_proofs(
    app: Flask, bob: Visitor, bobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is asked by another name has only the asker's word for it."""
    monkeypatch.setattr(gate_of(app), "panel_url", "http://localhost:8000")
    for path in (OPEN, f"{OPEN}&state={STATE}"):
        assert bob.get(path, base_url="http://localhost:8000").status_code == 303
        for origin in ("http://localhost:8001", "http://localhost", "https://localhost:8000"):
            assert bob.get(path, base_url=origin).status_code == 403, origin
    label = Label(5173, "web", "bob")
    proof = gate_of(app).prove_panel(label, "http://evil.test")
    assert gate_of(app).panel(label, "http", f"{label}.localhost", proof) == "http://localhost:8000"


@pytest.mark.parametrize("host", ["localhost:8000", "panel.localhost", "127.0.0.1", "[::1]:8000"])
def test_without_a_setting_the_panel_is_on_the_browsers_own_machine(
    app: Flask, bob: Visitor, bobs: str, host: str
) -> None:
    page = signed_in_at(f"http://{host}", app, bob).get(OPEN, base_url=f"http://{host}")
    assert page.status_code == 303


@pytest.mark.parametrize(
    "host", ["evil.test", "192.0.2.7:8000", "notlocalhost", "localhost.evil.test", "127.0.0.1.evil"]
)
def test_no_other_name_of_the_server_leads_into_previews(
    app: Flask, bob: Visitor, bobs: str, host: str
) -> None:
    """Whoever connects may say any ``Host``, and would be given a proof that it is the panel's."""
    visitor = signed_in_at(f"http://{host}", app, bob)
    for path in (OPEN, f"{OPEN}&state={STATE}"):
        page = visitor.get(path, base_url=f"http://{host}")
        assert (page.status_code, "ROOTBLOOD_PANEL_URL" in page.text) == (403, True)


def test_a_panel_proves_nothing_for_another_ports_previews(app: Flask) -> None:
    label, gate = Label(5173, "web", "bob"), gate_of(app)
    for panel, port, where in (
        ("http://127.0.0.1:8000", 8000, "http://127.0.0.1:8000"),
        ("http://localhost:6666", 8000, "http://localhost:8000"),
        ("https://localhost:8000", 8000, "http://localhost:8000"),
    ):
        proof = gate.prove_panel(label, panel)
        assert gate.panel(label, "http", f"{label}.localhost:{port}", proof) == where


def test_a_state_is_answered_with_a_ticket(bob: Visitor, bobs: str) -> None:
    answer = bob.get(f"{OPEN}&state={STATE}&to=/x")
    where, given = onward(answer)
    assert where == "http://5173--web--bob.localhost/.rootblood/enter"
    assert set(given) == {"to", "ticket"}
    assert len(given["ticket"]) == 43
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("dest", ["iframe", "frame", "object", "embed"])
def test_only_the_panels_own_page_opens_previews_in_frames(
    bob: Visitor, bobs: str, dest: str
) -> None:
    with_state = f"{OPEN}&state={STATE}"
    proof = onward(bob.get(OPEN))[1]["panel"]
    for site, status in (("same-origin", 303), ("same-site", 403), ("cross-site", 403)):
        headers = {"Sec-Fetch-Dest": dest, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
        assert bob.get(OPEN, headers=headers).status_code == status
        assert bob.get(with_state, headers=headers).status_code == status
        # The preview's origin, which is another, has had its turn, and brings what it was given.
        assert bob.get(f"{with_state}&panel={proof}", headers=headers).status_code == 303
        assert bob.get(f"{OPEN}&panel={proof}", headers=headers).status_code == status


def test_who_is_not_signed_in_signs_in_first_and_is_led_on(
    app: Flask, bob: Visitor, bobs: str
) -> None:
    browser = Visitor(app, "bob", bob.password)
    path = f"{OPEN}&state={STATE}&to=/x"
    answer = browser.get(path)
    assert answer.location == f"/login?next={quote(path, safe='')}"
    page = browser.get(answer.location)
    # The policy of the form's page holds for all redirects that answer it.
    assert "form-action 'self' http://*.localhost;" in page.headers["Content-Security-Policy"]
    form = {"username": "bob", "password": bob.password, "next": path}
    assert browser.post("/login", form).location == path


def test_other_sign_in_pages_keep_their_forms_here(app: Flask) -> None:
    for path in ("/login", "/login?next=/apps/other", "/login?next=https://x/apps/open?"):
        policy = app.test_client().get(path).headers["Content-Security-Policy"]
        assert "form-action 'self';" in policy


def test_another_persons_private_preview_is_as_absent_as_one_that_never_was(
    app: Flask, carl: Visitor, bobs: str
) -> None:
    pages = [
        carl.get(f"/apps/open?host={host}&state={STATE}")
        for host in (
            "5173--web--bob",
            "5173--none--bob",
            "5173--web--nobody",
            "x",
            "7681--web--bob",
        )
    ]
    assert {page.status_code for page in pages} == {404}
    assert len({page.text.partition("<main")[2] for page in pages}) == 1
    share(app, Audience.USERS)
    assert onward(carl.get(f"{OPEN}&state={STATE}"))[0].endswith("/.rootblood/enter")
    share(app, Audience.PRIVATE)
    assert carl.get(f"{OPEN}&state={STATE}").status_code == 404


def test_an_administrator_has_no_key_to_private_previews(ann: Visitor, bobs: str) -> None:
    assert ann.get(f"{OPEN}&state={STATE}").status_code == 404


@pytest.mark.parametrize("state", ["", "x", STATE[:-1], STATE.upper(), STATE + "\n"])
def test_what_is_no_state_gets_no_ticket(bob: Visitor, bobs: str, state: str) -> None:
    assert bob.get(f"{OPEN}&state={quote(state)}").status_code == 422


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "\\\\evil", "x", "/a\nb"])
def test_it_leads_to_paths_of_the_preview_alone(bob: Visitor, bobs: str, to: str) -> None:
    where, given = onward(bob.get(f"{OPEN}&state={STATE}&to={quote(to)}"))
    assert where == "http://5173--web--bob.localhost/.rootblood/enter"
    assert given["to"] == "/"


def test_a_script_gets_no_ticket(bob: Visitor, bobs: str) -> None:
    for mode in ("cors", "no-cors", "same-origin", "websocket"):
        answer = bob.get(f"{OPEN}&state={STATE}", headers={"Sec-Fetch-Mode": mode})
        assert answer.status_code == 403


def test_a_token_gets_no_ticket(app: Flask, bob: Visitor, bobs: str, bearer) -> None:
    answer = app.test_client().get(f"{OPEN}&state={STATE}", headers=bearer("bob"))
    assert answer.status_code == 403
