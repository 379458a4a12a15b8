"""How git is asked: in turns, and for no longer than anybody should wait."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from models import Repository, User, db, utcnow
from orchestrator.commons import facts, history, merging, proposals, reading, source
from orchestrator.commons.git import TookTooLong, TooLarge
from orchestrator.commons.kept import READS_AT_ONCE, READS_EACH
from orchestrator.commons.proposals import Offer
from orchestrator.commons.turns import Turns
from orchestrator.errors import TooManyRequests
from orchestrator.platform import Platform
from tests.orchestrator.commons.published import Work
from tests.orchestrator.commons.test_git import alias


@pytest.fixture(autouse=True)
def impatient(platform: Platform) -> None:
    """Whoever gets no turn is told so at once."""
    platform.kept.turns = Turns(
        READS_AT_ONCE, each=READS_EACH, patience=0, refusal="Too much", hint="Wait"
    )


@contextmanager
def looking(platform: Platform, who: int) -> Iterator[None]:
    """As many pages of one person as may be looked at are being made."""
    with ExitStack() as held:
        for _ in range(READS_EACH):
            held.enter_context(platform.kept.turns.one(who))
        yield


def test_one_persons_slow_pages_leave_git_to_others(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    mine, theirs = (source.of(platform, hello, asker=user) for user in (ann, bob))
    nobodys = source.of(platform, hello)
    with looking(platform, bob.id):
        with pytest.raises(TooManyRequests):
            theirs.ask("rev-parse", "HEAD")
        with pytest.raises(TooManyRequests):
            theirs.begin("rev-parse", "HEAD", most=100)
        with pytest.raises(TooManyRequests):
            theirs.expect(60, "rev-parse", "HEAD")
        assert mine.ask("rev-parse", "HEAD") == nobodys.ask("rev-parse", "HEAD")
    assert mine.ask("rev-parse", "HEAD") == theirs.ask("rev-parse", "HEAD")


def test_one_persons_downloads_leave_git_to_others(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    platform.kept.downloads = Turns(9, each=2, patience=0, refusal="Too many", hint="Wait")
    mine, theirs = (source.of(platform, hello, asker=user) for user in (ann, bob))
    head = theirs.ask("rev-parse", "HEAD").decode().strip()
    _, slow = reading.raw(theirs, head, "main.py")
    forgotten = reading.archive(theirs, head, "hello", "zip")
    with pytest.raises(TooManyRequests):
        reading.archive(theirs, head, "hello", "zip")
    assert b"".join(reading.archive(mine, head, "hello", "zip")).startswith(b"PK")
    forgotten.close()
    assert b"".join(reading.archive(theirs, head, "hello", "zip")).startswith(b"PK")
    assert b"".join(slow)


def test_what_is_offered_is_looked_at_in_turns_too(
    platform: Platform, ann: User, bob: User, hello: Repository, anns: Work
) -> None:
    anns.commit("More", main_py="x = 2\n")
    anns.push(hello, "side")
    offer = Offer(hello, "side", "main", "Take it", "")
    with looking(platform, ann.id), pytest.raises(TooManyRequests):
        proposals.create(platform, ann, utcnow(), hello, offer)
    proposal = proposals.create(platform, ann, utcnow(), hello, offer)
    with looking(platform, bob.id):
        with pytest.raises(TooManyRequests):
            proposals.view(platform, proposal, bob)
        view = proposals.view(platform, proposal, ann)
    assert view.base is not None
    theirs = source.of(platform, hello, asker=bob)
    with looking(platform, bob.id), pytest.raises(TooManyRequests):
        merging.conflicts(platform.store, theirs, view.base, "f" * 40)


def test_a_push_is_told_and_measured_however_many_look(
    platform: Platform, ann: User, hello: Repository, anns: Work
) -> None:
    anns.commit("More", main_py="x = 2\n")
    with ExitStack() as held:
        for who in (0, ann.id, ann.id + 1):
            for _ in range(READS_AT_ONCE // 3):
                held.enter_context(platform.kept.turns.one(who))
        held.enter_context(platform.kept.turns.one(0))
        held.enter_context(platform.kept.turns.one(ann.id))
        head = anns.push(hello)
    db.session.expire_all()
    assert hello.facts["head"] == head


def test_what_a_push_brings_about_leaves_the_turns_of_pages_alone(
    platform: Platform, ann: User, hello: Repository
) -> None:
    working = source.of(platform, hello, asker=ann, chore=True)
    head = reading.head(working, hello)
    assert head is not None
    with looking(platform, ann.id):
        facts.index(working)
        assert facts.measure(working, head, {})["commits"] == 1


def test_what_is_not_shown_in_time_is_too_large(
    platform: Platform, hello: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = source.of(platform, hello)
    monkeypatch.setattr(source, "READ_SECONDS", 0.2)
    with pytest.raises(TooLarge) as refused:
        here.begin(*alias("echo begun; sleep 60"), most=100)
    assert not isinstance(refused.value, TookTooLong), "which callers take for what is not there"
    assert refused.value.hint == TooLarge.default_hint
    with pytest.raises(TooLarge) as asked:
        here.ask(*alias("sleep 60"), seconds=0.2)
    assert asked.value.hint == TooLarge.default_hint


def test_a_folder_is_shown_without_changes_that_are_not_found_in_time(
    platform: Platform, hello: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = source.of(platform, hello)
    head = reading.head(here, hello)
    assert head is not None
    monkeypatch.setattr(history, "CHANGES_SECONDS", 0.0)
    assert history.last_changes(here, head, "", ["main.py"]) == {}
    monkeypatch.undo()
    assert history.last_changes(here, head, "", ["main.py"])["main.py"].id == head
