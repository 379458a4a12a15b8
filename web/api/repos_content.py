"""What is in a repository, over the API. A revision is a branch, a tag or the id of a commit."""

from dataclasses import asdict

from flask import Response, request

from models import Repository
from orchestrator.commons import diffs, finding, history, reading, source
from orchestrator.commons.source import Source
from orchestrator.errors import BadInput, NotFound
from web import present_commons as present
from web.api import schema_commons as schema
from web.api.operation import operation
from web.api.repos import ONE, whole_number
from web.identity import caller, platform
from web.license import licensed

_REVISION = ("revision", "A branch, a tag or a commit; the default branch unless given.")
_PATH = ("path", "From the top of the repository.")


def _opened(owner: str, repo: str) -> tuple[Repository, Source]:
    viewer = caller().user
    row = finding.find(viewer, owner, repo)
    return row, source.of(platform(), row, asker=viewer)


def _at(owner: str, repo: str) -> tuple[Source, str]:
    """Return the repository and the commit that the query names. Raises: NotFound."""
    row, here = _opened(owner, repo)
    if revision := request.args.get("revision"):
        return here, reading.resolve(here, revision)
    if (commit := reading.head(here, row)) is None:
        raise NotFound("Nothing was pushed to the default branch yet")
    return here, commit


def _path() -> str:
    return request.args.get("path", "")


@operation("GET", f"{ONE}/branches", tag="commons", answer=schema.Refs)
def list_branches(owner: str, repo: str) -> schema.Refs:
    """List the branches, those with the latest commits first."""
    return present.refs(reading.branches(_opened(owner, repo)[1]))


@operation("GET", f"{ONE}/tags", tag="commons", answer=schema.Refs)
def list_tags(owner: str, repo: str) -> schema.Refs:
    """List the tags, the latest first."""
    return present.refs(reading.tags(_opened(owner, repo)[1]))


@operation("GET", f"{ONE}/facts", tag="commons", answer=schema.Facts)
def get_facts(owner: str, repo: str) -> schema.Facts:
    """Return contributors and languages, as measured after the last push."""
    return present.facts(_opened(owner, repo)[0])


@operation("GET", f"{ONE}/tree", tag="commons", answer=schema.Folder, query=(_REVISION, _PATH))
def list_folder(owner: str, repo: str) -> schema.Folder:
    """List a folder, at most 2000 entries of it."""
    here, commit = _at(owner, repo)
    entries = [schema.Entry(**asdict(one)) for one in reading.tree(here, commit, _path())]
    return schema.Folder(commit=commit, path=_path(), entries=entries)


@operation("GET", f"{ONE}/raw", tag="commons", media="application/octet-stream",
           query=(_REVISION, _PATH))  # fmt: skip
def download_file(owner: str, repo: str) -> Response:
    """Download a file as it is."""
    here, commit = _at(owner, repo)
    size, pieces = reading.raw(here, commit, _path())
    response = Response(licensed(pieces, caller()), mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = "attachment"
    response.content_length = size
    response.call_on_close(pieces.close)
    return response


@operation("GET", f"{ONE}/archive", tag="commons", media="application/octet-stream",
           query=(_REVISION, ("format", "tar.gz (the default) or zip.")))  # fmt: skip
def download_archive(owner: str, repo: str) -> Response:
    """Download all files of a revision."""
    here, commit = _at(owner, repo)
    kind = request.args.get("format", "tar.gz")
    pieces = reading.archive(here, commit, f"{repo}-{commit[:12]}", kind)
    response = Response(licensed(pieces, caller()), mimetype="application/octet-stream")
    name = f"{repo}-{commit[:12]}.{kind}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.call_on_close(pieces.close)
    return response


@operation("GET", f"{ONE}/commits", tag="commons", answer=schema.Commits,
           query=(_REVISION, _PATH, ("skip", "How many to leave out."),
                  ("count", "At most 500.")))  # fmt: skip
def list_commits(owner: str, repo: str) -> schema.Commits:
    """List the commits that lead to a revision, newest first; those of one path if given."""
    here, commit = _at(owner, repo)
    found = history.log(
        here, commit, _path(), skip=whole_number("skip", 0), count=whole_number("count", 30)
    )
    return schema.Commits(commits=present.commits(found))


@operation("GET", f"{ONE}/commits/<commit>", tag="commons", answer=schema.CommitWithDiff)
def get_commit(owner: str, repo: str, commit: str) -> schema.CommitWithDiff:
    """Return a commit and what it changed, compared with its first parent."""
    _, here = _opened(owner, repo)
    found = history.commit(here, reading.resolve(here, commit))
    changes = diffs.of_commit(here, found.id, next(iter(found.parents), None))
    return schema.CommitWithDiff(commit=present.commit(found), diff=present.diff(changes))


@operation("GET", f"{ONE}/compare", tag="commons", answer=schema.Comparison,
           query=(("base", "A revision."), ("head", "A revision.")))  # fmt: skip
def compare(owner: str, repo: str) -> schema.Comparison:
    """Return what 'head' has that 'base' has not, since they parted."""
    _, here = _opened(owner, repo)
    base, head = (reading.resolve(here, request.args.get(name, "")) for name in ("base", "head"))
    common = history.merge_base(here, base, head)
    ahead, behind = history.ahead_behind(here, base, head)
    return schema.Comparison(
        base=base,
        head=head,
        merge_base=common,
        ahead=ahead,
        behind=behind,
        commits=present.commits(history.between(here, base, head)),
        diff=present.diff(diffs.diff(here, common, head)),
    )


@operation("GET", f"{ONE}/blame", tag="commons", answer=schema.Blame, query=(_REVISION, _PATH))
def blame(owner: str, repo: str) -> schema.Blame:
    """Return who wrote which lines of a file."""
    here, commit = _at(owner, repo)
    if not _path():
        raise BadInput("Name a file", field="path")
    found = [schema.Blamed.model_validate(asdict(one)) for one in
             history.blame(here, commit, _path())]  # fmt: skip
    return schema.Blame(commit=commit, path=_path(), blamed=found)
