"""What people do to a repository as a whole: star, fork, open, change, share, delete."""

from collections.abc import Callable, Mapping

from flask import flash, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from models import Level, Visibility, utcnow
from orchestrator.commons import checkout, collaborators, finding, reading, repositories, stars
from orchestrator.commons.finding import Query
from orchestrator.commons.repositories import Change
from orchestrator.errors import BadInput, RootBloodError
from orchestrator.workspaces import Actor
from web.forms import field_errors, number
from web.identity import address, caller, platform
from web.problems import status_of
from web.repository.page import found, opened, pages, show, url


@pages.post("/star")
def star(owner: str, name: str) -> BaseResponse:
    """Like the repository, or like it no more."""
    row, user = found(owner, name), caller().user
    if stars.has_starred(user, row):
        stars.unstar(user, row)
    else:
        stars.star(platform(), user, utcnow(), row)
    return redirect(url(row), code=303)


@pages.post("/fork")
def fork(owner: str, name: str) -> BaseResponse:
    """Make a copy of one's own and go there."""
    row, user = found(owner, name), caller().user
    mine = finding.fork_of(user, row)
    if mine is None:
        wanted = request.form.get("name", "")
        mine = repositories.fork(platform(), user, utcnow(), row, wanted or None, address=address())
        flash(f"Forked {row.slug}. Push to your copy as you like.", "ok")
    return redirect(url(mine), code=303)


@pages.post("/open")
def open_in_workspace(owner: str, name: str) -> BaseResponse:
    """Clone it into the home of whoever asks, and show a terminal there."""
    row, user = found(owner, name), caller().user
    actor = Actor(user.username, address())
    place = checkout.open_in_workspace(platform(), user, utcnow(), row, actor)
    return redirect(f"/w/{place.workspace}/?session={place.session}", code=303)


@pages.get("/forks")
def forks(owner: str, name: str) -> str:
    """List the copies that people made, as far as one may know of them."""
    row = found(owner, name)
    page = max(1, number(request.args.get("page", "1"), "page"))
    results = finding.search(caller().user, Query(parent=row.id, page=page))
    return show("forks", row, "code", results=results, page=page)


@pages.get("/settings")
def settings(owner: str, name: str) -> tuple[str, int]:
    """Show what can be changed."""
    return _settings(owner, name)


def _settings(owner: str, name: str, error: RootBloodError | None = None) -> tuple[str, int]:
    found(owner, name, Level.ADMIN)
    row, source = opened(owner, name)
    branches = [ref.name for ref in reading.branches(source)]
    page = show(
        "settings", row, "settings",
        branches=branches, collaborators=collaborators.of(row),
        errors=field_errors(error) if error else {},
    )  # fmt: skip
    return page, status_of(error) if error else 200


_CHANGES: dict[str, Callable[[Mapping[str, str]], Change]] = {
    "about": lambda form: Change(
        description=form.get("description", ""), default_branch=form.get("default_branch") or None
    ),
    "rename": lambda form: Change(name=form.get("name", "")),
    "publish": lambda _: Change(visibility=Visibility.PUBLIC),
    "hide": lambda _: Change(visibility=Visibility.PRIVATE),
    "archive": lambda _: Change(archived=True),
    "unarchive": lambda _: Change(archived=False),
    "protect": lambda _: Change(protected=True),
    "unprotect": lambda _: Change(protected=False),
}


@pages.post("/settings/<step>")
def change(owner: str, name: str, step: str) -> BaseResponse | tuple[str, int]:
    """Change one thing about the repository."""
    row = found(owner, name, Level.ADMIN)
    made = _CHANGES.get(step)
    if made is None:
        raise BadInput("There is no such setting", field="step")
    try:
        row = repositories.change(
            platform(), caller().user, utcnow(), row, made(request.form), address=address()
        )
    except RootBloodError as error:
        return _settings(owner, name, error)
    flash("Saved.", "ok")
    return redirect(url(row, "settings"), code=303)


@pages.post("/collaborators")
def add_collaborator(owner: str, name: str) -> BaseResponse | tuple[str, int]:
    """Let somebody read, write or administer it."""
    row, form = found(owner, name, Level.ADMIN), request.form
    try:
        try:
            level = Level(form.get("level", ""))
        except ValueError:
            raise BadInput("Choose what they may do", field="level") from None
        username = form.get("username", "").strip()
        collaborators.put(caller().user, utcnow(), row, username, level, address=address())
    except RootBloodError as error:
        return _settings(owner, name, error)
    flash(f"{username} may {level} now.", "ok")
    return redirect(url(row, "settings"), code=303)


@pages.post("/collaborators/<username>/delete")
def remove_collaborator(owner: str, name: str, username: str) -> BaseResponse:
    """Take somebody's right away."""
    row = found(owner, name)
    collaborators.take(caller().user, utcnow(), row, username, address=address())
    return redirect(url(row, "settings"), code=303)


@pages.post("/delete")
def delete(owner: str, name: str) -> BaseResponse | tuple[str, int]:
    """Delete it, when its name was typed."""
    row = found(owner, name, Level.ADMIN)
    if request.form.get("typed", "") != row.slug:
        error = BadInput(f"Type {row.slug} to delete it", field="typed")
        return _settings(owner, name, error)
    repositories.remove(platform(), caller().user, utcnow(), row, address=address())
    flash(f"Deleted {row.slug}.", "ok")
    return redirect(f"/global/{caller().user.username}/", code=303)
