import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import delete

from models import KeySlot, Slot, User, db, writing
from orchestrator.errors import EngineUnreachable
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.storage.memory import MemoryStorage
from tests.app_fixtures import PASSWORD
from tests.visitor import Visitor

UNLOCK, LOCK, HOME = "/api/v1/home/unlock", "/api/v1/home/lock", "/api/v1/home"
SignUp = Callable[[str], Visitor]


def home_name(app: Flask, username: str) -> str:
    with app.app_context():
        return home_of(db.session.query(User).filter_by(username=username).one())


def forget_copies(app: Flask) -> None:
    """Leave only the passwords' slots, as of sign-ins from before homes had keys."""
    with app.app_context(), writing():
        db.session.execute(delete(KeySlot).where(KeySlot.kind != Slot.PASSWORD))


def test_a_home_is_described_before_it_is_first_used(app: Flask, sign_up: SignUp) -> None:
    found = sign_up("ann").api("GET", HOME).json
    assert (found["locked"], found["encrypted"], found["capped"]) == (True, True, True)
    assert (found["key_at_hand"], found["recovery"], found["escrow"]) == (True, False, False)
    assert found["used_bytes"] == 0
    assert found["allowance_bytes"] > 0
    assert found["level"] == "ok"
    assert found["jobs"] == []


def test_a_sign_in_and_a_token_open_the_home_by_themselves(
    app: Flask, sign_up: SignUp, platform: Platform, bearer: Callable[[str], dict[str, str]]
) -> None:
    ann = sign_up("ann")
    opened = ann.api("POST", UNLOCK, json={})
    assert (opened.status_code, opened.json["locked"]) == (200, False)
    assert opened.json["unlocked_until"] is not None
    assert platform.storage.unlocked() == {home_name(app, "ann")}
    closed = ann.api("POST", LOCK, json={})
    assert (closed.status_code, closed.json["locked"]) == (200, True)
    assert platform.storage.unlocked() == frozenset()


def test_without_a_copy_of_the_key_the_password_is_asked_for_once(
    app: Flask, sign_up: SignUp, platform: Platform
) -> None:
    ann = sign_up("ann")
    forget_copies(app)
    assert ann.api("GET", HOME).json["key_at_hand"] is False
    refused = ann.api("POST", UNLOCK, json={})
    assert (refused.status_code, refused.json["slug"]) == (409, "home-locked")
    wrong = ann.api("POST", UNLOCK, json={"password": "not the password"})
    assert (wrong.status_code, wrong.json["field"]) == (422, "password")
    assert platform.storage.unlocked() == frozenset()
    assert ann.api("POST", UNLOCK, json={"password": PASSWORD}).json["key_at_hand"] is True
    ann.api("POST", LOCK, json={})
    assert ann.api("POST", UNLOCK, json={}).status_code == 200


def test_starting_a_workspace_without_a_key_says_where_to_unlock(
    app: Flask, sign_up: SignUp
) -> None:
    ann = sign_up("ann")
    forget_copies(app)
    refused = ann.api("POST", "/session", json={})
    assert (refused.status_code, refused.json["slug"]) == (409, "home-locked")
    assert re.search(r"'Home'.*home/unlock", refused.json["hint"])
    ann.api("POST", UNLOCK, json={"password": PASSWORD})
    assert ann.api("POST", "/session", json={}).status_code == 200
    in_use = ann.api("POST", LOCK, json={})
    assert (in_use.status_code, in_use.json["slug"]) == (409, "conflict")


@pytest.mark.parametrize("body", [{"password": 5}, {"password": "x" * 300_000}, {"key": "x"}])
def test_what_is_no_password_is_refused(sign_up: SignUp, body: dict[str, object]) -> None:
    assert sign_up("ann").api("POST", UNLOCK, json=body).status_code == 422


def test_guessing_by_unlocking_is_slowed_down_like_signing_in(
    make_app: Callable[..., Flask],
) -> None:
    ann = Visitor(make_app(rate_limits=True), "ann", PASSWORD)
    ann.register()
    codes = [
        ann.api("POST", UNLOCK, json={"password": f"a wrong password {number}"}).status_code
        for number in range(12)
    ]
    assert codes == [422] * 10 + [429] * 2


def test_a_silent_engine_that_keeps_the_homes_takes_no_page_down(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> None:
        raise EngineUnreachable

    storage = MemoryStorage(frozenset())  # as plain homes are: neither encrypted nor capped
    for asked in ("unlocked", "is_unlocked", "usage", "capacity"):
        monkeypatch.setattr(storage, asked, silent)
    ann = Visitor(make_app(storage=storage), "ann", PASSWORD)
    ann.register()
    found = ann.api("GET", HOME)
    assert (found.status_code, found.json["locked"], found.json["capped"]) == (200, False, False)
    assert ann.get("/home").status_code == ann.get("/").status_code == 200
