import threading

from orchestrator.feed import EVERYONE, Feed, Transfer

FOR_EVER = 60.0


def wait(feed: Feed, user: int, seen: int) -> threading.Thread:
    waiter = threading.Thread(target=lambda: feed.wait(user, seen, timeout=FOR_EVER))
    waiter.start()
    return waiter


def ended(waiter: threading.Thread) -> bool:
    waiter.join(10)
    return not waiter.is_alive()


def test_a_waiter_wakes_when_something_of_its_user_changes() -> None:
    feed = Feed()
    waiter = wait(feed, 1, feed.version(1))
    feed.publish(2)
    feed.publish(1)
    assert ended(waiter)


def test_everybody_wakes_when_something_of_all_changes() -> None:
    feed = Feed()
    waiters = [wait(feed, user, feed.version(user)) for user in (1, 2)]
    feed.publish(EVERYONE)
    assert all(map(ended, waiters))


def test_what_changed_before_the_wait_is_not_missed() -> None:
    feed = Feed()
    seen = feed.version(1)
    feed.publish(1)
    assert feed.wait(1, seen, timeout=FOR_EVER) != seen


def test_others_do_not_wake_one() -> None:
    feed = Feed()
    feed.publish(2)
    assert feed.wait(1, 0, timeout=0.0) == 0


def test_closing_lets_everyone_go() -> None:
    feed = Feed()
    waiters = [wait(feed, user, 0) for user in range(3)]
    feed.close()
    assert [ended(waiter) for waiter in waiters] == [True] * 3


def transfer(name: str, state: str, sent: int = 0) -> Transfer:
    return Transfer(name, state, sent, None, 0.0)


def test_a_download_is_told_as_it_goes_and_once_when_it_ends() -> None:
    feed = Feed()
    feed.transfer(1, transfer("a", "running", 5))
    feed.transfer(1, transfer("a", "running", 9))
    assert [t.sent_bytes for t in feed.transfers(1)] == [9]
    feed.transfer(1, transfer("a", "done", 10))
    assert [t.state for t in feed.transfers(1)] == ["done"]
    feed.transfer(1, transfer("b", "running"))
    assert [t.id for t in feed.transfers(1)] == ["b"]
    assert feed.transfers(2) == []
