"""Files over SFTP: what one can do with those of a container, with the rights of its user."""

import hashlib
import re
import secrets
import stat
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TypeVar

from orchestrator.engines import Process
from orchestrator.errors import (
    AlreadyExists,
    BadInput,
    Changed,
    Conflict,
    EngineError,
    NotAFile,
    NotAFolder,
)
from orchestrator.files import (
    Entry,
    Format,
    Listing,
    Type,
    Written,
    packing,
    paths,
    programs,
    reading,
)
from orchestrator.files.pool import Pool
from orchestrator.files.refusals import absent, explained, named, raise_if_full
from orchestrator.files.sftp import WINDOW_BYTES, Client, Refused
from orchestrator.files.sftp_wire import Attributes, Code, Kind, Open, mode, string
from orchestrator.inside.lines import TEMPORARY
from orchestrator.offload import offload

T = TypeVar("T")
INLINE_MAX = 2000
"""Entries to be made beside the event loop's other work: more would hold it for too long."""
LEFT_SECONDS = 3600
"""Nothing was written to it for so long: whoever did is gone."""
LEFT = re.compile(re.escape(TEMPORARY) + "[0-9a-f]{16}")


class SftpFiles:
    """Keeps the contract of :class:`orchestrator.files.Files` by the servers of a pool."""

    def __init__(self, pool: Pool, home: str) -> None:
        self.home = home
        self._pool = pool

    def _do(self, path: str, work: Callable[[Client], T]) -> T:
        with explained(path):
            return self._pool.do(work)

    def listed(self, path: str, *, most: int) -> Listing:
        def work(client: Client) -> Listing:
            try:
                found, more = client.listed(path, most)
            except Refused as refused:
                # opendir(3) of what is no folder is ENOTDIR, which SFTP calls "no such file".
                if refused.code == Code.NO_SUCH_FILE and client.stat(path).type is not Type.FOLDER:
                    raise NotAFolder(f"{named(path)} is not a folder") from refused
                raise
            top = "" if path == "/" else path
            links = [name for name, one in found if one.type is Type.LINK]
            ends = client.stats([f"{top}/{name}" for name in links])
            targets = {n: end.type for n, end in zip(links, ends, strict=True) if end}
            self._tidy(top, found)
            many = len(found) > INLINE_MAX
            entries = offload(_entries, found, targets) if many else _entries(found, targets)
            return Listing(entries, more)

        return self._do(path, work)

    def _tidy(self, folder: str, found: list[tuple[str, Attributes]]) -> None:
        """Remove what a write has left that was cut off together with its server."""
        old = time.time() - LEFT_SECONDS
        left = [f"{folder}/{name}" for name, one in found
                if one.mtime < old and one.type is Type.FILE and LEFT.fullmatch(name)]  # fmt: skip
        if left:
            asked = [(Kind.REMOVE, string(path)) for path in left]
            self._pool.later(lambda: self._pool.do(lambda client: client.ask(*asked)))

    def look(self, path: str) -> Entry:
        def work(client: Client) -> Entry:
            found = client.lstat(path)
            end = client.stats([path])[0] if found.type is Type.LINK else None
            return found.entry(paths.name_of(path), end.type if end else None)

        return self._do(path, work)

    def open(self, path: str) -> reading.OpenFile:
        return self._do(path, lambda client: reading.opened(client, path))

    def write(
        self,
        path: str,
        body: Iterable[bytes],
        *,
        if_match: Collection[str] | None = None,
        only_new: bool = False,
    ) -> Written:
        target, old = self._do(path, lambda client: _target(client, path))
        if old is not None and only_new:
            raise Changed(f"There is a {named(path)} already", etag=self._etag(target))
        if old is None and if_match is not None:
            raise Changed(f"{named(path)} is gone")
        folder = paths.folder_of(target)
        temporary = f"{folder.rstrip('/')}/{TEMPORARY}{secrets.token_hex(8)}"
        bits = stat.S_IMODE(old.mode) if old else None
        client, handle = self._do(folder, lambda one: (one, _created(one, temporary, folder, bits)))
        try:
            try:
                found, etag = _filled(client, handle, body, bits, folder)
            finally:
                with suppress(EngineError, Refused):
                    client.release(handle)
            with self._pool.saving:
                if if_match is not None:
                    self._check(target, if_match)
                if only_new:
                    self._place_new(client, temporary, target)
                else:
                    with explained(path):
                        client.replace(temporary, target)
        except BaseException:
            with suppress(EngineError, Refused):
                self._pool.do(lambda one: one.do(Kind.REMOVE, string(temporary)))
            raise
        # A power cut a moment later could undo the rename, but leave no half of anything.
        self._pool.later(lambda: self._pool.do(lambda one: one.settle(folder)))
        return Written(found.entry(paths.name_of(path)), etag, old is None)

    def _etag(self, path: str) -> str:
        """Return the ETag of a file, "" where there is none."""
        try:
            opened = self._pool.do(lambda client: reading.opened(client, path))
        except (Refused, NotAFile):
            return ""
        opened.close()
        return opened.etag

    def _check(self, path: str, if_match: Collection[str]) -> None:
        present = self._etag(path)
        if not present or ("*" not in if_match and present not in if_match):
            raise Changed(f"{named(path)} has changed since it was read", etag=present)

    def _place_new(self, client: Client, temporary: str, target: str) -> None:
        wrong = Changed(f"There is a {named(target)} already", etag=self._etag(target))
        with explained(target, wrong=wrong):  # a link(2), so that nothing is replaced
            client.do(Kind.RENAME, string(temporary), string(target))

    def make_folder(self, path: str, *, parents: bool = False) -> None:
        def work(client: Client) -> None:
            try:
                client.do(Kind.MKDIR, string(path), mode(None))
            except Refused as refused:
                above = paths.folder_of(path)
                if refused.code == Code.NO_SUCH_FILE and parents and above != path:
                    self.make_folder(above, parents=True)
                    return client.do(Kind.MKDIR, string(path), mode(None))
                if refused.code != Code.FAILURE:
                    raise
                there = client.stats([path])[0]
                if there is None:
                    raise_if_full(client, above)
                    raise
                if not parents or there.type is not Type.FOLDER:
                    raise AlreadyExists(f"There is a {named(path)} already") from refused
            return None

        self._do(path, work)

    def move(self, source: str, target: str, *, overwrite: bool = False) -> None:
        if not self._placed(source, target, overwrite=overwrite):
            return

        def work(client: Client) -> bool:
            try:
                if overwrite:
                    client.replace(source, target)
                else:
                    client.do(Kind.RENAME, string(source), string(target))
            except Refused as refused:
                if refused.code == Code.NO_SUCH_FILE:
                    raise absent(paths.folder_of(target)) from refused
                if refused.code == Code.FAILURE:  # to another file system, or onto a folder
                    return False
                raise
            return True

        if self._do(source, work):
            return
        programs.move(self._pool.spawn, source, target, overwrite=overwrite)
        with suppress(Refused):
            self._pool.do(lambda client: client.lstat(source))
            raise AlreadyExists(f"There is a {named(target)} already")

    def copy(self, source: str, target: str, *, overwrite: bool = False) -> None:
        if self._placed(source, target, overwrite=overwrite):
            programs.copy(self._pool.spawn, source, target, overwrite=overwrite)

    def _placed(self, source: str, target: str, *, overwrite: bool) -> bool:
        """Return whether there is anything to do. Raises: NotFound, AlreadyExists, BadInput."""
        self.look(source)
        if source == target:
            return False
        if target.startswith(f"{source.rstrip('/')}/"):
            raise BadInput("A folder cannot go into itself", field="to")
        with suppress(Refused):
            self._pool.do(lambda client: client.lstat(target))
            if not overwrite:
                raise AlreadyExists(f"There is a {named(target)} already")
        return True

    def remove(self, path: str, *, recursive: bool = False) -> None:
        if f"{self.home}/".startswith(f"{path.rstrip('/')}/"):
            raise BadInput("The home itself cannot be deleted", field="path")

        def work(client: Client) -> bool:
            if client.lstat(path).type is not Type.FOLDER:
                client.do(Kind.REMOVE, string(path))
                return True
            if recursive:
                return False
            with explained(path, wrong=Conflict(f"{named(path)} is not empty")):
                client.do(Kind.RMDIR, string(path))
            return True

        if not self._do(path, work):
            programs.remove(self._pool.spawn, path)

    def archive(self, chosen: Collection[str], format: Format) -> Process:
        for path in chosen:
            self.look(path)
        return self._pool.spawn(packing.command(chosen, format))


def _entries(found: list[tuple[str, Attributes]], targets: dict[str, Type]) -> list[Entry]:
    return [one.entry(name, targets.get(name)) for name, one in found]


def _target(client: Client, path: str) -> tuple[str, Attributes | None]:
    """Return the path to write at, behind links, and what stands there. Raises: NotAFile."""
    try:
        found = client.lstat(path)
    except Refused as refused:
        if refused.code == Code.NO_SUCH_FILE:
            return path, None
        raise
    if found.type is Type.LINK:
        end = client.stats([path])[0]
        path = client.real(path)  # refused where links go round, or lead to no folder
        if end is None:
            return path, None
        found = end
    reading.require_file(found, path)
    # A folder one may write would let its files be replaced that one may not.
    client.release(client.open(path, Open.WRITE))
    return path, found


def _created(client: Client, temporary: str, folder: str, bits: int | None) -> bytes:
    flags = Open.WRITE | Open.CREATE | Open.EXCLUSIVE
    try:
        return client.open(temporary, flags, None if bits is None else bits & 0o777)
    except Refused as refused:
        if refused.code == Code.FAILURE:
            raise_if_full(client, folder)
        raise


def _filled(
    client: Client, handle: bytes, body: Iterable[bytes], bits: int | None, folder: str
) -> tuple[Attributes, str]:
    """Write everything; return what the file then is, and its ETag."""
    digest, offset = hashlib.blake2b(digest_size=16), 0
    try:
        for chunk in body:
            for at in range(0, len(chunk), WINDOW_BYTES):
                piece = chunk[at : at + WINDOW_BYTES]
                client.write(handle, offset, piece)
                offset += len(piece)
                if offset <= reading.HASHED_BYTES_MAX:
                    digest.update(piece)
        found = client.finish(handle, bits)
        # Before it has its name: after a power cut there is the old content or the new one, not an
        # empty file, whatever the file system does about renames.
        client.sync(handle)
    except Refused as refused:
        raise_if_full(client, folder)
        raise EngineError("The file could not be written") from refused
    return found, digest.hexdigest() if offset <= reading.HASHED_BYTES_MAX else reading.dated(found)
