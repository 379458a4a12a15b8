"""How a repository came to be: log with its graph, commits, comparisons, blame, refs, archives."""

from datetime import datetime
from itertools import groupby

from flask import Response, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from orchestrator.commons import diffs, history, names, reading
from orchestrator.commons.history import Blamed, Commit
from orchestrator.errors import BadInput, NotFound
from web import graph, patch
from web.forms import number
from web.identity import caller
from web.license import licensed
from web.repository.files import crumbs, kept_as, lines_of
from web.repository.page import found, opened, pages, show, url

COMMITS_A_PAGE = 40
REFS_MAX = 500
COMPARED_MAX = 100
"""Of the branches, with the default one."""
BLAME_SECONDS = 0.05
"""For a page to wait for who wrote the lines; then it comes without, and again a moment later."""


@pages.get("/commits/")
def commits(owner: str, name: str) -> str | BaseResponse:
    """Show the log of the default branch."""
    row = found(owner, name)
    return redirect(url(row, "commits", row.default_branch))


@pages.get("/commits/<anything:rest>")
def log(owner: str, name: str, rest: str) -> str:
    """Show the commits that lead to a revision; of one path when the address goes on."""
    row, source = opened(owner, name)
    revision, commit, path = reading.split(source, rest.strip("/"))
    page = max(1, number(request.args.get("page", "1"), "page"))
    skip = (page - 1) * COMMITS_A_PAGE
    listed = history.log(source, commit, path, skip=skip, count=COMMITS_A_PAGE + 1)
    shown = listed[:COMMITS_A_PAGE]
    pairs = zip(shown, _pictures(shown, path), strict=True)
    days = [
        (day, list(pairs_of_day))
        for day, pairs_of_day in groupby(pairs, key=lambda pair: pair[0].committed_at.date())
    ]
    branches, tags = reading.refs(source)
    return show(
        "log", row, "commits",
        revision=revision, commit=commit, path=path, crumbs=crumbs(path), days=days, page=page,
        more=len(listed) > COMMITS_A_PAGE, view="commits",
        branches=branches, tags=tags,
    )  # fmt: skip


def _pictures(commits: list[Commit], path: str) -> list[Markup]:
    if path:  # the commits between are left out: lines would lead nowhere
        return [Markup("")] * len(commits)
    rows = graph.rows((one.id, one.parents) for one in commits)
    pixels = graph.width(rows)
    return [graph.drawn(row, pixels) for row in rows]


@pages.get("/commit/<commit_id>")
def commit(owner: str, name: str, commit_id: str) -> str:
    """Show one commit and what it changed."""
    row, source = opened(owner, name)
    shown = history.commit(source, reading.resolve(source, commit_id))
    diff = diffs.of_commit(source, shown.id, next(iter(shown.parents), None))
    return show(
        "commit", row, "commits", shown=shown, diff=diff, files=patch.files(diff), at=shown.id
    )


@pages.get("/compare/<anything:spec>")
def compare(owner: str, name: str, spec: str) -> str:
    """Show what one revision has that another has not: ``<base>...<head>``."""
    row, source = opened(owner, name)
    base, dots, other = spec.partition("...")
    if not dots:
        base, other = row.default_branch, spec
    old, new = reading.resolve(source, base), reading.resolve(source, other)
    ancestor = history.merge_base(source, old, new)
    diff = diffs.diff(source, ancestor, new)
    return show(
        "compare", row, "commits",
        base=base, other=other, diff=diff, files=patch.files(diff), at=new,
        listed=history.between(source, old, new), branches=reading.branches(source),
    )  # fmt: skip


@pages.get("/compare/")
def compare_form(owner: str, name: str) -> BaseResponse:
    """Go to the comparison that the form asks for."""
    row = found(owner, name)
    base = names.parse_revision(request.args.get("base", row.default_branch))
    other = names.parse_revision(request.args.get("head", row.default_branch))
    return redirect(url(row, "compare", f"{base}...{other}"))


@pages.get("/blame/<anything:rest>")
def blame(owner: str, name: str, rest: str) -> Response:
    """Show who wrote which line of a file, and when, as soon as that is known."""
    row, source = opened(owner, name)
    revision, commit, path = reading.split(source, rest.strip("/"))
    file = reading.blob(source, commit, path)
    if file.binary or file.truncated:
        raise BadInput("That file has no lines to show", field="path")
    history.blame_within(0, source, commit, path)  # begun first: it takes longest
    lines = lines_of(file)
    branches, tags = reading.refs(source)
    blocks = history.blame_within(BLAME_SECONDS, source, commit, path)
    page = show(
        "blame", row, "code",
        revision=revision, commit=commit, path=path, crumbs=crumbs(path), file=file,
        blocks=None if blocks is None else list(zip(blocks, _heats(blocks), strict=True)),
        lines=lines, view="blame",
        branches=branches, tags=tags,
    )  # fmt: skip
    return Response(page, headers={"Refresh": "1"} if blocks is None else {})


def _heats(blocks: list[Blamed]) -> list[int]:
    """Return how recent each block is among the others, in percent."""
    times: list[datetime] = sorted({block.at for block in blocks})
    place = {at: number + 1 for number, at in enumerate(times)}
    return [round(100 * place[block.at] / len(times)) for block in blocks]


@pages.get("/branches")
def branches(owner: str, name: str) -> str:
    """List the branches, with how far each is from the default one."""
    row, source = opened(owner, name)
    listed = reading.branches(source)
    main = next((ref.commit for ref in listed if ref.name == row.default_branch), None)
    near = [ref.commit for ref in listed[:COMPARED_MAX]]
    distances = history.distances(source, main, near) if main else {}
    rows = [(ref, distances.get(ref.commit)) for ref in listed[:REFS_MAX]]
    return show("refs", row, "branches", rows=rows, total=len(listed), kind="branches")


@pages.get("/tags")
def tags(owner: str, name: str) -> str:
    """List the tags."""
    row, source = opened(owner, name)
    listed = reading.tags(source)
    rows = [(ref, None) for ref in listed[:REFS_MAX]]
    return show("refs", row, "tags", rows=rows, total=len(listed), kind="tags")


@pages.get("/archive/<anything:rest>")
def archive(owner: str, name: str, rest: str) -> Response:
    """Send all files of a revision: ``<revision>.tar.gz`` or ``<revision>.zip``."""
    row, source = opened(owner, name)
    for suffix, kind in ((".tar.gz", "application/gzip"), (".zip", "application/zip")):
        if rest.endswith(suffix):
            revision = rest.removesuffix(suffix)
            commit = reading.resolve(source, revision)
            stem = f"{row.name}-{revision.replace('/', '-')}"
            chunks = reading.archive(source, commit, row.name, suffix.removeprefix("."))
            response = Response(licensed(chunks, caller()), mimetype=kind)
            response.call_on_close(getattr(chunks, "close", lambda: None))
            response.headers["Content-Disposition"] = kept_as(stem + suffix)
            return response
    raise NotFound("There are archives as .tar.gz and .zip")
