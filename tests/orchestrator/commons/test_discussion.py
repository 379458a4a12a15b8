"""What is said about a proposal has an end, and is read in pages."""

import pytest

from models import Proposal, Repository, Side, User, db, utcnow
from orchestrator.commons import discussion
from orchestrator.commons.discussion import Spot
from orchestrator.errors import BadInput
from orchestrator.platform import Platform
from tests.app_fixtures import on_both_databases

pytestmark = on_both_databases


@pytest.fixture
def offered(hello: Repository, bob: User) -> Proposal:
    """A proposal by Bob; nobody asks here what it holds."""
    now = utcnow()
    made = Proposal(
        repository_id=hello.id, number=1, source_id=hello.id, source_branch="fix",
        target_branch="main", title="Make it better", author_id=bob.id, author="bob",
        head="a" * 40, created_at=now, updated_at=now,
    )  # fmt: skip
    db.session.add(made)
    db.session.commit()
    return made


def test_a_discussion_is_read_page_by_page(
    platform: Platform, ann: User, offered: Proposal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discussion, "PER_PAGE", 2)
    monkeypatch.setattr(discussion, "LINES_PER_PAGE", 1)
    assert discussion.of(offered).pages == 1
    spot = Spot("README.md", Side.NEW, 1, offered.head)
    for text in "abc":
        discussion.say(platform, ann, utcnow(), offered, text, spot)
    for page, texts in ((None, "c"), (1, "ab"), (2, "c"), (9, "c"), (-1, "ab")):
        assert "".join(one.text for one in discussion.of(offered, page).said) == texts
    assert discussion.of(offered).total == 3
    assert [one.text for one in discussion.on_lines(offered, offered.head)] == ["c"]
    assert discussion.people(offered) == ["ann", "bob"]


def test_a_comment_is_not_a_book(platform: Platform, ann: User, offered: Proposal) -> None:
    with pytest.raises(BadInput, match="text"):
        discussion.say(platform, ann, utcnow(), offered, "x" * (discussion.TEXT_MAX + 1))
