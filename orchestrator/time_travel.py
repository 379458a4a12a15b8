"""Look into snapshots: folders, versions of a file, differences, and what to take away."""

import base64
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from models import Snapshot, User
from orchestrator import snapshot_room, snapshots
from orchestrator.engines import Process
from orchestrator.errors import BadInput, Conflict, EngineError, NotFound, SnapshotError
from orchestrator.keys import Proof
from orchestrator.names import parse_home_path
from orchestrator.platform import Platform
from orchestrator.snapshot_room import Room
from orchestrator.storage import restic
from orchestrator.storage.restic import Entry

LISTED_MAX = 5000
DIFF_BYTES = 1 << 20
CHUNK_BYTES = 256 << 10
STALL_SECONDS = 120.0
_CACHED_ENTRIES = 50_000
DIFF_SECONDS = 10
# Reads both texts, the older one first, and writes what GNU diff says of them. Memory and time are
# those of the container, and whoever does not get through in time is told so by the exit code.
_COMPARE = """
import subprocess, sys, tempfile
length, seconds = int(sys.argv[1]), int(sys.argv[2])
both = sys.stdin.buffer.read()
with tempfile.TemporaryDirectory() as place:
    for name, text in (("older", both[:length]), ("newer", both[length:])):
        with open(f"{place}/{name}", "wb") as file:
            file.write(text)
    argv = ["diff", "--text", "-u", "--label", "older", "--label", "newer", "older", "newer"]
    done = subprocess.run(argv, cwd=place, stdout=subprocess.PIPE, timeout=seconds)
sys.stdout.buffer.write(done.stdout)
sys.exit(done.returncode > 1)
"""


@dataclass(frozen=True, slots=True)
class Folder:
    """What is at a path of a snapshot; ``entries`` are a folder's, folders first."""

    here: Entry
    entries: tuple[Entry, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Version:
    """A file as a snapshot has it."""

    snapshot: Snapshot
    file: Entry


@dataclass(frozen=True, slots=True)
class Difference:
    """A unified diff; ``text`` is empty where the files are equal or cannot be compared."""

    older: int | None
    newer: int | None
    text: str = ""
    binary: bool = False
    too_large: bool = False


class _Cache:
    """Folders of snapshots, which never change; the least used go first."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._guard = threading.Lock()
        self._folders: OrderedDict[tuple[str, str], Folder] = OrderedDict()

    def get(self, id: str, path: str) -> Folder | None:
        with self._guard:
            found = self._folders.get((id, path))
            if found is not None:
                self._folders.move_to_end((id, path))
            return found

    def put(self, id: str, path: str, folder: Folder) -> None:
        with self._guard:
            before = self._folders.pop((id, path), None)
            self._folders[id, path] = folder
            self._held += _weight(folder) - (_weight(before) if before else 0)
            while self._held > self._most:
                _, oldest = self._folders.popitem(last=False)
                self._held -= _weight(oldest)


def _weight(folder: Folder) -> int:
    return 1 + len(folder.entries)


_cache = _Cache(_CACHED_ENTRIES)


def files(
    platform: Platform, user: User, snapshot_id: int, path: str, proof: Proof | None
) -> Folder:
    """Return what a folder of a snapshot holds. Raises: BadInput, NotFound, HomeLocked."""
    path = parse_home_path(path, root=True)
    row = snapshots.find(user, snapshot_id)
    if (cached := _cache.get(row.restic_id, path)) is not None:
        snapshot_room.require_key(platform, user, proof)
        found = cached
    else:
        with snapshot_room.reading(platform, user, proof) as room:
            found = _look(room, row.restic_id, path, LISTED_MAX)
        _cache.put(row.restic_id, path, found)
    if found.here.type != "dir":
        raise BadInput("That is not a folder", field="path")
    return found


def _look(room: Room, id: str, path: str, most: int) -> Folder:
    outer, _, name = path.rpartition("/")
    known = _cache.get(id, outer) if path else None
    tree, rest = (known.here.tree, name) if known else ("", path)
    here: Entry | None = None
    entries: list[Entry] = []
    truncated = False
    for event in room.ask("list", snapshot=restic.checked(id), tree=tree, path=rest, most=most):
        match event:
            case {"here": node}:
                here = restic.parse_entry(node)
            case {"entry": node}:
                entries.append(restic.parse_entry(node))
            case {"truncated": more}:
                truncated = bool(more)
    if here is None:
        raise SnapshotError("restic did not say what is there")
    return Folder(here, tuple(entries), truncated)


def versions(platform: Platform, user: User, path: str, proof: Proof | None) -> list[Version]:
    """Return the versions of a file, newest first: each that differs from the one before it."""
    path = parse_home_path(path)
    rows = snapshots.of_user(user)
    if not rows:
        return []
    with snapshot_room.reading(platform, user, proof) as room:
        found = restic.parse_found(room.run(restic.find(path)))
    kept: list[Version] = []
    older: Entry | None = None
    for row in reversed(rows):
        file = found.get(row.restic_id)
        if (
            file is not None
            and file.type == "file"
            and (older is None or _face(file) != _face(older))
        ):
            kept.append(Version(row, file))
        older = file
    return kept[::-1]


def _face(file: Entry) -> tuple[int, datetime]:
    return file.size_bytes, file.modified_at


def diff(
    platform: Platform, user: User, path: str, older: int, newer: int | None, proof: Proof | None
) -> Difference:
    """Compare two versions of a file; ``newer`` None is the home as it is.

    Raises: BadInput, NotFound where neither has it, HomeLocked.
    """
    path = parse_home_path(path)
    row = snapshots.find(user, older)
    other = snapshots.find(user, newer) if newer is not None else None
    with snapshot_room.reading(platform, user, proof, files=newer is None) as room:
        before = _kept_bytes(room, row.restic_id, path)
        after = _kept_bytes(room, other.restic_id, path) if other else _present_bytes(room, path)
        if before is None and after is None:
            raise NotFound("There is no such file")
        older_id = older if before is not None else None
        texts = [b"" if data is None else data for data in (before, after)]
        if any(len(data) > DIFF_BYTES for data in texts):
            return Difference(older_id, newer, too_large=True)
        if any(b"\0" in data for data in texts):
            return Difference(older_id, newer, binary=texts[0] != texts[1])
        text = _unified(room, texts[0], texts[1])
    if text is None:
        return Difference(older_id, newer, too_large=True)
    return Difference(older_id, newer, text=text)


def _kept_bytes(room: Room, id: str, path: str) -> bytes | None:
    """Return a file's bytes, one more than may be compared where it is larger."""
    try:
        here = _look(room, id, path, 0).here
    except NotFound:
        return None
    if here.type != "file":
        raise BadInput("That is not a file", field="path")
    if here.size_bytes > DIFF_BYTES:
        return bytes(DIFF_BYTES + 1)
    process = room.spawn("dump", argv=restic.dump(id, path), squeeze=False)
    try:
        process.settimeout(STALL_SECONDS)
        data = b""
        while len(data) <= DIFF_BYTES and (chunk := process.read(CHUNK_BYTES)):
            data += chunk
        if len(data) != here.size_bytes:
            raise SnapshotError("The file could not be read from the snapshot")
        return data
    finally:
        process.close()


def _present_bytes(room: Room, path: str) -> bytes | None:
    try:
        (told,) = room.ask("read", path=path, most=DIFF_BYTES)
    except NotFound:
        return None
    if told["size"] > DIFF_BYTES:
        return bytes(DIFF_BYTES + 1)
    return base64.b64decode(told["data"])


def _unified(room: Room, older: bytes, newer: bytes) -> str | None:
    """Return the diff, None where it is too large or takes too long.

    Two texts can be made to take minutes to compare, so it is their owner's container that does.
    """
    argv = ("/usr/bin/python3", "-I", "-c", _COMPARE, str(len(older)), str(DIFF_SECONDS))
    done = room.platform.engine.exec(
        room.container.name, argv, stdin=older + newer, timeout=DIFF_SECONDS * 3
    )
    if done.exit_code != 0 or len(done.stdout) > DIFF_BYTES:
        return None
    return done.stdout.decode(errors="replace")


class Download:
    """Bytes of a snapshot. :meth:`close` ends the work, finished or not."""

    def __init__(
        self, platform: Platform, user: User, id: str, path: str, proof: Proof | None, *, tar: bool
    ) -> None:
        self._stack = ExitStack()
        if tar:  # it may keep the home open for hours
            self._take_turn(platform, user.id)
        try:
            room = self._stack.enter_context(snapshot_room.reading(platform, user, proof))
            self.file = _look(room, id, path, 0).here
            if not tar and self.file.type != "file":
                raise BadInput("That is not a file", field="path")
            if tar and self.file.type != "dir":
                raise BadInput("That is not a folder", field="path")
            self._process: Process = room.spawn("dump", argv=restic.dump(id, path), squeeze=tar)
            self._stack.callback(self._process.close)
            self._process.settimeout(STALL_SECONDS)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._process.read(CHUNK_BYTES):
            yield chunk
        if code := self._process.wait():
            # The response has long begun: breaking the connection is the only honest signal.
            raise EngineError(f"The download ended early (code {code})")
        self.close()  # before the client learns that this was all, and asks for more

    def _take_turn(self, platform: Platform, user_id: int) -> None:
        if user_id in platform.archiving:
            raise Conflict(
                "Your home is being downloaded already",
                hint="Wait until that download ends, or cancel it.",
            )
        platform.archiving.add(user_id)
        self._stack.callback(platform.archiving.discard, user_id)

    def close(self) -> None:
        """End the work; called when the download ends, fails or is given up."""
        self._stack.close()


def content(
    platform: Platform, user: User, snapshot_id: int, path: str, proof: Proof | None
) -> Download:
    """Begin to send a file of a snapshot; the caller iterates and closes it."""
    path = parse_home_path(path)
    row = snapshots.find(user, snapshot_id)
    return Download(platform, user, row.restic_id, path, proof, tar=False)


def archive(
    platform: Platform, user: User, snapshot_id: int, path: str, proof: Proof | None
) -> Download:
    """Begin to send a snapshot, or a folder of it, as a tar.gz; the caller closes it."""
    path = parse_home_path(path, root=True)
    row = snapshots.find(user, snapshot_id)
    return Download(platform, user, row.restic_id, path, proof, tar=True)
