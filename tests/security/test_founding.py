"""Who may make the first account: never a web page that points its own name at this machine."""

import pytest
from flask import Flask

from tests.app_fixtures import PASSWORD


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:8000", "localhost.example"])
def test_a_page_elsewhere_cannot_found_a_server_on_loopback(app: Flask, host: str) -> None:
    client = app.test_client()
    founder = {"username": "mallory", "password": PASSWORD}
    answer = client.post("/api/v1/users", json=founder, headers={"Host": host})
    assert (answer.status_code, answer.json["slug"]) == (403, "forbidden")
    first = client.post("/api/v1/users", json={"username": "ann", "password": PASSWORD})
    assert (first.status_code, first.json["role"]) == (201, "admin")
    # Later accounts have no power over anybody, and LAN names of one's own machine are common.
    later = client.post("/api/v1/users", json=founder, headers={"Host": host})
    assert (later.status_code, later.json["role"]) == (201, "user")
