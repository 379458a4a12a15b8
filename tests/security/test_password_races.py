"""Somebody else, such as a thief of a cookie, changes the password at the same time."""

import threading
from collections.abc import Callable

import pytest
from flask import Flask

from orchestrator import accounts
from tests.app_fixtures import PASSWORD
from tests.visitor import Visitor

TAKEN = f"{PASSWORD} taken"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account/password", {"current": PASSWORD, "new": f"{PASSWORD} mine"}),
        ("/account/recovery", {"password": PASSWORD}),
    ],
)
def test_who_comes_second_is_signed_out_and_told_so(
    app: Flask, ann: Visitor, monkeypatch: pytest.MonkeyPatch, path: str, form: dict[str, str]
) -> None:
    other, slow = (Visitor(app, "ann", PASSWORD) for _ in range(2))
    other.sign_in()
    slow.sign_in()  # last: a number below is given to the other's new sign-in
    prove_again: Callable[..., accounts.Entrant] = accounts.prove_again
    pending = [True]

    def slowly(*given: object, **named: object) -> accounts.Entrant:
        proved = prove_again(*given, **named)
        if pending and pending.pop():
            change = {"current": PASSWORD, "new": TAKEN}
            thread = threading.Thread(target=other.post, args=("/account/password", change))
            thread.start()
            thread.join()
        return proved

    monkeypatch.setattr(accounts, "prove_again", slowly)
    assert slow.post(path, form).status_code == 401
    assert not pending
    assert slow.client.get("/api/v1/me").status_code == 401
    assert other.client.get("/api/v1/me").status_code == 200
