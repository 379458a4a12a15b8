"""Who may speak git to the server, and what everybody else is told."""

from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models import User
from orchestrator.platform import TRANSFERS_EACH, Platform
from tests.visitor import Visitor

REFS = "/git/ann/hello.git/info/refs?service=git-receive-pack"
Bearer = Callable[[str], dict[str, str]]


def basic(headers: dict[str, str], name: str = "ann") -> dict[str, str]:
    """The token of a Bearer header as git sends it: as a password."""
    secret = headers["Authorization"].removeprefix("Bearer ")
    return {"Authorization": "Basic " + b64encode(f"{name}:{secret}".encode()).decode()}


def test_a_token_is_a_password_whatever_the_name(client: FlaskClient, bearer: Bearer) -> None:
    for name in ("ann", "x", ""):
        answer = client.get(REFS, headers=basic(bearer("ann"), name))
        assert answer.status_code == 200
        assert answer.data.startswith(b"001f# service=git-receive-pack\n0000")
        assert answer.mimetype == "application/x-git-receive-pack-advertisement"
        assert "no-cache" in answer.headers["Cache-Control"]


def test_a_browsers_cookie_counts_for_nothing(sign_up: Callable[[str], Visitor]) -> None:
    answer = sign_up("ann").client.get(REFS)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.mimetype == "text/plain"


@pytest.mark.parametrize("secret", ["wrong", "", "rb_" + "x" * 5000])
def test_a_wrong_password_is_nobodys(client: FlaskClient, secret: str) -> None:
    value = b64encode(f"ann:{secret}".encode()).decode()
    assert client.get(REFS, headers={"Authorization": f"Basic {value}"}).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/git/bob/hello.git/info/refs", "/git/ann/..%2f..%2fx/info/refs", "/git/ann/-x/info/refs",
     "/git/ann/a%0ab/info/refs", "/git/-ann/x/info/refs", "/git/ann/x.lock/info/refs"],
)  # fmt: skip
@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_what_there_cannot_be_is_not_there(
    client: FlaskClient, bearer: Bearer, path: str, service: str
) -> None:
    answer = client.get(f"{path}?service={service}", headers=basic(bearer("ann")))
    assert answer.status_code == 404


@pytest.mark.parametrize("service", ["", "git-upload-archive", "--help", "git-upload-pack%00"])
def test_only_the_smart_services_are_there(
    client: FlaskClient, bearer: Bearer, service: str
) -> None:
    path = f"/git/ann/hello.git/info/refs?service={service}"
    assert client.get(path, headers=basic(bearer("ann"))).status_code == 403
    for file in ("HEAD", "objects/info/packs", "config"):
        assert client.get(f"/git/ann/hello.git/{file}").status_code == 404


def test_a_form_cannot_push(client: FlaskClient, bearer: Bearer) -> None:
    path = "/git/ann/hello.git/git-receive-pack"
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        answer = client.post(path, headers=basic(bearer("ann")), data=b"0000", content_type=kind)
        assert answer.status_code == 422


def test_a_header_does_not_make_a_door(client: FlaskClient) -> None:
    headers = {"rootblood.door": "x", "Rootblood-Door": "x"}
    assert client.get(REFS, headers=headers).status_code == 401


def test_who_has_too_many_under_way_is_told_when_to_come_back(
    app: Flask, client: FlaskClient, platform: Platform, bearer: Bearer
) -> None:
    headers = basic(bearer("ann"))
    with app.app_context():
        ann = User.query.filter_by(username="ann").one().id
    with ExitStack() as under_way:
        for _ in range(TRANSFERS_EACH):
            under_way.enter_context(platform.transfers.one(ann))
        answer = client.get(REFS, headers=headers)
    assert answer.status_code == 429
    assert answer.mimetype == "text/plain"
    assert "Wait until some of yours have ended" in answer.text
    assert int(answer.headers["Retry-After"]) > 0
    for _ in range(TRANSFERS_EACH + 1):
        assert client.get(REFS, headers=headers).status_code == 200
