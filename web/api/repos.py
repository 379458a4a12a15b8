"""Repositories over the API: publish, find, change, fork, star, share the work, take away."""

from flask import Response, request

from models import Level, Repository, Visibility, utcnow
from orchestrator.commons import beginning, collaborators, export, finding, repositories, stars
from orchestrator.commons.finding import Order, Query
from orchestrator.commons.repositories import Change
from orchestrator.errors import BadInput
from web import present_commons as present
from web.api import schema_commons as schema
from web.api.operation import operation
from web.identity import address, caller, platform
from web.license import licensed

ONE = "/repos/<owner>/<repo>"
_SEARCH = (
    ("q", "Words, each in the owner's name, the name or the description."),
    ("owner", "A username."),
    ("language", "Such as Python."),
    ("starred_by", "A username."),
    ("order", "pushed (the default), stars, created or name."),
    ("page", "From 1."),
    ("per_page", "At most 100."),
)


def whole_number(name: str, default: int) -> int:
    """Return a parameter of the query as a number from 0. Raises: BadInput."""
    text = request.args.get(name, f"{default}")
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise BadInput("Write a whole number", field=name)
    return int(text)


def _shown(row: Repository) -> schema.Repository:
    viewer = caller().user
    return present.repository(viewer, finding.listed(viewer, row))


@operation("GET", "/repos", tag="commons", answer=schema.Repositories, query=_SEARCH)
def list_repositories() -> schema.Repositories:
    """Search the repositories that you may know of."""
    args, viewer = request.args, caller().user
    try:
        order = Order(args.get("order", Order.PUSHED))
    except ValueError as error:
        raise BadInput("There is no such order", field="order") from error
    query = Query(
        text=args.get("q", ""),
        owner=args.get("owner", ""),
        language=args.get("language", ""),
        starred_by=args.get("starred_by", ""),
        order=order,
        page=whole_number("page", 1),
        per_page=whole_number("per_page", 30),
    )
    results = finding.search(viewer, query)
    return schema.Repositories(
        repositories=present.repositories(viewer, results.found), total=results.total
    )


@operation("POST", "/repos", tag="commons", body=schema.NewRepository, answer=schema.Repository,
           status=201)  # fmt: skip
def create_repository(body: schema.NewRepository) -> schema.Repository:
    """Publish a repository of your own. A push to a name that is free does so, too."""
    make = beginning.create_with_readme if body.readme else repositories.create
    return _shown(
        make(
            platform(),
            caller().user,
            utcnow(),
            body.name,
            description=body.description,
            visibility=Visibility(body.visibility),
            address=address(),
        )
    )


@operation("GET", "/repos/export", tag="commons", media="application/x-tar")
def export_repositories() -> Response:
    """Download all your repositories and shared files as a tar.

    Each repository is a git bundle, which 'git clone' takes.
    """
    who = caller()
    user = who.user
    pieces = export.tar(platform(), user)
    response = Response(licensed(pieces, who), mimetype="application/x-tar")
    name = f"{user.username}-repositories-{utcnow():%Y%m%d-%H%M}.tar"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(pieces.close)
    return response


@operation("GET", ONE, tag="commons", answer=schema.Repository)
def get_repository(owner: str, repo: str) -> schema.Repository:
    """Return one repository."""
    return _shown(finding.find(caller().user, owner, repo))


@operation("PATCH", ONE, tag="commons", body=schema.RepositoryChange, answer=schema.Repository)
def change_repository(owner: str, repo: str, body: schema.RepositoryChange) -> schema.Repository:
    """Rename, describe, hide, publish, archive or protect a repository."""
    row = finding.find(caller().user, owner, repo, Level.ADMIN)
    given = body.model_dump(exclude={"visibility"})
    visibility = body.visibility and Visibility(body.visibility)
    change = Change(**given, visibility=visibility)
    return _shown(
        repositories.change(platform(), caller().user, utcnow(), row, change, address=address())
    )


@operation("DELETE", ONE, tag="commons", status=204)
def delete_repository(owner: str, repo: str) -> None:
    """Delete a repository of yours for good; its forks stay."""
    row = finding.find(caller().user, owner, repo, Level.ADMIN)
    repositories.remove(platform(), caller().user, utcnow(), row, address=address())


@operation("POST", f"{ONE}/fork", tag="commons", body=schema.NewFork, answer=schema.Repository,
           status=201)  # fmt: skip
def fork_repository(owner: str, repo: str, body: schema.NewFork) -> schema.Repository:
    """Copy a repository to yourself."""
    row = finding.find(caller().user, owner, repo)
    made = repositories.fork(platform(), caller().user, utcnow(), row, body.name, address=address())
    return _shown(made)


@operation("PUT", f"{ONE}/star", tag="commons", status=204)
def star_repository(owner: str, repo: str) -> None:
    """Star a repository."""
    row = finding.find(caller().user, owner, repo)
    stars.star(platform(), caller().user, utcnow(), row)


@operation("DELETE", f"{ONE}/star", tag="commons", status=204)
def unstar_repository(owner: str, repo: str) -> None:
    """Take your star back."""
    stars.unstar(caller().user, finding.find(caller().user, owner, repo))


@operation("GET", f"{ONE}/collaborators", tag="commons", answer=schema.Collaborators)
def list_collaborators(owner: str, repo: str) -> schema.Collaborators:
    """List who else may do what."""
    row = finding.find(caller().user, owner, repo, Level.WRITE)
    return schema.Collaborators(
        collaborators=[
            schema.Collaborator(username=one.user.username, level=one.level)
            for one in collaborators.of(row)
        ]
    )


@operation("PUT", f"{ONE}/collaborators/<username>", tag="commons", body=schema.NewCollaborator,
           answer=schema.Collaborator)  # fmt: skip
def set_collaborator(
    owner: str, repo: str, username: str, body: schema.NewCollaborator
) -> schema.Collaborator:
    """Let somebody read, write or administrate a repository."""
    row = finding.find(caller().user, owner, repo, Level.ADMIN)
    made = collaborators.put(
        caller().user, utcnow(), row, username, Level(body.level), address=address()
    )
    return schema.Collaborator(username=made.user.username, level=made.level)


@operation("DELETE", f"{ONE}/collaborators/<username>", tag="commons", status=204)
def remove_collaborator(owner: str, repo: str, username: str) -> None:
    """Take somebody's right away, or leave by yourself."""
    row = finding.find(caller().user, owner, repo)
    collaborators.take(caller().user, utcnow(), row, username, address=address())
