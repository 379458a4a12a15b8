from collections.abc import Callable
from dataclasses import replace

from flask import Flask

from orchestrator.platform import Platform
from orchestrator.storage.memory import MemoryStorage
from tests.visitor import Visitor

SAID = "Homes are neither encrypted nor capped on this server"


def bare(app: Flask) -> Platform:
    """Let homes be kept as plain volumes are."""
    platform = replace(app.extensions["rootblood"], storage=MemoryStorage(frozenset()))
    app.extensions["rootblood"] = platform
    return platform


def test_everybody_reads_what_is_so_and_administrators_what_to_do(
    app: Flask, ann: Visitor, bob: Visitor
) -> None:
    bare(app)
    for person, hints in ((ann, True), (bob, False)):
        assert SAID in person.get("/doctor").text
        assert ("ROOTBLOOD_BACKUP_URL" in person.get("/doctor").text) is hints
        found = person.get("/api/v1/doctor").json["findings"]
        (storage,) = [one for one in found if one["name"] == "storage"]
        assert storage["verdict"] == "warn"
        assert any(one["hint"] for one in found) is hints


def test_the_dashboard_warns_where_nothing_protects_homes(
    app: Flask, ann: Visitor, sign_up: Callable[..., Visitor]
) -> None:
    assert SAID not in ann.get("/").text
    bare(app)
    page = ann.get("/").text
    assert SAID in page
    assert '<a class="link" href="/doctor">' in page
    assert SAID not in app.test_client().get("/").text, "a stranger has no home here"
    assert SAID not in ann.get("/account").text
