"""A repository that is open for reading, and how git is asked about it."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from models import Repository, Visibility, end_reading
from orchestrator.commons.git import OUTPUT_BYTES_MAX, Git, GitFailed
from orchestrator.commons.kept import Kept
from orchestrator.commons.names import RepoName
from orchestrator.platform import Platform

READ_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """A repository to read. ``id`` is its row's: what is kept is kept by it.

    ``besides`` is another repository whose objects can be read as if they were in this one.
    """

    id: int
    path: Path
    git: Git
    kept: Kept
    besides: Path | None = None

    def ask(
        self, *arguments: str, stdin: bytes = b"", most: int = OUTPUT_BYTES_MAX,
        seconds: float = READ_SECONDS,
    ) -> bytes:  # fmt: skip
        """Run git and return what it wrote. Raises: GitFailed, TooLarge."""
        with self.kept.turns:
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
        return self.kept.within(seconds, (self.id, arguments), lambda: self.ask(*arguments))

    def begin(self, *arguments: str, most: int) -> tuple[bytes, bool]:
        """Return the first ``most`` bytes that git writes, kept, and whether that is all.

        Every revision in ``arguments`` is a full id. Raises: GitFailed, when git wrote nothing, or
        not that much in time.
        """
        key = (self.id, (*arguments, f"{most}"))
        if (answer := self.kept.get(key)) is None:
            flow = self.flow(*arguments, seconds=READ_SECONDS)  # nobody holds a turn for longer
            with self.kept.turns, closing(flow) as pieces:
                answer = _first(pieces, most + 1)
            self.kept.put(key, answer)
        return answer[:most], len(answer) <= most

    def flow(self, *arguments: str, seconds: float | None = None) -> Generator[bytes, None, None]:
        """Run git and yield what it writes; closing the iterator ends it. Raises: GitFailed."""
        return self.git.stream(self.path, *arguments, environment=self.environment, seconds=seconds)

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


def of(platform: Platform, row: Repository, besides: Repository | None = None) -> Source:
    """Return ``row``'s repository for reading. Ends the read transaction under way."""
    end_reading()
    return Source(
        row.id,
        path_of(platform, row),
        platform.store.git,
        platform.kept,
        path_of(platform, besides) if besides is not None and besides.id != row.id else None,
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
