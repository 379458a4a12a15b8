"""Proposals on pages: offered, talked about, merged, closed, and refused where they should be."""

import html
import re

import pytest
from flask import Flask

from tests.visitor import Visitor
from tests.web import written
from tests.web.test_commons_pages import HELLO
from tests.web.test_pages import shown


@pytest.fixture
def offer(app: Flask, bob: Visitor, hello: str) -> str:
    """Bob's proposal to Ann's repository."""
    shown(bob, f"{HELLO}/")
    bob.post(f"{HELLO}/fork")
    written.commit(
        app, "bob/hello", {"src/a.py": "def f():\n    return 3\n"}, "Return three",
        author="Bob <bob@x>", branch="three", begin="refs/heads/main^0",
    )  # fmt: skip
    shown(bob, f"{HELLO}/proposals/new")
    form = {
        "source": "bob/hello:three",
        "target": "main",
        "title": "Three is better",
        "text": "**Why not?**",
    }
    answer = bob.post(f"{HELLO}/proposals/", form)
    assert answer.status_code == 303, answer.text
    return answer.location


def test_a_proposal_is_talked_about_and_merged(ann: Visitor, bob: Visitor, offer: str) -> None:
    page = shown(ann, offer)
    assert "<strong>Why not?</strong>" in page
    assert "Merge it" in page
    assert "Merge it" not in shown(bob, offer)
    ann.post(f"{offer}/comments", {"text": "Nice <script>1</script>"})
    files = shown(ann, f"{offer}/files")
    head = re.search(r'name="commit" value="([0-9a-f]{40})"', files)[1]
    said = {"at": "new:2:src/a.py", "commit": head, "text": "This *line*"}
    assert ann.post(f"{offer}/comments", said).location.startswith(f"{offer}/files#comment-")
    assert "This <em>line</em>" in shown(bob, f"{offer}/files")
    assert "src/a.py:2" in shown(bob, offer)
    assert "<script>1" not in shown(bob, offer)
    assert "Return three" in shown(bob, f"{offer}/commits")
    assert ann.post(f"{offer}/merge", {"method": "squash"}).status_code == 303
    assert "merged it" in shown(bob, offer)
    assert 'return</span> <span class="mi">3' in shown(bob, f"{HELLO}/blob/main/src/a.py")


def test_a_long_discussion_has_pages(
    ann: Visitor, offer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.commons.discussion.PER_PAGE", 2)
    shown(ann, offer)
    for text in ("first", "second", "third"):
        ann.post(f"{offer}/comments", {"text": f"It is the {text}"})
    newest, oldest = shown(ann, offer), shown(ann, f"{offer}?page=1")
    assert "the third" in newest
    assert "the first" not in newest
    assert 'href="?page=1"' in newest
    assert "the first" in oldest
    assert "the third" not in oldest
    assert shown(ann, f"{offer}?page=x", 422)


def test_a_hidden_source_is_not_named(ann: Visitor, bob: Visitor, offer: str) -> None:
    assert "bob/hello" in shown(ann, offer)
    shown(bob, "/global/bob/hello/settings")
    bob.post("/global/bob/hello/settings/hide")
    page = shown(ann, offer)
    assert "bob/hello" not in page
    assert "a hidden repository" in page
    assert "bob/hello" in shown(bob, offer)


def test_a_proposal_can_be_spoken_about_without_scripts(ann: Visitor, offer: str) -> None:
    page = shown(ann, f"{offer}/files?at=new:2:src/a.py")
    assert 'id="speaking"' in page
    assert 'name="at" value="new:2:src/a.py"' in page.partition('id="speaking"')[2]


@pytest.mark.parametrize("at", ["new", "new:x:y", "up:1:a", "new:1:", "new:1:../x", "new:0:a"])
def test_what_is_no_line_is_refused(ann: Visitor, offer: str, at: str) -> None:
    shown(ann, offer)
    answer = ann.post(f"{offer}/comments", {"at": at, "commit": "0" * 40, "text": "x"})
    assert answer.status_code == 422


def test_conflicts_are_named_and_not_merged(app: Flask, ann: Visitor, offer: str) -> None:
    written.commit(app, "ann/hello", {"src/a.py": "def f():\n    return 9\n"}, "Return nine")
    page = shown(ann, offer)
    assert "It cannot be merged as it is" in page
    assert "<li>src/a.py</li>" in page
    assert ann.post(f"{offer}/merge", {"method": "merge"}).status_code == 303
    assert 'role="alert"' in shown(ann, offer)


def test_proposals_are_closed_and_opened_again(
    ann: Visitor, bob: Visitor, carl: Visitor, offer: str
) -> None:
    shown(carl, offer)
    assert carl.post(f"{offer}/close").status_code == 403
    assert carl.post(f"{offer}/edit", {"title": "Mine"}).status_code == 403
    bob.get(offer)
    bob.post(f"{offer}/close")
    assert "Open again" in shown(ann, offer)
    ann.post(f"{offer}/reopen")
    ann.post(f"{offer}/edit", {"title": "Threefold", "text": ""})
    assert "Threefold" in shown(bob, f"{HELLO}/proposals/")


def test_a_proposal_without_a_branch_is_refused_in_words(bob: Visitor, offer: str) -> None:
    for source in ("", "ann/hello:main", "bob/hello:nope", "bob/hello:--help"):
        answer = bob.post(f"{HELLO}/proposals/", {"source": source, "target": "main", "title": "x"})
        assert answer.status_code in (404, 422), source
    assert (
        bob.post(f"{HELLO}/proposals/", {"source": "bob/hello:three", "title": ""}).status_code
        == 422
    )


def test_the_title_offered_is_that_of_the_branch_asked_for(
    app: Flask, bob: Visitor, offer: str
) -> None:
    written.commit(
        app, "bob/hello", {"b": "b"}, "Later", branch="later", begin="refs/heads/main^0",
        at=written.BEGIN + 99,
    )  # fmt: skip
    assert 'name="title" type="text" value="Later"' in shown(bob, f"{HELLO}/proposals/new")
    page = shown(bob, f"{HELLO}/proposals/new?source=bob/hello:three")
    assert 'name="title" type="text" value="Return three"' in page


def test_commands_to_copy_hold_a_branch_as_one_word(
    app: Flask, ann: Visitor, bob: Visitor, offer: str
) -> None:
    branch = "x;touch${IFS}y"
    written.commit(app, "bob/hello", {"b": "b"}, "Be bad", branch=branch, begin="refs/heads/main^0")
    form = {"source": f"bob/hello:{branch}", "target": "main", "title": "Bad"}
    made = bob.post(f"{HELLO}/proposals/", form).location
    command = html.unescape(re.search(r'id="fetch">([^<]+)<', shown(ann, made))[1])
    assert command == f"git fetch /global/bob/hello '{branch}'"


def test_an_archived_repository_asks_for_no_proposals(
    ann: Visitor, bob: Visitor, offer: str
) -> None:
    pages = (f"{HELLO}/proposals/", f"{HELLO}/proposals/new", "/global/bob/hello/")
    words = ("New proposal</a>", "Propose it", "Propose a change to it")
    for page, word in zip(pages, words, strict=True):
        assert word in shown(bob, page)
    shown(ann, f"{HELLO}/settings")
    ann.post(f"{HELLO}/settings/archive")
    for page, word in zip(pages, words, strict=True):
        assert word not in shown(bob, page)


def test_a_proposal_outlives_its_fork(app: Flask, ann: Visitor, bob: Visitor, offer: str) -> None:
    shown(bob, "/global/bob/hello/settings")
    bob.post("/global/bob/hello/delete", {"typed": "bob/hello"})
    assert "was deleted" in shown(ann, offer)
    for part in ("files", "commits"):
        shown(ann, f"{offer}/{part}")
