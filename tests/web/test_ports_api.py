from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from models import utcnow
from orchestrator.errors import EngineUnreachable
from tests.engine import WatchedEngine
from tests.visitor import Visitor

ONE = "/api/v1/workspaces/web/ports"


def put(visitor: Visitor, port: int = 5173, **body: object) -> dict:
    answer = visitor.api("PUT", f"{ONE}/{port}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_ports_are_listed_with_their_addresses(
    app: Flask, engine: WatchedEngine, bob: Visitor, bobs: str
) -> None:
    assert bob.api("GET", ONE).json == {"known": True, "ports": []}
    bob.api("POST", "/api/v1/workspaces/web/start")
    engine.listen(5173)
    (port,) = bob.api("GET", ONE, base_url="http://localhost:8000").json["ports"]
    assert port == {
        "port": 5173, "listening": True, "address": "127.0.0.1", "command": "memory",
        "share": "private", "expires": None, "url": "http://5173--web--bob.localhost:8000/",
        "path": "/apps/open?host=5173--web--bob", "guests": [],
    }  # fmt: skip


def test_a_port_is_shared_until_a_moment(bob: Visitor, bobs: str) -> None:
    until = (utcnow() + timedelta(hours=1)).isoformat()
    port = put(bob, share="users", expires=until)
    assert (port["share"], port["listening"]) == ("users", False)
    assert datetime.fromisoformat(port["expires"]) == datetime.fromisoformat(until)
    assert port["url"] == "http://5173--web--bob.localhost/"
    (row,) = bob.api("GET", "/api/v1/workspaces").json["workspaces"]
    assert row["shared"] == [
        {
            "port": 5173,
            "share": "users",
            "expires": port["expires"],
            "path": "/apps/open?host=5173--web--bob",
        }
    ]
    assert put(bob, share="private", expires=until)["expires"] is None
    assert bob.api("GET", ONE).json["ports"] == []


def test_what_listens_is_unknown_while_the_engine_does_not_answer(
    engine: WatchedEngine, bob: Visitor, bobs: str
) -> None:
    bob.api("POST", "/api/v1/workspaces/web/start")
    put(bob, share="users")
    engine.failing["listeners"] = EngineUnreachable()
    answer = bob.api("GET", ONE).json
    assert (answer["known"], [port["listening"] for port in answer["ports"]]) == (False, [None])
    assert put(bob, share="public")["listening"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"share": "all"}, "share"),
        ({"share": None}, "share"),
        ({"share": "users", "expires": "tomorrow"}, "expires"),
        ({"share": "users", "expires": 4102444800}, "expires"),
        ({"share": "users", "expires": "2100-01-01T00:00:00"}, "expires"),
        ({"share": "users", "expires": "2001-01-01T00:00:00Z"}, "expires"),
        ({"share": "users", "expires": "9999-12-31T23:59:59-23:59"}, "expires"),
        ({"share": "users", "expires": "0001-01-01T00:00:00+23:59"}, "expires"),
        ({"share": "users", "port": 80}, "port"),
    ],
)
def test_what_cannot_be_shared_so_is_refused(
    bob: Visitor, bobs: str, body: dict, field: str
) -> None:
    answer = bob.api("PUT", f"{ONE}/5173", json=body)
    assert answer.status_code == 422
    assert answer.json["field"] == field


@pytest.mark.parametrize("port", [0, 7681, 65536, 2**31 - 1])
def test_some_numbers_are_no_ports(bob: Visitor, bobs: str, port: int) -> None:
    answer = bob.api("PUT", f"{ONE}/{port}", json={"share": "public"})
    assert (answer.status_code, answer.json["field"]) == (422, "port")


def test_moments_may_have_any_zone(bob: Visitor, bobs: str) -> None:
    port = put(bob, share="public", expires="2100-01-01T02:00:00+02:00")
    assert datetime.fromisoformat(port["expires"]) == datetime(2100, 1, 1, tzinfo=UTC)


def test_without_a_domain_of_their_own_only_shared_ports_take_an_address(
    make_app: Callable[..., Flask], engine: WatchedEngine, bob: Visitor, bobs: str
) -> None:
    bob.api("POST", "/api/v1/workspaces/web/start")
    app = make_app(engine=engine, apps_host="apps.example", apps_ports="9000-9000")
    visitor = Visitor(app, "bob", bob.password)
    visitor.sign_in()
    for port in (5173, 5174, 5175):
        engine.listen(port)
    by_the_panel = [f"http://localhost/apps/open?host={port}--web--bob" for port in (5173, 5175)]
    assert put(visitor, 5174, share="users")["url"] == "http://apps.example:9000/"
    urls = [port["url"] for port in visitor.api("GET", ONE).json["ports"]]
    assert urls == [by_the_panel[0], "http://apps.example:9000/", by_the_panel[1]]
    full = put(visitor, 5173, share="users")
    assert (full["share"], full["url"]) == ("users", by_the_panel[0])
