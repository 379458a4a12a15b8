import pytest
from flask import Flask

from models import Berth, Template, db, writing
from orchestrator import apps
from orchestrator.apps import CODE_SERVER, App
from orchestrator.previews.berths import AppsPorts
from tests.visitor import Visitor
from web.opening import gate_of

ONE = "/api/v1/workspaces/web/apps"
DOCS = App("docs", "Docs & more", "book-open", 8000, "/", ("python3", "-m", "http.server"))


@pytest.fixture(autouse=True)
def named(app: Flask, bobs: str) -> None:
    """Let the template of Bob's workspace name an app."""
    with app.app_context(), writing():
        template = db.session.query(Template).filter_by(name="chaospine").one()
        template.apps = apps.stored([DOCS, CODE_SERVER])


def test_apps_are_listed_with_where_they_are(bob: Visitor) -> None:
    docs, absent = bob.api("GET", ONE, base_url="http://localhost:8000").json["apps"]
    assert absent["state"] == "absent"
    assert docs == {
        "id": "docs", "title": "Docs & more", "icon": "book-open", "port": 8000,
        "state": "stopped", "reason": "", "log": "",
        "url": "http://8000--web--bob.localhost:8000/",
        "path": "/apps/open?host=8000--web--bob", "page": "/w/web/apps/docs",
    }  # fmt: skip


def test_a_look_at_them_takes_no_port_of_a_host_that_all_share(
    app: Flask, bob: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = AppsPorts("apps.test", range(9000, 9001), app.app_context)
    monkeypatch.setattr(gate_of(app), "domain", ports)
    docs, _ = bob.api("GET", ONE, base_url="http://localhost:8000").json["apps"]
    assert docs["url"] == "http://localhost:8000/apps/open?host=8000--web--bob"
    with app.app_context():
        assert db.session.query(Berth).count() == 0


def test_one_that_there_is_not_is_not_found(bob: Visitor, carl: Visitor) -> None:
    for verb in ("start", "stop"):
        assert bob.api("POST", f"{ONE}/other/{verb}").status_code == 404
        assert carl.api("POST", f"{ONE}/docs/{verb}").status_code == 404
    assert carl.api("GET", ONE).status_code == 404
    assert bob.get("/w/web/apps/other").status_code == 404
    assert carl.get("/w/web/apps/docs").status_code == 404


def test_to_start_one_wakes_its_workspace(app: Flask, bob: Visitor) -> None:
    answer = bob.api("POST", f"{ONE}/docs/start")
    assert answer.json["slug"] == "engine-error", "the engine of these tests has no python"
    assert bob.api("GET", "/api/v1/workspaces/web").json["state"] == "running"


def test_the_page_names_the_app_and_its_workspace(bob: Visitor) -> None:
    page = bob.get("/w/web/apps/docs").text
    assert "Starting Docs &amp; more" in page
    boot = '{"asks": false, "id": "docs", "title": "Docs \\u0026 more", "workspace": "web"}'
    assert boot in page


@pytest.mark.parametrize(
    ("site", "asks"),
    [("cross-site", True), ("same-site", True), ("same-origin", False), ("none", False)],
)
def test_where_another_site_led_the_page_asks_first(bob: Visitor, site: str, asks: bool) -> None:
    page = bob.get("/w/web/apps/docs", headers={"Sec-Fetch-Site": site}).text
    assert ('"asks": true' in page, "Start Docs &amp; more?" in page) == (asks, asks)


def test_templates_say_which_apps_they_have(bob: Visitor) -> None:
    found = {
        one["name"]: one["apps"] for one in bob.api("GET", "/api/v1/templates").json["templates"]
    }
    assert [(one["id"], one["installed"]) for one in found["chaospine"]] == [
        ("docs", True),
        ("code-server", False),
    ]


def test_administrators_edit_them_as_lines(ann: Visitor, bob: Visitor) -> None:
    form = {
        "title": "Chaospine", "description": "", "image": "chaospine:1.0.0", "cpus": "1",
        "memory_mib": "1024", "pids": "512", "ports": "", "enabled": "on",
        "apps": "lab | Lab | box | 8888 | /api | lab --port 8888",
    }  # fmt: skip
    ann.get("/admin/templates")
    assert ann.post("/admin/templates/chaospine", form).status_code == 303
    assert "lab | Lab | box | 8888 | /api | lab --port 8888" in ann.get("/admin/templates").text
    (app,) = bob.api("GET", ONE).json["apps"]
    assert (app["id"], app["port"]) == ("lab", 8888)
    refused = ann.post("/admin/templates/chaospine", form | {"apps": "lab"})
    assert refused.status_code == 422
    assert "That is not an app" in refused.text
