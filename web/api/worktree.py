"""git in a workspace, over the API: what its user's own git says and does."""

from dataclasses import asdict

from flask import Response, request

from models import Workspace
from orchestrator.files import paths
from orchestrator.names import show_home_path
from orchestrator.worktree import changes, content, history
from orchestrator.worktree import status as statuses
from web.api import worktree_schema as schema
from web.api.inside import ONE, at_work, home_of
from web.api.operation import operation
from web.api.repos import whole_number
from web.identity import caller, platform
from web.license import licensed

GIT = f"{ONE}/git"
_ROOT = ("root", "The work tree's folder; your home unless given.")
_FILE = ("path", "A file, absolute or relative to your home.")


def _path(row: Workspace, text: str, field: str = "path") -> str:
    return paths.parse(text, home_of(row), field=field)


def _root(row: Workspace) -> str:
    return _path(row, request.args.get("root", ""), "root")


@operation("GET", GIT, tag="git", answer=schema.Worktree,
           query=(("path", "A file or folder in it; your home unless given."),))  # fmt: skip
def get_worktree(name: str) -> schema.Worktree:
    """Return the status of the git work tree that a path is in."""
    row = at_work(name)
    found = statuses.status(platform(), row, _path(row, request.args.get("path", "")))
    if found is None:
        return schema.Worktree(root=None)
    files = [
        schema.WorktreeChange.model_validate(
            {"path": c.path, "index": c.index, "work": c.work, "from": c.origin or None}
        )
        for c in found.changes
    ]
    return schema.Worktree(
        root=show_home_path(found.root),
        branch=found.branch,
        head=found.head,
        detached=found.branch is None,
        upstream=found.upstream,
        ahead=found.ahead,
        behind=found.behind,
        state=found.state,
        files=files,
        truncated=found.truncated,
    )


@operation("GET", f"{GIT}/show", tag="git", media="application/octet-stream",
           query=(_FILE, ("at", "HEAD, INDEX, a commit's id, or its first parent as <id>^."),
                  ("root", "The work tree's folder, where the file's may be gone.")))  # fmt: skip
def show_file(name: str) -> Response:
    """Return a file as it was at a commit, or as it is staged."""
    row = at_work(name)
    path, root = _of_file(row)
    blob = content.blob(platform(), row, root, path, request.args.get("at", "HEAD"))
    response = Response(licensed(iter(blob), caller()), mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = "attachment"
    response.content_length = blob.size
    response.call_on_close(blob.close)
    return response


@operation("GET", f"{GIT}/diff", tag="git", answer=schema.WorktreeDiff,
           query=(_FILE, ("staged", "1: the index compared with HEAD."), _ROOT))  # fmt: skip
def diff_file(name: str) -> schema.WorktreeDiff:
    """Compare a file, or all below a folder, with the index, as a unified diff of up to 1 MiB."""
    row = at_work(name)
    path, root = _of_file(row)
    staged = request.args.get("staged", "") in ("1", "true")
    text, cut = content.diff(platform(), row, root, path, staged=staged)
    return schema.WorktreeDiff(diff=text, truncated=cut)


def _of_file(row: Workspace) -> tuple[str, str]:
    """Return the file that the query names, and a folder of its work tree."""
    path = _path(row, request.args.get("path", ""))
    root = _root(row) if "root" in request.args else paths.folder_of(path)
    return path, root


@operation("POST", f"{GIT}/stage", tag="git", body=schema.Paths, status=204)
def stage_files(name: str, body: schema.Paths) -> None:
    """Stage files as they are; deleted ones too."""
    row = at_work(name)
    changes.stage(platform(), row, _path(row, body.root, "root"), body.paths)


@operation("POST", f"{GIT}/unstage", tag="git", body=schema.Paths, status=204)
def unstage_files(name: str, body: schema.Paths) -> None:
    """Take files back out of what is staged; the files stay as they are."""
    row = at_work(name)
    changes.unstage(platform(), row, _path(row, body.root, "root"), body.paths)


@operation("POST", f"{GIT}/discard", tag="git", body=schema.Paths, status=204)
def discard_changes(name: str, body: schema.Paths) -> None:
    """Make files what is staged; those that git does not know are deleted."""
    row = at_work(name)
    changes.discard(platform(), row, _path(row, body.root, "root"), body.paths)


@operation("POST", f"{GIT}/commit", tag="git", body=schema.NewCommit, status=204)
def commit_staged(name: str, body: schema.NewCommit) -> None:
    """Commit what is staged. Hooks run; what they or git refuse is a 409 with their words."""
    row = at_work(name)
    root = _path(row, body.root, "root")
    changes.commit(platform(), row, root, body.message, amend=body.amend)


@operation("GET", f"{GIT}/branches", tag="git", answer=schema.WorktreeBranches, query=(_ROOT,))
def list_worktree_branches(name: str) -> schema.WorktreeBranches:
    """List branches, the latest first; those of remotes as they were last fetched."""
    row = at_work(name)
    found = history.branches(platform(), row, _root(row))
    return schema.WorktreeBranches(branches=[schema.WorktreeBranch(**asdict(one)) for one in found])


@operation("POST", f"{GIT}/switch", tag="git", body=schema.SwitchTo, status=204)
def switch_branch(name: str, body: schema.SwitchTo) -> None:
    """Switch to a branch, made first if asked. 409 where changes would be lost."""
    row = at_work(name)
    root = _path(row, body.root, "root")
    changes.switch(platform(), row, root, body.branch, create=body.create)


@operation("GET", f"{GIT}/log", tag="git", answer=schema.WorktreeCommits,
           query=(_ROOT, ("path", "Only commits that changed this."),
                  ("skip", "How many to leave out."), ("count", "At most 500.")))  # fmt: skip
def list_worktree_commits(name: str) -> schema.WorktreeCommits:
    """List the commits that lead to HEAD, newest first."""
    row = at_work(name)
    root = _root(row)
    path = request.args.get("path", "") or root
    skip, count = whole_number("skip", 0), whole_number("count", 50)
    found = history.log(platform(), row, root, path, skip=skip, count=count)
    return schema.WorktreeCommits(commits=[schema.WorktreeCommit(**asdict(one)) for one in found])


@operation("POST", f"{GIT}/init", tag="git", body=schema.Root, status=204)
def init_repository(name: str, body: schema.Root) -> None:
    """Make a folder a repository; one that is stays as it is."""
    row = at_work(name)
    changes.init(platform(), row, _path(row, body.root, "root"))
