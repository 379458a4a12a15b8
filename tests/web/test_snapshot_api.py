"""The routes of snapshots, with a real restic on directories of this machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from models import User
from orchestrator import time_travel
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from tests.local_restic import home_directory
from web.api import snapshots as routes

SNAPSHOTS = "/api/v1/home/snapshots"


@pytest.fixture
def platform(local_platform: Platform) -> Platform:
    return local_platform


@pytest.fixture
def home(app: Flask, platform: Platform, bearer: Callable[[str], dict[str, str]]) -> Path:
    bearer("ann")
    with app.app_context():
        user = User.query.filter_by(username="ann").one()
        found = home_directory(platform, user)
        platform.keyring.put(home_of(user), bytes(32))
    (found / "notes.txt").write_text("one\n")
    return found


@pytest.fixture
def ask(app: Flask, home: Path, bearer: Callable[[str], dict[str, str]]) -> Callable[..., Any]:
    """Return ``ask(method, path, **json)``: what Ann is answered."""
    headers, client = bearer("ann"), app.test_client()

    def call(method: str, url: str, /, **body: object) -> Any:
        sent = {"json": body} if body or method == "POST" else {}
        return client.open(url, method=method, headers=headers, **sent)

    return call


@pytest.mark.slow
def test_taken_looked_into_and_restored(ask: Callable[..., Any], home: Path) -> None:
    made = ask("POST", SNAPSHOTS, note="first")
    assert made.status_code == 201
    row = made.json
    assert (row["note"], row["reason"], row["consistent"]) == ("first", "manual", True)
    (file,) = ask("GET", f"{SNAPSHOTS}/{row['id']}/files").json["files"]
    assert (file["path"], file["type"], file["size_bytes"]) == ("notes.txt", "file", 4)
    (home / "notes.txt").write_text("two\n")
    diff = ask("GET", f"/api/v1/home/diff?path=notes.txt&older={row['id']}").json
    assert "-one\n+two\n" in diff["text"]
    sent = ask("GET", f"{SNAPSHOTS}/{row['id']}/content?path=notes.txt")
    assert sent.data == b"one\n"
    assert sent.headers["Content-Disposition"] == "attachment; filename*=UTF-8''notes.txt"
    assert sent.headers["X-Content-Type-Options"] == "nosniff"
    assert sent.mimetype == "application/octet-stream"
    job = ask("POST", f"{SNAPSHOTS}/{row['id']}/restore", path="notes.txt", safety=False)
    assert (job.status_code, job.json["state"], job.json["error"]) == (200, "done", None)
    assert (home / "notes.txt").read_text() == "one\n"
    shown = ask("GET", "/api/v1/home").json
    assert [one["kind"] for one in shown["jobs"]] == ["restore", "snapshot"]
    assert shown["split"]["snapshots_bytes"] > 0


def test_what_takes_long_is_answered_by_a_job(
    ask: Callable[..., Any], platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "PATIENCE_SECONDS", 0.0)
    accepted = ask("POST", SNAPSHOTS)
    assert accepted.status_code == 202
    url = accepted.headers["Location"]
    assert url == f"/api/v1/home/jobs/{accepted.json['id']}"
    busy = ask("POST", SNAPSHOTS)
    assert (busy.status_code, busy.json["slug"]) == (409, "home-busy")
    (user_id,) = platform.jobs.running()
    platform.jobs.find(user_id, accepted.json["id"]).ended.wait(60.0)
    job = ask("GET", url).json
    assert (job["state"], job["percent"]) == ("done", 100.0)
    assert ask("GET", SNAPSHOTS).json["snapshots"][0]["id"] == job["snapshot_id"]


@pytest.mark.parametrize(
    ("method", "path", "body", "slug"),
    [
        ("GET", f"{SNAPSHOTS}/7/files", {}, "not-found"),
        ("DELETE", f"{SNAPSHOTS}/7", {}, "not-found"),
        ("POST", f"{SNAPSHOTS}/7/restore", {"path": "x"}, "not-found"),
        ("POST", f"{SNAPSHOTS}/7/restore", {"path": "../x"}, "bad-input"),
        ("POST", f"{SNAPSHOTS}/7/restore", {"path": ""}, "bad-input"),
        ("POST", SNAPSHOTS, {"note": "a\nb"}, "bad-input"),
        ("POST", SNAPSHOTS, {"note": "x" * 81}, "bad-input"),
        ("GET", f"{SNAPSHOTS}/7/content?path=a%00b", {}, "bad-input"),
        ("GET", "/api/v1/home/versions?path=..", {}, "bad-input"),
        ("GET", "/api/v1/home/diff?path=x&older=latest", {}, "bad-input"),
        ("GET", "/api/v1/home/diff?path=x&older=1&newer=-1", {}, "bad-input"),
        ("GET", "/api/v1/home/jobs/none", {}, "not-found"),
    ],
)
def test_what_cannot_be_is_refused(
    ask: Callable[..., Any], method: str, path: str, body: dict[str, object], slug: str
) -> None:
    assert ask(method, path, **body).json["slug"] == slug


def test_an_engine_that_does_not_answer_is_said(
    ask: Callable[..., Any], platform: Platform
) -> None:
    platform.engine.reachable = False
    answer = ask("POST", SNAPSHOTS)
    assert (answer.status_code, answer.json["slug"]) == (503, "engine-unreachable")


def test_without_the_key_one_is_told_to_unlock(
    ask: Callable[..., Any], app: Flask, platform: Platform
) -> None:
    with app.app_context():
        platform.keyring.drop(home_of(User.query.filter_by(username="ann").one()))
    answer = ask("POST", SNAPSHOTS)
    assert (answer.status_code, answer.json["slug"]) == (409, "home-locked")


@pytest.mark.slow
def test_a_diff_that_takes_too_long_is_given_up(
    ask: Callable[..., Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ask("POST", SNAPSHOTS, note="first").json
    (home / "notes.txt").write_text("two\n")
    monkeypatch.setattr(time_travel, "DIFF_SECONDS", 0)
    diff = ask("GET", f"/api/v1/home/diff?path=notes.txt&older={row['id']}").json
    assert (diff["too_large"], diff["text"]) == (True, "")


@pytest.mark.slow
def test_a_diff_says_where_a_line_has_no_end(ask: Callable[..., Any], home: Path) -> None:
    row = ask("POST", SNAPSHOTS, note="first").json
    (home / "notes.txt").write_text("one\nno end")
    diff = ask("GET", f"/api/v1/home/diff?path=notes.txt&older={row['id']}").json
    assert diff["text"].endswith("+no end\n\\ No newline at end of file\n")
