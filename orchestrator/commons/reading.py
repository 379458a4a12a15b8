"""What is in a repository: its branches and tags, its folders and files.

Everything here takes full commit ids, which :func:`resolve` makes of what people write. Names in a
repository are whatever people committed: bytes that are no UTF-8 are shown, but not found again.
"""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import accumulate

from models import Repository
from orchestrator.commons.git import GitFailed
from orchestrator.commons.names import (
    parse_branch,
    parse_object,
    parse_path,
    parse_revision,
)
from orchestrator.commons.source import Source
from orchestrator.errors import BadInput, NotFound

BLOB_BYTES_MAX = 1 << 20
"""Of a file that is shown; what is larger can be downloaded."""
FOLDER_ENTRIES_MAX = 2000
REFS_MAX = 1000
_SLASHES_MAX = 30
_HEADS, _TAGS = "refs/heads", "refs/tags"
_REF_FIELDS = "%00".join(
    ("%(refname:rstrip=-2)", "%(refname:lstrip=2)", "%(objectname)", "%(*objectname)",
     "%(contents:subject)", "%(authorname)%(*authorname)", "%(creatordate:unix)")
)  # fmt: skip
_READMES = ("readme.md", "readme.markdown", "readme.rst", "readme.txt", "readme")


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch or tag with the commit that it stands at."""

    name: str
    commit: str
    subject: str
    author: str
    at: datetime


class Kind(StrEnum):
    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    MODULE = "module"
    """A submodule: a commit of another repository."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder. ``size`` is that of a file or link."""

    name: str
    path: str
    kind: Kind
    executable: bool
    id: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Blob:
    """A file: its first ``BLOB_BYTES_MAX`` bytes, and how large it is."""

    path: str
    id: str
    kind: Kind
    size: int
    data: bytes

    @property
    def truncated(self) -> bool:
        """Whether there is more of it."""
        return self.size > len(self.data)

    @property
    def binary(self) -> bool:
        """Whether it has a NUL in its first 8000 bytes, as git judges (buffer_is_binary)."""
        return b"\0" in self.data[:8000]

    @property
    def text(self) -> str:
        """The content as UTF-8, with what is none replaced."""
        return self.data.decode(errors="replace")


def branches(source: Source) -> list[Ref]:
    """Return the branches, those with the latest commits first."""
    return _refs(source, _HEADS)[_HEADS]


def tags(source: Source) -> list[Ref]:
    """Return the tags, the latest first."""
    return _refs(source, _TAGS)[_TAGS]


def refs(source: Source) -> tuple[list[Ref], list[Ref]]:
    """Return branches and tags, asked for at once."""
    found = _refs(source, _HEADS, _TAGS)
    return found[_HEADS], found[_TAGS]


def _refs(source: Source, *spaces: str) -> dict[str, list[Ref]]:
    found: dict[str, list[Ref]] = {space: [] for space in spaces}
    try:
        lines = source.ask(
            "for-each-ref", "--sort=-creatordate", f"--count={REFS_MAX * len(spaces)}",
            f"--format={_REF_FIELDS}", *spaces,
        )  # fmt: skip
    except GitFailed:
        return found
    for line in lines.decode(errors="replace").split("\n")[:-1]:
        space, name, oid, peeled, subject, author, at = line.split("\0")
        found[space].append(Ref(name, peeled or oid, subject, author, moment(at)))
    return found


def moment(seconds: str) -> datetime:
    """Return git's seconds as a time; whoever commits can claim any number of them."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def head(source: Source, row: Repository) -> str | None:
    """Return the commit of the default branch; None while nothing was pushed to it."""
    return branch(source, row.default_branch)


def branch(source: Source, name: str) -> str | None:
    """Return the commit that a branch stands at, if there is that branch."""
    return _first_commit(source, [f"refs/heads/{parse_branch(name)}"])


def resolve(source: Source, revision: str) -> str:
    """Return the full id of the commit that a branch, tag or (short) id names. Raises: NotFound."""
    try:
        found = _first_commit(source, _meanings(parse_revision(revision)))
    except BadInput:
        found = None
    if found is None:
        raise NotFound(f"There is no '{revision[:60]}' in this repository")
    return found


def split(source: Source, text: str) -> tuple[str, str, str]:
    """Return revision, commit id and path of ``<revision>/<path>``, as an address has them.

    Branches may have slashes in their names: the longest one wins. Raises: NotFound.
    """
    text = text.strip("/")
    parts = text.split("/")[:_SLASHES_MAX]
    asked: list[tuple[str, str]] = []
    for revision in reversed(list(accumulate(parts, "{}/{}".format))):
        with suppress(BadInput):
            asked += [(revision, name) for name in _meanings(parse_revision(revision))]
    found = _commits(source, [name for _, name in asked])
    for (revision, _), commit in zip(asked, found, strict=False):
        if commit is not None:
            return revision, commit, text[len(revision) + 1 :]
    raise NotFound(f"There is no '{text[:60]}' in this repository")


def _meanings(revision: str) -> list[str]:
    """Return what a revision may stand for, the likeliest first."""
    if revision.startswith("refs/"):
        return [revision]
    short = [f"refs/heads/{revision}", f"refs/tags/{revision}"]
    # A ref that only looks like an id could be meant to pass for the commit of that id.
    return [revision, *short] if len(revision) == 40 else [*short, revision]


def _first_commit(source: Source, names: list[str]) -> str | None:
    return next(filter(None, _commits(source, names)), None)


def _commits(source: Source, names: list[str]) -> list[str | None]:
    """Return the commit that each of ``names`` stands for, asked all at once."""
    asked = "".join(f"{name}^{{commit}}\n" for name in names).encode()
    try:
        answers = source.ask("cat-file", "--batch-check=%(objectname)", stdin=asked)
    except GitFailed:
        return []
    return [_id(line) for line in answers.decode(errors="replace").split("\n")[:-1]]


def _id(line: str) -> str | None:
    try:
        return parse_object(line)
    except BadInput:
        return None


def tree(source: Source, commit: str, path: str = "") -> list[Entry]:
    """Return a folder's first ``FOLDER_ENTRIES_MAX`` entries, folders first. Raises: NotFound."""
    path = parse_path(path)
    try:
        listed, whole = source.begin(
            "ls-tree", "-l", "-z", "--full-tree", f"{parse_object(commit)}:{path}", most=1 << 20
        )
    except GitFailed as error:
        raise NotFound(f"There is no folder '{path[:200]}'") from error
    lines = listed.split(b"\0")
    lines = lines[:-1] if whole else lines[:-2]
    found = [_entry(line, path) for line in lines[:FOLDER_ENTRIES_MAX]]
    return sorted(found, key=lambda one: (one.kind is not Kind.FOLDER, one.name))


def _entry(line: bytes, folder: str) -> Entry:
    facts, _, name_bytes = line.partition(b"\t")
    mode, kind, oid, size = facts.decode().split()
    name = name_bytes.decode(errors="replace")
    return Entry(
        name=name,
        path=f"{folder}/{name}" if folder else name,
        kind={"tree": Kind.FOLDER, "commit": Kind.MODULE}.get(
            kind, Kind.LINK if mode == "120000" else Kind.FILE
        ),
        executable=mode == "100755",
        id=oid,
        size=int(size) if size != "-" else None,
    )


def entry(source: Source, commit: str, path: str) -> Entry:
    """Return what a path names: a file, a folder, a link or a submodule. Raises: NotFound."""
    path = parse_path(path)
    try:
        line = source.recall(
            "ls-tree", "-l", "-z", "--full-tree", parse_object(commit), "--", path or "."
        )
    except GitFailed:
        line = b""
    if not path or not line:
        raise NotFound(f"There is no '{path[:200]}'")
    found = _entry(line.rstrip(b"\0"), "")
    return Entry(path.rpartition("/")[2], path, found.kind, found.executable, found.id, found.size)


def blob(source: Source, commit: str, path: str) -> Blob:
    """Return a file. Raises: NotFound, also where the path is a folder."""
    found = _file(source, commit, path)
    data, _ = source.begin("cat-file", "blob", found.id, most=BLOB_BYTES_MAX)
    return Blob(found.path, found.id, found.kind, found.size or 0, data)


def raw(source: Source, commit: str, path: str) -> tuple[int, Generator[bytes, None, None]]:
    """Return a file's size and its bytes in chunks; close the iterator. Raises: NotFound."""
    found = _file(source, commit, path)
    return found.size or 0, source.download("cat-file", "blob", found.id)


def _file(source: Source, commit: str, path: str) -> Entry:
    found = entry(source, commit, path)
    if found.kind not in (Kind.FILE, Kind.LINK):
        raise NotFound(f"'{path[:200]}' is not a file")
    return found


def readme(entries: list[Entry]) -> Entry | None:
    """Return the entry that introduces a folder, if there is one."""
    files = {one.name.lower(): one for one in entries if one.kind is Kind.FILE}
    return next((files[name] for name in _READMES if name in files), None)


def archive(source: Source, commit: str, prefix: str, kind: str) -> Generator[bytes, None, None]:
    """Yield all files of a commit below the folder ``prefix``, as ``zip`` or ``tar.gz``.

    ``prefix`` is a repository's name, parsed. Close the iterator.
    """
    if kind not in ("zip", "tar.gz"):
        raise BadInput("Choose zip or tar.gz", field="format")
    return source.download(
        "archive", f"--format={kind}", f"--prefix={prefix}/", "--end-of-options",
        parse_object(commit),
    )  # fmt: skip
