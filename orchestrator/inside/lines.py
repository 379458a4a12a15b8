"""How the programs of this package are talked to."""

import json
import os
import signal
import sys
import threading
from typing import Any

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


def end_with_input() -> None:
    """Let a thread :func:`end` this program when standard input ends."""

    def wait() -> None:
        while os.read(0, 65536):
            pass
        end()

    threading.Thread(target=wait, daemon=True).start()
