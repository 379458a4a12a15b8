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


def test_who_cannot_sign_in_is_told_of_the_operators_doctor(app: Flask) -> None:
    """The page needs a sign-in, and what stands in its way may be a proxy."""
    stranger = app.test_client()
    assert stranger.get("/doctor").status_code == 303
    assert "<code>script/doctor</code>" in stranger.get("/login").text


def test_the_server_says_what_it_sees_of_a_request(ann: Visitor, bob: Visitor) -> None:
    seen = ann.get("/api/v1/doctor/seen", headers={"X-Forwarded-Proto": "https"}).json
    assert (seen["scheme"], seen["host"]) == ("http", "localhost")
    assert seen["forwarded"] == ["X-Forwarded-Proto"], "named, and not believed"
    assert seen["trusted_proxies"] == 0
    assert bob.get("/api/v1/doctor/seen").json["trusted_proxies"] is None


def test_behind_a_trusted_proxy_its_word_counts(
    make_app: Callable[..., Flask], ann: Visitor
) -> None:
    inner = make_app(trusted_proxies=1).test_client()
    secret = ann.client.get_cookie("__Host-rootblood")
    assert secret is not None
    inner.set_cookie("__Host-rootblood", secret.value, domain="127.0.0.1")
    headers = {
        "X-Forwarded-Proto": "https", "X-Forwarded-Host": "panel.example.org",
        "X-Forwarded-For": "192.0.2.7",
    }  # fmt: skip
    seen = inner.get("/api/v1/doctor/seen", headers=headers, base_url="http://127.0.0.1").json
    assert (seen["scheme"], seen["host"]) == ("https", "panel.example.org")
    assert seen["address"] == "192.0.2.7"
    assert seen["secure_cookie"]


def test_the_page_may_ask_previews_and_no_other_host(ann: Visitor, bob: Visitor) -> None:
    answer = ann.get("/doctor")
    policy = dict(
        rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; ")
    )
    hosts = {source.partition("://")[2] for source in policy["connect-src"].split()[1:]}
    assert hosts == {"*.localhost:*"}
    assert policy["frame-ancestors"] == "'none'"
    assert "proxy_pass http://127.0.0.1:8000" in answer.text
    assert "proxy_pass" not in bob.get("/doctor").text, "addresses are the operator's business"


def test_no_host_that_somebody_sends_ends_up_in_a_configuration(ann: Visitor) -> None:
    text = ann.get("/doctor", headers={"Host": "localhost:8000"}).text
    assert "server_name panel.example.org *.apps.example.net;" in text
