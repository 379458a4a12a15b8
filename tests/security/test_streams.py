"""What one person can hold open."""

import pytest
from flask import Flask

from models import User, db
from orchestrator import archives
from orchestrator.errors import Conflict
from orchestrator.platform import Platform
from tests.app_fixtures import PROOF
from tests.visitor import Visitor
from web.live import STREAMS_MAX


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/home/archive"])
def test_streams_do_not_answer_head(bob: Visitor, platform: Platform, path: str) -> None:
    assert bob.api("HEAD", path).status_code == 405
    assert not platform.archiving


def test_one_person_follows_events_in_so_many_places(bob: Visitor, ann: Visitor) -> None:
    streams = [bob.client.get("/api/v1/events") for _ in range(STREAMS_MAX)]
    refused = bob.client.get("/api/v1/events")
    assert (refused.status_code, refused.json["slug"]) == (429, "too-many-requests")
    other = ann.client.get("/api/v1/events")
    assert other.status_code == 200
    streams.pop().close()
    streams.append(bob.client.get("/api/v1/events"))
    assert streams[-1].status_code == 200
    for stream in [other, *streams]:
        stream.close()


def test_one_home_is_downloaded_once_at_a_time(
    app: Flask, bob: Visitor, platform: Platform
) -> None:
    with app.app_context():
        user = db.session.query(User).filter_by(username="bob").one()
        first = archives.open_archive(platform, user, "one", PROOF)
        with pytest.raises(Conflict):
            archives.open_archive(platform, user, "two", PROOF)
        first.close()
        archives.open_archive(platform, user, "three", PROOF).close()
        assert not platform.archiving
