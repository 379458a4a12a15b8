"""A repository that is open for reading, and how git is asked about it."""

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

from models import Repository, User, Visibility, end_reading
from orchestrator.commons.git import OUTPUT_BYTES_MAX, Git, GitFailed, TookTooLong, TooLarge
from orchestrator.commons.kept import Kept
from orchestrator.commons.names import RepoName
from orchestrator.platform import Platform

READ_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """A repository to read. ``id`` is its row's: what is kept is kept by it.

    ``besides`` is another repository whose objects can be read as if they were in this one.
    ``asker`` is the id of the account whose turns the reading takes; 0 is the server itself.
    A ``chore`` has turns of its own: see Kept.
    """

    id: int
    path: Path
    git: Git
    kept: Kept
    besides: Path | None = None
    asker: int = 0
    chore: bool = False

    def ask(
        self, *arguments: str, stdin: bytes = b"", most: int = OUTPUT_BYTES_MAX,
        seconds: float = READ_SECONDS,
    ) -> bytes:  # fmt: skip
        """Run git and return what it wrote. Raises: GitFailed, TooLarge, TooManyRequests."""
        with self.turn():
            return self.git.run(
                self.path, *arguments, stdin=stdin, environment=self.environment, most=most,
                seconds=seconds,
            )  # fmt: skip

    def recall(
        self, *arguments: str, most: int = OUTPUT_BYTES_MAX, seconds: float = READ_SECONDS
    ) -> bytes:
        """Return what :meth:`ask` does, kept: every revision in ``arguments`` is a full id."""
        key = (self.id, arguments)
        if (answer := self.kept.get(key)) is None:
            answer = self.ask(*arguments, most=most, seconds=seconds)
            self.kept.put(key, answer)
        return answer

    def expect(self, seconds: float, *arguments: str) -> bytes | None:
        """Return what :meth:`recall` does, or None after so many seconds; it is found meanwhile."""
        key = (self.id, arguments)
        return self.kept.within(seconds, key, lambda: self.ask(*arguments), self.asker)

    def begin(self, *arguments: str, most: int) -> tuple[bytes, bool]:
        """Return the first ``most`` bytes that git writes, kept, and whether that is all.

        Every revision in ``arguments`` is a full id. Raises: GitFailed, when git wrote nothing;
        TooLarge, when it did not write that much in time; TooManyRequests.
        """
        key = (self.id, (*arguments, f"{most}"))
        if (answer := self.kept.get(key)) is None:
            flow = self.flow(*arguments, seconds=READ_SECONDS)  # nobody holds a turn for longer
            try:
                with self.turn(), closing(flow) as pieces:
                    answer = _first(pieces, most + 1)
            except TookTooLong as error:  # it is there: not what GitFailed means to callers
                raise TooLarge(error.message) from error
            self.kept.put(key, answer)
        return answer[:most], len(answer) <= most

    def flow(self, *arguments: str, seconds: float | None = None) -> Generator[bytes, None, None]:
        """Run git and yield what it writes; closing the iterator ends it. Raises: GitFailed."""
        return self.git.stream(self.path, *arguments, environment=self.environment, seconds=seconds)

    def download(self, *arguments: str) -> Generator[bytes, None, None]:
        """Do what :meth:`flow` does, for somebody far away; closing the iterator ends it.

        Raises: TooManyRequests at once; GitFailed.
        """
        pieces = self._counted(self.flow(*arguments))
        next(pieces)  # what was begun ends when it is closed, or forgotten before it is sent
        return pieces

    def _counted(self, flow: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
        with self.kept.downloads.one(self.asker), closing(flow):
            yield b""
            yield from flow

    def turn(self) -> AbstractContextManager[None]:
        """Hold a turn for the time of the block: git is asked then. Raises: TooManyRequests."""
        turns = self.kept.chores if self.chore else self.kept.turns
        return turns.one(self.asker)

    @property
    def environment(self) -> dict[str, str]:
        """What git is told about objects that lie elsewhere."""
        if self.besides is None:
            return {}
        return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f"{self.besides / 'objects'}"}

    def known(self, oid: str) -> bool:
        """Return whether there still is a commit of that full id."""
        try:
            self.ask("cat-file", "-e", f"{oid}^{{commit}}")
        except GitFailed:
            return False
        return True


def of(
    platform: Platform, row: Repository, besides: Repository | None = None, *,
    asker: User | None = None, chore: bool = False,
) -> Source:  # fmt: skip
    """Return ``row``'s repository for ``asker`` to read. Ends the read transaction under way."""
    end_reading()
    return Source(
        row.id,
        path_of(platform, row),
        platform.store.git,
        platform.kept,
        path_of(platform, besides) if besides is not None and besides.id != row.id else None,
        asker.id if asker is not None else 0,
        chore,
    )


def path_of(platform: Platform, row: Repository) -> Path:
    """Return where ``row``'s repository lies."""
    return platform.store.path(name_of(row), private=row.visibility is Visibility.PRIVATE)


def name_of(row: Repository) -> RepoName:
    """Return the full name of ``row``."""
    return RepoName(row.owner.username, row.name)


def _first(pieces: Iterator[bytes], most: int) -> bytes:
    answer = bytearray()
    for piece in pieces:
        answer += piece
        if len(answer) >= most:
            break
    return bytes(answer[:most])
