"""The files of a repository: folders with a README, files with colours, bytes as they are."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import PurePosixPath
from urllib.parse import quote

from flask import Response, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from models import Repository
from orchestrator.commons import history, reading
from orchestrator.commons.reading import Blob, Entry, Kind
from orchestrator.commons.source import Source
from orchestrator.errors import NotFound
from orchestrator.offload import offload
from web import highlight, markdown, visible
from web.forms import number
from web.identity import caller
from web.license import licensed
from web.repository.page import opened, pages, show, url

ENTRIES_A_PAGE = 500
_MARKDOWN = (".md", ".markdown", ".mdown", ".mkd")
_PICTURES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
    ".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon", ".bmp": "image/bmp",
    ".svg": "image/svg+xml",
}  # fmt: skip
_ALONE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""The policy of somebody's bytes: whatever they are, they run nothing and are nobody's page."""


@dataclass(frozen=True)
class Text:
    """A file's content, known by its object's id: what was made of it once is kept."""

    id: str
    path: str
    text: str = field(compare=False, repr=False)


@dataclass(frozen=True)
class Document(Text):
    """A document and what its relative links are relative to."""

    base: markdown.Base = field(default_factory=lambda: markdown.Base(""))


@lru_cache(maxsize=128)
def _lines(text: Text) -> tuple[Markup, ...]:
    return tuple(highlight.lines(text.text, text.path))


@lru_cache(maxsize=256)
def _document(document: Document) -> Markup:
    if not document.path.lower().endswith(_MARKDOWN):
        shown = visible.text(document.text[: markdown.CHARS_MAX])
        return Markup('<pre class="plain-text">{}</pre>').format(shown)
    return markdown.render(document.text, document.base)


def lines_of(blob: Blob) -> tuple[Markup, ...]:
    """Return a file's lines in colour."""
    return offload(_lines, Text(blob.id, visible.name(blob.path), blob.text))


def document_of(row: Repository, revision: str, blob: Blob) -> Markup:
    """Return a file as a document, its links relative to where it lies."""
    folder = str(PurePosixPath(blob.path).parent)
    base = markdown.Base(url(row).rstrip("/"), revision, "" if folder == "." else folder)
    return offload(_document, Document(blob.id, blob.path, blob.text, base))


@pages.get("/")
def home(owner: str, name: str) -> str:
    """Show the files of the default branch, or how to push the first ones."""
    row, source = opened(owner, name)
    commit = reading.head(source, row)
    if commit is None:
        return show("empty", row, "code")
    return _folder(row, source, row.default_branch, commit, "")


@pages.get("/tree/<anything:rest>")
def tree(owner: str, name: str, rest: str) -> str | BaseResponse:
    """Show a folder as it was at a revision."""
    row, source = opened(owner, name)
    revision, commit, path = reading.split(source, rest.strip("/"))
    try:
        return _folder(row, source, revision, commit, path)
    except NotFound:
        if not path:
            raise
        reading.blob(source, commit, path)
        return redirect(url(row, "blob", revision, path))


def _folder(row: Repository, source: Source, revision: str, commit: str, path: str) -> str:
    entries = reading.tree(source, commit, path)
    page = max(1, number(request.args.get("page", "1"), "page"))
    part = entries[(page - 1) * ENTRIES_A_PAGE : page * ENTRIES_A_PAGE]
    changes = history.last_changes(source, commit, path, [entry.name for entry in part])
    # Of a path the log would be walked until it changes: its entries' changes know the latest.
    latest = max(changes.values(), key=lambda one: one.committed_at, default=None)
    if not path or latest is None:
        latest = history.log(source, commit, path, count=1)[0]
    introduction = _introduction(row, source, revision, commit, entries)
    branches, tags = reading.refs(source)
    return show(
        "folder", row, "code",
        revision=revision, commit=commit, path=path, crumbs=crumbs(path),
        entries=part, total=len(entries), page=page,
        pages=-(-len(entries) // ENTRIES_A_PAGE), cut=len(entries) >= reading.FOLDER_ENTRIES_MAX,
        changes=changes, latest=latest, introduction=introduction,
        branches=branches, tags=tags, view="tree", people=row.facts.get("people", [])[:8],
        languages=_shares(row.facts.get("languages", {})), commits=row.facts.get("commits"),
    )  # fmt: skip


def _shares(languages: dict[str, int]) -> list[tuple[str, float]]:
    """Return the largest languages with their share in percent."""
    whole = sum(languages.values())
    return [(name, 100 * size / whole) for name, size in list(languages.items())[:6] if size]


def _introduction(
    row: Repository, source: Source, revision: str, commit: str, entries: list[Entry]
) -> tuple[str, Markup] | None:
    entry = reading.readme(entries)
    if entry is None or entry.kind is not Kind.FILE:
        return None
    blob = reading.blob(source, commit, entry.path)
    return None if blob.binary else (entry.name, document_of(row, revision, blob))


def crumbs(path: str) -> list[tuple[str, str]]:
    """Return each step of a path as (name, path up to it)."""
    steps = path.split("/") if path else []
    return [(step, "/".join(steps[: n + 1])) for n, step in enumerate(steps)]


@pages.get("/blob/<anything:rest>")
def blob(owner: str, name: str, rest: str) -> str | BaseResponse:
    """Show a file as it was at a revision: in colour, or as the document it is."""
    row, source = opened(owner, name)
    revision, commit, path = reading.split(source, rest.strip("/"))
    try:
        file = reading.blob(source, commit, path)
    except NotFound:
        reading.tree(source, commit, path)
        return redirect(url(row, "tree", revision, path))
    document = path.lower().endswith(_MARKDOWN) and "plain" not in request.args
    readable = not file.binary and not file.truncated
    picture = PurePosixPath(path.lower()).suffix in _PICTURES and not file.truncated
    branches, tags = reading.refs(source)
    context = {
        "lines": lines_of(file) if readable and not document else (),
        "document": document_of(row, revision, file) if readable and document else None,
        "latest": next(iter(history.log(source, commit, path, count=1)), None),
        "branches": branches,
        "tags": tags,
    }
    return show(
        "blob", row, "code",
        revision=revision, commit=commit, path=path, crumbs=crumbs(path), file=file,
        readable=readable, picture=picture, is_document=path.lower().endswith(_MARKDOWN),
        view="blob", **context,
    )  # fmt: skip


@pages.get("/raw/<anything:rest>")
def raw(owner: str, name: str, rest: str) -> Response:
    """Send a file's bytes, as text or a picture or to be kept: never as a page of this server."""
    _, source = opened(owner, name)
    _, commit, path = reading.split(source, rest.strip("/"))
    size, chunks = reading.raw(source, commit, path)
    kind, first = _kind_of(path, chunks)
    response = Response(licensed(chain([first], chunks), caller()), mimetype=kind)
    response.call_on_close(getattr(chunks, "close", lambda: None))
    response.content_length = size
    response.headers["Content-Security-Policy"] = _ALONE
    inline = kind == "text/plain" or (kind.startswith("image/") and "svg" not in kind)
    if not inline or "download" in request.args:
        response.headers["Content-Disposition"] = kept_as(path)
    return response


def kept_as(path: str) -> str:
    """Return the header that makes a browser keep what it gets under the path's last name."""
    name = visible.name(PurePosixPath(path).name)
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


def _kind_of(path: str, chunks: Iterator[bytes]) -> tuple[str, bytes]:
    first = next(chunks, b"")
    picture = _PICTURES.get(PurePosixPath(path.lower()).suffix)
    if picture:
        return picture, first
    return ("application/octet-stream" if b"\0" in first[:8000] else "text/plain"), first
