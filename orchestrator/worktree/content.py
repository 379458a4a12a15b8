"""What git has of a file: its content at some point, and how it differs."""

from collections.abc import Iterator

from models import Workspace
from orchestrator.engines import Process
from orchestrator.errors import EngineError, NotFound
from orchestrator.platform import Platform
from orchestrator.worktree import git

INDEX = "INDEX"
DIFF_BYTES = 1 << 20
_HEAD_BYTES = 8192


class Blob:
    """The bytes of a file as git has them. Whoever obtains one closes it."""

    def __init__(self, process: Process, size: int, begun: bytes) -> None:
        self.size = size
        self._process = process
        self._begun = begun

    def __iter__(self) -> Iterator[bytes]:
        left, piece = self.size, self._begun
        while left:
            piece = piece[:left] or self._process.read(min(left, git.CHUNK_BYTES))
            if not piece:
                raise EngineError("git ended early")
            left -= len(piece)
            yield piece
            piece = b""

    def close(self) -> None:
        self._process.close()


def blob(platform: Platform, workspace: Workspace, root: str, path: str, at: str) -> Blob:
    """Open a file as it was at a commit, or as it is staged where ``at`` is INDEX.

    Raises: BadInput; NotFound where there was no such file.
    """
    revision = "" if at == INDEX else git.parse_commit(at)
    asked = f"{revision}:./{git.inner(path, root)}".encode(errors="surrogateescape") + b"\0"
    # On standard input: nothing of it can be an option.
    argv = git.reading(root, "cat-file", "-z", "--batch")
    process = git.started(platform, workspace, argv, asked)
    try:
        head, rest = _head(process, len(asked))
        # "<id> blob <size>", or "<what was asked> missing": git-cat-file(1), BATCH OUTPUT.
        fields = head.split(b" ")
        if len(fields) != 3 or fields[1] != b"blob" or not fields[2].isdigit():
            raise NotFound("There was no such file then")
        return Blob(process, int(fields[2]), rest)
    except BaseException:
        process.close()
        raise


def _head(process: Process, asked: int) -> tuple[bytes, bytes]:
    """Return the answer's first line and what came behind it."""
    text = b""
    while b"\n" not in text and len(text) < _HEAD_BYTES + asked:
        try:
            piece = process.read(git.CHUNK_BYTES)
        except TimeoutError as error:
            raise EngineError("git takes too long") from error
        if not piece:
            break
        text += piece
    head, _, rest = text.partition(b"\n")
    return head, rest


def diff(
    platform: Platform, workspace: Workspace, root: str, path: str, *, staged: bool
) -> tuple[str, bool]:
    """Return how files differ from the index, or the index from HEAD where ``staged``.

    True beside it when there was more than is returned.
    """
    words = ("diff", "--no-color", "--no-ext-diff", "--no-textconv",
             *(("--cached",) if staged else ()), "--", git.inner(path, root))  # fmt: skip
    process = git.started(platform, workspace, git.reading(root, *words))
    text, cut = git.bounded(process, DIFF_BYTES)
    return text.decode(errors="replace"), cut
