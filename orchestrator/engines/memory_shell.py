"""The commands of the in-memory engine: a shell that knows six words."""

import shlex
import threading
from collections.abc import Sequence


class MemoryProcess:
    """``cat`` echoes its input while it runs; everything else has run by the time of the start."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._changed = threading.Condition()
        self._cat = list(argv) == ["cat"]
        self._code, out, _ = (None, b"", b"") if self._cat else interpret(argv, b"")
        self._out = bytearray(out)
        self._closed = False
        self._patience: float | None = None

    def settimeout(self, seconds: float | None, /) -> None:
        self._patience = seconds

    def read(self, nbytes: int, /) -> bytes:
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._out or self._closed or self._code is not None, self._patience
            ):
                raise TimeoutError("the command wrote nothing in time")
            chunk = bytes(self._out[:nbytes])
            del self._out[:nbytes]
            return chunk

    def write(self, data: bytes, /) -> None:
        with self._changed:
            if self._closed:
                raise BrokenPipeError("the command has ended")
            if self._cat:
                self._out += data
            self._changed.notify_all()

    def end_input(self) -> None:
        with self._changed:
            if self._cat:
                self._code = 0
            self._changed.notify_all()

    def wait(self) -> int:
        while self.read(65536):
            pass
        return 137 if self._code is None else self._code  # 128 + SIGKILL

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def interpret(argv: Sequence[str], stdin: bytes) -> tuple[int | None, bytes, bytes]:
    """Return exit code, output and errors of a command; no exit code means it runs for ever."""
    if argv[0] == "exec":
        argv = argv[1:]
    match list(argv):
        case ["true"]:
            return 0, b"", b""
        case ["false"]:
            return 1, b"", b""
        case ["cat"]:
            return 0, stdin, b""
        case ["echo", *words]:
            return 0, " ".join(words).encode() + b"\n", b""
        case ["exit", number]:
            return int(number), b"", b""
        case ["sleep" | "/bin/sleep", *_]:
            return None, b"", b""
        case ["sh", "-c", script]:
            return _script(script, stdin)
    return 127, b"", f"{argv[0]}: not found\n".encode()


def _script(script: str, stdin: bytes) -> tuple[int | None, bytes, bytes]:
    code: int | None = 0
    out = errors = b""
    for line in script.split(";"):
        words = shlex.split(line)
        to_errors = ">&2" in words
        words = [word for word in words if word != ">&2"]
        if not words:
            continue
        code, more, complaint = interpret(words, stdin)
        out, errors = (out, errors + more) if to_errors else (out + more, errors)
        errors += complaint
        if code is None or words[0] in ("exit", "exec"):
            break
    return code, out, errors
