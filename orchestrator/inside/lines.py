"""How the programs of this package are talked to."""

import json
import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from typing import Any

TEMPORARY = ".rootblood-"
"""How the names begin of files that are being written."""
MEMORY_MOST_BYTES = 1 << 30
_RAW = 0x10FF00
_SURROGATES = 0xDC00
_INPUT_BYTES = 16 << 20


def shown(path: bytes) -> str:
    """Return a path as the API has it: see ``orchestrator.names.show_home_path``."""
    try:
        return path.decode()
    except UnicodeDecodeError:
        text = path.decode(errors="surrogateescape")
        return "".join(
            chr(_RAW + ord(c) - _SURROGATES) if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text
        )


def request() -> Any:
    """Return what the server asks: the first line of standard input."""
    return json.loads(sys.stdin.buffer.readline(_INPUT_BYTES))


def tell(**facts: Any) -> None:
    """Write one line of JSON; :func:`flush` sends it off."""
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
    sys.stdout.buffer.write(text.encode(errors="replace") + b"\n")


def flush() -> None:
    sys.stdout.buffer.flush()


def end() -> None:
    """End at once, with all that was started."""
    os.killpg(0, signal.SIGKILL)


def give_way(niceness: int) -> None:
    """Leave the processor and the memory to what people do there themselves.

    What is started from here on inherits it: it goes first where memory runs short, as all else in
    a workspace has 500 there (docker_spec.py), and may write to so much of its own: getrlimit(2).
    """
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MOST_BYTES, MEMORY_MOST_BYTES))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as badness:
        badness.write("900")


def end_with_input() -> None:
    """Let a thread :func:`end` this program when standard input ends."""

    def wait() -> None:
        while os.read(0, 65536):
            pass
        end()

    threading.Thread(target=wait, daemon=True).start()
