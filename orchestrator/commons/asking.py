"""How git's hook asks this process whether a push may be, over two inherited pipes.

The hook (``hooks/pre-receive``) writes its name, the quarantine's path (or ``-``), one line for
each ref, and a NUL: git has not looked at the refs' names by then, and a forged one may hold line
feeds, which only make more lines to judge. The hook reads lines for the user, then ``accepted`` or
``refused``. A server that dies closes the pipes, which refuses.
"""

import os
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.commons.checks import Update
from orchestrator.logs import log

LOG = log(__name__)
Judge = Callable[[Path, Sequence[Update]], Sequence[str]]
"""``judge(quarantine, updates)`` returns why a push is refused, line by line; nothing accepts."""

QUESTION_BYTES_MAX = 16 << 20
_LINES_MAX = 40
_LINE_MAX = 400
_PIECE_BYTES = 65536


@dataclass(slots=True)
class Pipes:
    """Descriptors; a negative one is closed. ``ask`` and ``answer`` are ours."""

    ask: int
    answer: int
    inherited: tuple[int, int]

    @property
    def environment(self) -> dict[str, str]:
        """Return what tells the hook which ones are its own."""
        ask, answer = self.inherited
        return {"ROOTBLOOD_ASK": str(ask), "ROOTBLOOD_ANSWER": str(answer)}

    def hand_over(self) -> None:
        """Close the ends that git has got."""
        for descriptor in self.inherited:
            os.close(descriptor)
        self.inherited = (-1, -1)


class Questions:
    """One push's questions, and what came of them."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._pipes: Pipes | None = None
        self._heard = b""
        self.accepted = False
        self.moved: list[Update] = []

    @contextmanager
    def asked_by(self, uid: int | None) -> Iterator[Pipes]:
        """Open the pipes for a git that runs as ``uid``."""
        ask, asking = os.pipe()
        answered, answer = os.pipe()
        os.set_blocking(ask, False)
        self._pipes = pipes = Pipes(ask, answer, (asking, answered))
        try:
            if uid is not None:  # the hook opens them anew: a shell inherits one-digit numbers only
                os.fchown(asking, uid, uid)
                os.fchown(answered, uid, uid)
            yield pipes
        finally:
            for descriptor in (pipes.ask, pipes.answer, *pipes.inherited):
                if descriptor >= 0:
                    os.close(descriptor)

    def conversation(self, stdout: int) -> Iterator[bytes]:
        """Yield what git writes to ``stdout`` until it ends, answering in between."""
        assert self._pipes is not None
        ask = self._pipes.ask
        poll = select.poll()
        poll.register(stdout, select.POLLIN)
        poll.register(ask, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if ask in ready and not self._listen(ask):
                poll.unregister(ask)
            if stdout in ready:
                with suppress(BlockingIOError):
                    if not (piece := os.read(stdout, _PIECE_BYTES)):
                        self._listen(ask)
                        return
                    yield piece

    def _listen(self, ask: int) -> bool:
        """Take in what the hook says; return whether it may say more."""
        try:
            piece = os.read(ask, _PIECE_BYTES)
        except BlockingIOError:
            return True
        self._heard += piece
        while b"\0" in self._heard:
            question, _, self._heard = self._heard.partition(b"\0")
            self._take(question.decode(errors="surrogateescape").removesuffix("\n").split("\n"))
        return bool(piece) and len(self._heard) <= QUESTION_BYTES_MAX

    def _take(self, lines: list[str]) -> None:
        hook, quarantine, *rest = lines
        if hook == "post-receive":
            self.moved += [Update.parse(line) for line in rest]
        else:
            self._answer(Path(quarantine), rest)

    def _answer(self, quarantine: Path, lines: Sequence[str]) -> None:
        assert self._pipes is not None
        try:
            reasons = self._judge(quarantine, [Update.parse(line) for line in lines])
        except Exception:  # nothing passes unjudged
            LOG.exception("push.unjudged")
            reasons = ["The server could not check this push: try again."]
        self.accepted = not reasons
        said = [plain(reason) for reason in reasons[:_LINES_MAX]]
        said.append("refused" if reasons else "accepted")
        with suppress(BrokenPipeError):
            os.write(self._pipes.answer, "".join(f"{line}\n" for line in said).encode())


def plain(text: str) -> str:
    """Return one printable line: names in it may be anybody's, and it is shown in terminals."""
    line = "".join(c if c.isprintable() else "?" for c in text)
    return line if len(line) <= _LINE_MAX else line[: _LINE_MAX - 1] + "…"
