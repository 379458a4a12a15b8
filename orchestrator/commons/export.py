"""Take what one published away: every repository as a git bundle, and the shared files."""

import os
import tarfile
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

from models import User, end_reading
from orchestrator.commons import finding, shelf, source
from orchestrator.commons.git import CHUNK_BYTES, GitFailed
from orchestrator.commons.source import Source
from orchestrator.errors import Conflict
from orchestrator.offload import offload
from orchestrator.platform import Platform


def tar(platform: Platform, user: User) -> Generator[bytes, None, None]:
    """Return chunks of a tar; close the iterator. Empty repositories have nothing to take.

    Raises: Conflict while another export of the same person is under way.
    """
    sources = [(row.name, source.of(platform, row)) for row in finding.of_user(user)]
    share = platform.store.share(user.username)
    end_reading()
    if user.id in platform.exporting:  # each takes a repository's size of disk while it lasts
        raise Conflict("Your repositories are being downloaded already")
    platform.exporting.add(user.id)
    pieces = _pieces(platform, user.id, sources, share)
    next(pieces)  # what was begun is ended by close()
    return pieces


def _pieces(
    platform: Platform, user_id: int, sources: list[tuple[str, Source]], share: Path
) -> Generator[bytes, None, None]:
    try:
        yield b""
        for name, here in sources:
            with tempfile.TemporaryFile(dir=platform.store.private) as bundle:
                try:
                    for piece in here.flow("bundle", "create", "--quiet", "-", "--all"):
                        offload(bundle.write, piece)
                except GitFailed:  # it has no branch yet
                    continue
                yield from _member(f"repositories/{name}.bundle", bundle)
        for path, file in shelf.everything(share):
            with file:
                yield from _member(f"share/{path}", file)
        yield b"\0" * (2 * tarfile.BLOCKSIZE)
    finally:
        platform.exporting.discard(user_id)


def _member(name: str, file: IO[bytes]) -> Iterator[bytes]:
    """Yield one file of the tar; one that shrinks meanwhile is filled up, as its head promised."""
    head = tarfile.TarInfo(name)
    head.size = left = file.seek(0, os.SEEK_END)
    head.mode, head.mtime = 0o644, int(os.fstat(file.fileno()).st_mtime)
    yield head.tobuf(tarfile.PAX_FORMAT)
    file.seek(0)
    while left:
        piece = offload(file.read, min(CHUNK_BYTES, left)) or b"\0" * min(CHUNK_BYTES, left)
        left -= len(piece)
        yield piece
    yield b"\0" * (-head.size % tarfile.BLOCKSIZE)
