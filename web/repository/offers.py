"""Proposals to a repository: the list, a new one, one with its commits and changes."""

from typing import Any

from flask import flash, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from models import Level, Method, Proposal, Repository, Stage, utcnow
from orchestrator.commons import (
    accepting,
    discussion,
    finding,
    proposals,
    reading,
    rights,
    source,
)
from orchestrator.commons.proposals import Offer
from orchestrator.errors import BadInput, RootBloodError
from web import documents, markdown, patch
from web.forms import field_errors, number
from web.identity import caller, platform
from web.problems import status_of
from web.repository.page import found, opened, pages, show, url


@pages.get("/proposals/")
def proposals_list(owner: str, name: str) -> str:
    """List the proposals of one stage."""
    row = found(owner, name)
    text = request.args.get("stage", Stage.OPEN)
    stage = Stage(text) if text in Stage.__members__.values() else None
    page = max(1, number(request.args.get("page", "1"), "page"))
    listed, total = proposals.of_repository(row, stage, page)
    counts = {one: proposals.of_repository(row, one)[1] for one in Stage}
    return show(
        "proposals", row, "proposals",
        listed=listed, total=total, stage=stage, page=page, counts=counts,
    )  # fmt: skip


def sources_of(row: Repository) -> list[Repository]:
    """Return where the caller's branches for ``row`` can come from: their fork, or itself."""
    user = caller().user
    mine = finding.fork_of(user, row)
    own = [row] if rights.allows(finding.level_of(user, row), Level.WRITE) else []
    return [*([mine] if mine else []), *own]


@pages.get("/proposals/new")
def new_proposal(owner: str, name: str) -> tuple[str, int]:
    """Ask what is offered, and where to."""
    return _form(owner, name, request.args)


def _form(
    owner: str, name: str, values: Any, error: RootBloodError | None = None
) -> tuple[str, int]:
    row, opened_row = opened(owner, name)
    targets = [ref.name for ref in reading.branches(opened_row)]
    choices = [
        (one, ref)
        for one in sources_of(row)
        for ref in reading.branches(source.of(platform(), one, asker=caller().user))
        if (one.id, ref.name) != (row.id, row.default_branch)
    ]
    subjects = {f"{one.slug}:{ref.name}": ref.subject for one, ref in choices}
    title = subjects.get(values.get("source", ""), next(iter(subjects.values()), ""))
    page = show(
        "proposal_new", row, "proposals",
        choices=choices, targets=targets, values=values, title=title[:proposals.TITLE_MAX],
        errors=field_errors(error) if error else {},
    )  # fmt: skip
    return page, status_of(error) if error else 200


@pages.post("/proposals/")
def create_proposal(owner: str, name: str) -> BaseResponse | tuple[str, int]:
    """Offer a branch."""
    row, form = found(owner, name), request.form
    where, _, branch = form.get("source", "").partition(":")
    try:
        origin = next((one for one in sources_of(row) if one.slug == where), None)
        if origin is None:
            raise BadInput("Choose a branch of your fork", field="source")
        made = proposals.create(
            platform(), caller().user, utcnow(), row,
            Offer(
                source=origin,
                source_branch=branch,
                target_branch=form.get("target", row.default_branch),
                title=form.get("title", ""),
                text=form.get("text", ""),
            ),
        )  # fmt: skip
    except RootBloodError as error:
        return _form(owner, name, form, error)
    return redirect(url(row, "proposals", str(made.number)), code=303)


@pages.get("/proposals/<int:count>")
def proposal(owner: str, name: str, count: int) -> str:
    """Show what was said about a proposal, and whether it can be merged."""
    return _proposal(owner, name, count, "talk")


@pages.get("/proposals/<int:count>/files")
def proposal_files(owner: str, name: str, count: int) -> str:
    """Show what a proposal changes, with what was said about lines."""
    return _proposal(owner, name, count, "files")


@pages.get("/proposals/<int:count>/commits")
def proposal_commits(owner: str, name: str, count: int) -> str:
    """Show the commits of a proposal."""
    return _proposal(owner, name, count, "commits")


def _proposal(owner: str, name: str, count: int, part: str) -> str:
    row = found(owner, name)
    one = proposals.numbered(row, count)
    user = caller().user
    asked = request.args.get("page")
    talk = discussion.of(one, None if asked is None else number(asked, "page"))
    people = discussion.people(one)
    origin = one.source
    if origin is not None and finding.level_of(user, origin) is None:
        origin = None
    view = proposals.view(platform(), one, user)
    said = discussion.on_lines(one, view.head) if part == "files" else talk.said
    base = markdown.Base(url(row).rstrip("/"), row.default_branch)
    text, *texts = documents.shown(base, [one.text, *(comment.text for comment in said)])
    files = patch.files(view.diff, said) if view.diff and part == "files" else []
    return show(
        "proposal", row, "proposals",
        proposal=one, view=view, part=part, files=files, talk=talk, origin=origin,
        texts={comment.id: html for comment, html in zip(said, texts, strict=True)},
        text=text, people=people,
        methods=list(Method), may_merge=proposals.may_merge(user, one),
        may_edit=one.author_id == user.id or proposals.may_merge(user, one),
        commenting=part == "files" and one.stage is Stage.OPEN,
        at=view.head, speaking=request.args.get("at", ""),
    )  # fmt: skip


def numbered(owner: str, name: str, count: int) -> Proposal:
    """Return the proposal of an address. Raises: NotFound."""
    return proposals.numbered(found(owner, name), count)


@pages.post("/proposals/<int:count>/merge")
def merge_proposal(owner: str, name: str, count: int) -> BaseResponse:
    """Bring it into its branch."""
    one, form = numbered(owner, name, count), request.form
    try:
        method = Method(form.get("method", Method.MERGE))
    except ValueError:
        raise BadInput("Choose how to merge", field="method") from None
    try:
        accepting.merge(
            platform(), caller().user, utcnow(), one, method, message=form.get("message", "")
        )
    except RootBloodError as error:
        flash(" ".join(part for part in (str(error), error.hint) if part), "error")
    return redirect(url(one.repository, "proposals", str(count)), code=303)


@pages.post("/proposals/<int:count>/close")
def close_proposal(owner: str, name: str, count: int) -> BaseResponse:
    """Close it without merging."""
    one = numbered(owner, name, count)
    proposals.close(platform(), caller().user, utcnow(), one)
    return redirect(url(one.repository, "proposals", str(count)), code=303)


@pages.post("/proposals/<int:count>/reopen")
def reopen_proposal(owner: str, name: str, count: int) -> BaseResponse:
    """Open it again."""
    one = numbered(owner, name, count)
    proposals.reopen(platform(), caller().user, utcnow(), one)
    return redirect(url(one.repository, "proposals", str(count)), code=303)


@pages.post("/proposals/<int:count>/edit")
def edit_proposal(owner: str, name: str, count: int) -> BaseResponse:
    """Say it better."""
    one, form = numbered(owner, name, count), request.form
    proposals.edit(caller().user, utcnow(), one, title=form.get("title"), text=form.get("text"))
    return redirect(url(one.repository, "proposals", str(count)), code=303)
