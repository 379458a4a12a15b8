import threading
from collections.abc import Iterator

import pytest

from web import conversation


class Deaf:
    """A program that was stopped: it reads nothing until it is ended."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def told(self) -> Iterator[str]:
        yield from ()

    def tell(self, message: str) -> bool:
        if self.ended.wait(30):
            raise BrokenPipeError
        return True

    def close(self) -> None:
        self.ended.set()


def test_a_program_that_does_not_listen_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody would notice that its page has left, or may be there no longer."""
    monkeypatch.setattr(conversation, "TELL_SECONDS", 0.05)
    with pytest.raises(BrokenPipeError):
        conversation.told(Deaf(), "x")


def test_one_that_listens_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "TELL_SECONDS", 0.05)
    program = Deaf()
    monkeypatch.setattr(program, "tell", lambda _: True)
    assert conversation.told(program, "x")
    assert not program.ended.wait(0.2)
