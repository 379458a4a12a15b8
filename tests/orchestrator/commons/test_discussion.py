"""What is said about a proposal has an end, and is read in pages."""

import pytest

from models import Proposal, Repository, Side, User, db, utcnow
from orchestrator.commons import discussion
from orchestrator.commons.discussion import Spot
from orchestrator.errors import BadInput, Forbidden
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


def test_discussion(platform: Platform, ann: User, bob: User, offered: Proposal) -> None:
    spot = Spot("README.md", Side.NEW, 1, offered.head)
    discussion.say(platform, ann, utcnow(), offered, "Why?\r\nReally?")
    said = discussion.say(platform, bob, utcnow(), offered, "Here", spot)
    first, second = discussion.of(offered).said
    assert (first.author, first.text, first.path) == ("ann", "Why?\nReally?", None)
    assert (second.path, second.side, second.line) == ("README.md", Side.NEW, 1)
    with pytest.raises(Forbidden):
        discussion.take_back(platform, bob, offered, first.id)
    discussion.take_back(platform, bob, offered, said.id)
    assert discussion.of(offered).total == 1


@pytest.mark.parametrize(
    "spot",
    [Spot("../x", Side.NEW, 1, "a" * 40), Spot("x", Side.NEW, 0, "a" * 40),
     Spot("x", Side.NEW, 1, "--all"), Spot("a\0b", Side.OLD, 1, "a" * 40)],
)  # fmt: skip
def test_comments_on_lines_that_cannot_be_are_refused(
    platform: Platform, ann: User, offered: Proposal, spot: Spot
) -> None:
    with pytest.raises(BadInput):
        discussion.say(platform, ann, utcnow(), offered, "x", spot)
