"""How ripgrep is asked, by all programs that search: one dialect, one idea of what is skipped."""

import base64
import os
import subprocess
from typing import Any

SKIPPED = (".git", "node_modules", "__pycache__", ".cache", ".npm", ".venv")
"""Nobody looks for what is in there; a pattern of the user's own brings it back."""
LARGEST = "50M"


def chosen(request: dict[str, Any]) -> list[str]:
    """Return the arguments that choose files."""
    names = [f"!**/{name}/**" for name in SKIPPED] + list(request["globs"])
    return [
        "--no-config", "--hidden", "--no-messages", f"--max-filesize={LARGEST}",
        *(f"--glob={pattern}" for pattern in names),
    ]  # fmt: skip


def matching(request: dict[str, Any]) -> list[str]:
    """Return the arguments that say what is looked for; none of the text is taken for one."""
    return [
        "--crlf",
        *([] if request["regex"] else ["--fixed-strings"]),
        "--case-sensitive" if request["case"] else "--ignore-case",
        *(["--word-regexp"] if request["word"] else []),
        f"--regexp={request['query']}",
    ]


def started(arguments: list[str], folder: bytes) -> "subprocess.Popen[bytes]":
    """Start ripgrep in ``folder``; names come out relative to it."""
    return subprocess.Popen(
        ["/usr/bin/env", "rg", *arguments],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def place_of(request: dict[str, Any]) -> tuple[bytes, str]:
    """Return the folder to search from, against which patterns hold, and what of it.

    Raises: ValueError for all else: ripgrep would wait for a pipe, and read a device, for ever.
    """
    path = os.fsencode(request["path"])
    if os.path.isdir(path):
        return path, "./"
    if not os.path.isfile(path):
        raise ValueError("There is no such file or folder")
    return os.path.dirname(path), "./" + os.fsdecode(os.path.basename(path))


def text_of(data: dict[str, str]) -> bytes:
    """Return what ripgrep writes as text where it can and else in base 64."""
    if "text" in data:
        return data["text"].encode()
    return base64.b64decode(data["bytes"])


def complaint(process: "subprocess.Popen[bytes]") -> str:
    """Return why ripgrep refused, once it has ended; nothing where it only found nothing."""
    assert process.stderr is not None
    said = process.stderr.read(4096).decode(errors="replace").strip()
    return said if process.wait() >= 2 else ""
