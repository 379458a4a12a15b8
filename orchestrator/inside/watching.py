"""Tell what changes in some folders: one inotify instance, a batch every tenth of a second.

Each line of input replaces what is watched: ``{"watch": [folders], "files": [files]}``. A file is
watched through its folder, so that one which is written anew and moved into place stays watched.
"""

import ctypes
import json
import os
import select
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.inside.lines import end, flush, shown, tell
from orchestrator.inside.repositories import NAMES, places_of

BATCH_SECONDS = 0.1
BATCH_MOST = 2000
"""A build can change more in a tenth of a second; to look anew is cheaper than to be told."""
LINE_BYTES = 4 << 20

# inotify(7), <sys/inotify.h>
MODIFY, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x8, 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF, OVERFLOW, IGNORED = 0x400, 0x800, 0x4000, 0x8000
ONLY_FOLDERS, EXCEPT_UNLINKED, IS_FOLDER = 0x1000000, 0x4000000, 0x40000000
WANTED = (
    MODIFY | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
    | ONLY_FOLDERS | EXCEPT_UNLINKED
)  # fmt: skip
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Place:
    """Why a folder is watched: for all that is in it, for some names, or for git's books."""

    whole: bool = False
    names: set[bytes] = field(default_factory=set)
    git: frozenset[bytes] | None = None
    """Names that tell of a change of the repository; empty is every name."""


@dataclass
class Batch:
    """What has happened since the last report."""

    changed: dict[bytes, dict[str, str]] = field(default_factory=dict)
    origins: dict[int, tuple[bytes, str]] = field(default_factory=dict)
    git: bool = False
    lost: bool = False

    def note(self, path: bytes, mask: int, cookie: int) -> None:
        """Add one event of a path; what came and went within the batch is not told."""
        before = self.changed.get(path, {}).get("kind", "")
        if mask & (DELETE | MOVED_FROM):
            self.origins[cookie] = (path, before)
            self.changed.pop(path, None)
            if before != "created":
                self.changed[path] = {"kind": "removed"}
        elif mask & MOVED_TO and cookie in self.origins:
            origin, was = self.origins.pop(cookie)
            if was == "created":  # an editor's way to save: write beside it, move over it
                self.changed[path] = {"kind": "changed"}
            else:
                self.changed.pop(origin, None)
                self.changed[path] = {"kind": "moved", "from": shown(origin)}
        elif mask & (CREATE | MOVED_TO):
            self.changed[path] = {"kind": "changed" if before == "removed" else "created"}
        else:
            self.changed.setdefault(path, {"kind": "changed"})

    def report(self) -> None:
        """Tell all of it."""
        if self.lost or len(self.changed) > BATCH_MOST:
            tell(lost=True)
        elif self.changed:
            tell(changed=[{"path": shown(p), **what} for p, what in self.changed.items()])
        if self.git:
            tell(git=True)
        flush()


class Watches:
    """The folders that are watched, by path and by the kernel's number for them."""

    def __init__(self) -> None:
        # IN_NONBLOCK | IN_CLOEXEC are O_NONBLOCK | O_CLOEXEC.
        self.descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._places: dict[bytes, Place] = {}
        self._numbers: dict[bytes, int] = {}
        self._paths: dict[int, set[bytes]] = {}

    def replace(self, folders: list[bytes], files: list[bytes]) -> None:
        """Watch these and nothing else; tell of those that cannot be watched."""
        places: dict[bytes, Place] = {}
        for folder in folders:
            places.setdefault(folder, Place()).whole = True
        for file in files:
            folder, name = os.path.split(file)
            places.setdefault(folder, Place()).names.add(name)
        for path, top in places_of(list(places)):
            places.setdefault(path, Place()).git = NAMES if top else frozenset()
        self._places = places
        for path in self._numbers.keys() - places.keys():
            self._drop(path)
        unwatched = [path for path in places if not self._add(path)]
        asked = [path for path in unwatched if places[path].git is None]
        if asked:
            tell(unwatched=[shown(path) for path in asked])
            flush()

    def read(self) -> Batch:
        """Return what has happened."""
        batch, anew = Batch(), False
        for number, mask, cookie, name in self._events():
            if mask & OVERFLOW:
                batch.lost = True
            for path in list(self._paths.get(number, ())):
                anew |= self._note(batch, path, mask, cookie, name)
            if mask & IGNORED:
                for path in self._paths.pop(number, ()):
                    self._numbers.pop(path, None)
        if anew:
            whole = [path for path, place in self._places.items() if place.whole]
            files = [os.path.join(p, n) for p, place in self._places.items() for n in place.names]
            self.replace(whole, files)
        return batch

    def _note(self, batch: Batch, path: bytes, mask: int, cookie: int, name: bytes) -> bool:
        """Add an event to the batch; true when there may be another repository by now."""
        place = self._places.get(path)
        if place is None:
            return False
        if mask & (DELETE_SELF | MOVE_SELF):
            if place.whole:
                batch.note(path, DELETE, 0)
            if mask & MOVE_SELF:  # its number goes along with the folder to another name
                self._drop(path)
            return False
        if name and (place.whole or name in place.names):
            batch.note(os.path.join(path, name), mask, cookie)
        if place.git is not None and not name.endswith(b".lock"):
            batch.git |= not place.git or name in place.git
            return bool(mask & IS_FOLDER and mask & (CREATE | MOVED_TO))
        if name == b".git":
            batch.git = True
            return True
        return False

    def _add(self, path: bytes) -> bool:
        if path in self._numbers:
            return True
        number: int = _libc.inotify_add_watch(self.descriptor, path, WANTED)
        if number < 0:
            return False
        self._numbers[path] = number
        self._paths.setdefault(number, set()).add(path)  # links lead to one folder by many names
        return True

    def _drop(self, path: bytes) -> None:
        number = self._numbers.pop(path, None)
        if number is None:
            return
        others = self._paths[number]
        others.discard(path)
        if not others:
            del self._paths[number]
            _libc.inotify_rm_watch(self.descriptor, number)

    def _events(self) -> Iterator[tuple[int, int, int, bytes]]:
        while True:
            try:
                data = os.read(self.descriptor, 1 << 18)
            except BlockingIOError:
                return
            position = 0
            while position < len(data):
                number, mask, cookie, length = _EVENT.unpack_from(data, position)
                position += _EVENT.size
                name = data[position : position + length].rstrip(b"\0")
                position += length
                yield number, mask, cookie, name


def main() -> None:
    watches, held = Watches(), b""
    if watches.descriptor < 0:
        tell(lost=True, reason=os.strerror(ctypes.get_errno()))
        return
    while True:
        ready, _, _ = select.select([0, watches.descriptor], [], [])
        if 0 in ready:
            data = os.read(0, 65536)
            held += data
            if not data or len(held) > LINE_BYTES:
                end()
            *asked, held = held.split(b"\n")
            for line in asked[-1:]:
                wanted = json.loads(line)
                watches.replace(
                    [os.fsencode(path) for path in wanted["watch"]],
                    [os.fsencode(path) for path in wanted["files"]],
                )
                tell(watching=len(wanted["watch"]))
                flush()
        if watches.descriptor in ready:
            time.sleep(BATCH_SECONDS)
            watches.read().report()
