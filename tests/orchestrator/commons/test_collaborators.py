"""What owners let others do with their repositories."""

import pytest

from models import (
    Level,
    Repository,
    User,
    Visibility,
    utcnow,
)
from orchestrator.commons import (
    collaborators,
    finding,
    repositories,
)
from orchestrator.commons.repositories import Change
from orchestrator.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
)
from orchestrator.platform import Platform
from tests.app_fixtures import account, on_both_databases

pytestmark = on_both_databases

PRIVATE = Change(visibility=Visibility.PRIVATE)


def test_collaborators_may_what_they_were_given(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    hidden = repositories.change(platform, ann, utcnow(), hello, PRIVATE)
    collaborators.put(ann, utcnow(), hidden, "bob", Level.READ)
    assert finding.find(bob, "ann", "hello").id == hidden.id
    with pytest.raises(Forbidden):
        finding.find(bob, "ann", "hello", Level.WRITE)
    collaborators.put(ann, utcnow(), hidden, "bob", Level.WRITE)
    finding.find(bob, "ann", "hello", Level.WRITE)
    carl = account(platform.settings, "carl")
    with pytest.raises(Forbidden):
        collaborators.take(carl, utcnow(), hidden, "bob")
    collaborators.take(bob, utcnow(), hidden, "bob")
    with pytest.raises(NotFound):
        finding.find(bob, "ann", "hello")


@pytest.mark.parametrize("username", ["nobody", "", "--x", "a\0b"])
def test_nobody_is_no_collaborator(ann: User, hello: Repository, username: str) -> None:
    with pytest.raises(NotFound):
        collaborators.put(ann, utcnow(), hello, username, Level.READ)
    with pytest.raises(BadInput):
        collaborators.put(ann, utcnow(), hello, "ann", Level.READ)


def test_collaborators_have_an_end(
    ann: User, bob: User, hello: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collaborators, "COLLABORATORS_MAX", 0)
    with pytest.raises(Conflict):
        collaborators.put(ann, utcnow(), hello, "bob", Level.READ)
