"""What people see of keys: the warning beforehand, the code once, the way back in."""

import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask

from models import Slot
from orchestrator import keys
from orchestrator.keys import Proof
from orchestrator.settings import Settings
from orchestrator.storage import Feature
from tests.app_fixtures import PASSWORD
from tests.visitor import Visitor
from web.identity import actor, caller

NEW = "another fine password"
LOST = "your files cannot be opened by anyone"


def shown_code(page: str) -> str:
    return re.search(r'id="recovery-code">([0-9A-Z-]{34})<', page)[1]


def key_of(app: Flask, who: Visitor, password: str = PASSWORD) -> bytes:
    """Return the key of a visitor's home, who is signed in."""
    with who.client:
        assert who.get("/api/v1/me").status_code == 200
        key = keys.key_of(caller().user, Proof(Slot.PASSWORD, None, password))
        assert key is not None
        return key


def by_request(who: Visitor, **given: object) -> bytes | None:
    """Return the key that a request of theirs opens."""
    with who.client:
        assert who.get("/api/v1/me", **given).status_code == 200
        assert actor().proof == caller().proof
        assert caller().proof.secret not in repr([caller(), actor()])
        return keys.key_of(caller().user, actor().proof)


def test_cookie_and_token_open_their_owners_home_with_every_request(
    app: Flask, ann: Visitor
) -> None:
    key = key_of(app, ann)
    assert by_request(ann) == key
    body = {"username": "ann", "password": PASSWORD, "name": "laptop"}
    by_api = ann.client.post("/api/v1/tokens", json=body).json["token"]
    page = ann.post("/account/tokens", {"name": "ci", "days": "7"}).text
    by_form = re.search(r'id="new-token">(rb_[\w-]+)<', page)[1]
    stranger = Visitor(app, "", "")
    for secret in (by_api, by_form):
        headers = {"Authorization": f"Bearer {secret}"}
        assert by_request(stranger, headers=headers) == key
    assert ann.post("/account/password", {"current": PASSWORD, "new": NEW}).status_code == 303
    assert by_request(ann) == key
    for secret in (by_api, by_form):
        assert by_request(stranger, headers={"Authorization": f"Bearer {secret}"}) == key


def test_sign_up_warns_before_the_account_exists(app: Flask) -> None:
    page = app.test_client().get("/register").text
    assert LOST in page
    assert "escrow" not in page
    assert '<input type="checkbox" name="recovery">' in page, "it is offered, not forced"


def test_where_homes_are_not_encrypted_nobody_is_told_so(app: Flask, ann: Visitor) -> None:
    storage = app.extensions["rootblood"].storage
    storage.features = storage.features - {Feature.ENCRYPTED}
    for page in (app.test_client().get("/register").text, ann.get("/account").text):
        assert LOST not in page
        assert "is encrypted with your password" not in page


def test_a_code_is_shown_once_to_who_wants_one(app: Flask) -> None:
    ann = Visitor(app, "ann", PASSWORD)
    ann.get("/register")
    form = {"username": "ann", "password": PASSWORD, "recovery": "on"}
    answer = ann.post("/register", form)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    code = shown_code(answer.text)
    saved = unquote(re.search(r'href="data:text/plain;charset=utf-8,([^"]+)"', answer.text)[1])
    assert code in saved
    assert "ann" in saved
    assert "data-print" in answer.text
    page = ann.get("/account").text
    assert code not in page
    assert "has a code" in page


def test_the_api_gives_a_code_to_who_asks(app: Flask) -> None:
    client, who = app.test_client(), {"username": "ann", "password": PASSWORD}
    answer = client.post("/api/v1/users", json=who | {"recovery": True})
    assert len(answer.json["recovery_code"]) == 34
    other = client.post("/api/v1/users", json={"username": "bob", "password": PASSWORD})
    assert other.json["recovery_code"] is None


@pytest.fixture
def code(ann: Visitor) -> str:
    ann.get("/account")
    answer = ann.post("/account/recovery", {"password": PASSWORD})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    return shown_code(answer.text)


def test_who_lost_the_password_comes_back_to_the_same_home(
    app: Flask, ann: Visitor, code: str
) -> None:
    key = key_of(app, ann)
    assert 'href="/recover"' in app.test_client().get("/login").text
    back = Visitor(app, "ann", NEW)
    back.get("/recover")
    answer = back.post("/recover", {"username": "ann", "code": code.lower(), "new": NEW})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    fresh = shown_code(answer.text)
    assert fresh != code
    assert by_request(back) == key
    assert ann.get("/api/v1/me").status_code == 401, "every other sign-in ended"
    assert ann.sign_in().status_code == 401
    again = Visitor(app, "ann", PASSWORD)
    again.get("/recover")
    form = {"username": "ann", "new": PASSWORD}
    assert again.post("/recover", form | {"code": code}).status_code == 401
    assert again.post("/recover", form | {"code": fresh}).status_code == 200


def test_a_wrong_code_and_an_unknown_user_are_answered_alike(
    app: Flask, ann: Visitor, code: str
) -> None:
    visitor = Visitor(app, "", "")
    visitor.get("/recover")
    pages = set()
    for name, tried in (("ann", "0" * 28), ("nobody-here", code), ("ann", "")):
        form = {"username": name, "code": tried, "new": NEW}
        answer = visitor.post("/recover", form)
        assert answer.status_code == 401
        assert NEW not in answer.text
        pages.add(re.search(r'role="alert">.*?</div>', answer.text, re.DOTALL)[0])
    assert len(pages) == 1


def test_guessing_codes_has_the_limit_of_guessing_passwords(
    app: Flask, ann: Visitor, code: str
) -> None:
    visitor = Visitor(app, "ann", PASSWORD)
    visitor.get("/recover")
    form = {"username": "ann", "new": NEW}
    answers = [visitor.post("/recover", form | {"code": "0" * 28}).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    assert visitor.post("/recover", form | {"code": code}).status_code == 429
    assert visitor.sign_in().status_code == 429


def test_a_new_code_takes_the_password(ann: Visitor) -> None:
    ann.get("/account")
    answers = [ann.post("/account/recovery", {"password": "wrong"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert "not your present password" in answers[0].text
    assert "no code" in ann.get("/account").text


@pytest.fixture
def escrowing(make_app: Callable[..., Flask], settings: Settings) -> Flask:
    """A server on the same database whose operator keeps copies."""
    public = rsa.generate_private_key(public_exponent=65537, key_size=3072).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (settings.data_dir / "escrow.pem").write_bytes(pem)
    return make_app(escrow=True)


def test_people_see_that_escrow_is_on(escrowing: Flask, ann: Visitor) -> None:
    page = escrowing.test_client().get("/register").text
    assert "whoever operates it can open your files" in page
    assert LOST not in page
    visitor = Visitor(escrowing, "ann", PASSWORD)
    assert "in escrow" not in ann.get("/account").text
    visitor.sign_in()
    assert "has a copy of your home’s key in escrow" in visitor.get("/account").text
