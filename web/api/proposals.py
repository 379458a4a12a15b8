"""Proposals over the API: offer a branch, talk about it, merge it."""

from flask import request

from models import Method, Proposal, Repository, Side, Stage, utcnow
from orchestrator.commons import accepting, discussion, finding, proposals
from orchestrator.commons.discussion import Spot
from orchestrator.commons.proposals import Offer
from orchestrator.errors import BadInput
from web import present_commons as present
from web.api import schema_commons as schema
from web.api.operation import operation
from web.api.repos import ONE, whole_number
from web.identity import caller, platform

ALL = f"{ONE}/proposals"
NUMBERED = f"{ALL}/<int:number>"


def _found(owner: str, repo: str, number: int) -> Proposal:
    return proposals.numbered(finding.find(caller().user, owner, repo), number)


def _shown(row: Proposal) -> schema.Proposal:
    return present.proposal(caller().user, row)


def _named(text: str) -> Repository:
    owner, _, name = text.partition("/")
    return finding.find(caller().user, owner, name)


@operation("GET", ALL, tag="commons", answer=schema.Proposals,
           query=(("stage", "open (the default), merged, closed or all."),
                  ("page", "From 1.")))  # fmt: skip
def list_proposals(owner: str, repo: str) -> schema.Proposals:
    """List what is proposed to a repository, newest first, 30 a page."""
    row = finding.find(caller().user, owner, repo)
    wanted = request.args.get("stage", Stage.OPEN)
    try:
        stage = None if wanted == "all" else Stage(wanted)
    except ValueError as error:
        raise BadInput("There is no such stage", field="stage") from error
    found, total = proposals.of_repository(row, stage, whole_number("page", 1))
    return schema.Proposals(proposals=[_shown(one) for one in found], total=total)


@operation("POST", ALL, tag="commons", body=schema.NewProposal, answer=schema.Proposal,
           status=201)  # fmt: skip
def create_proposal(owner: str, repo: str, body: schema.NewProposal) -> schema.Proposal:
    """Offer a branch that you can write to, usually of your fork."""
    row = finding.find(caller().user, owner, repo)
    offer = Offer(
        source=_named(body.source) if body.source is not None else row,
        source_branch=body.source_branch,
        target_branch=body.target_branch or row.default_branch,
        title=body.title,
        text=body.text,
    )
    return _shown(proposals.create(platform(), caller().user, utcnow(), row, offer))


@operation("GET", NUMBERED, tag="commons", answer=schema.ProposalView)
def get_proposal(owner: str, repo: str, number: int) -> schema.ProposalView:
    """Return a proposal with its commits and changes, and whether it can be merged."""
    row = _found(owner, repo, number)
    viewer = caller().user
    return present.view(viewer, row, proposals.view(platform(), row, viewer))


@operation("PATCH", NUMBERED, tag="commons", body=schema.ProposalChange, answer=schema.Proposal)
def change_proposal(
    owner: str, repo: str, number: int, body: schema.ProposalChange
) -> schema.Proposal:
    """Say it better, close it or open it again."""
    row, user = _found(owner, repo, number), caller().user
    if body.title is not None or body.text is not None:
        row = proposals.edit(user, utcnow(), row, title=body.title, text=body.text)
    if body.stage is not None and body.stage != row.stage:
        act = proposals.close if body.stage == "closed" else proposals.reopen
        row = act(platform(), user, utcnow(), row)
    return _shown(row)


@operation("POST", f"{NUMBERED}/merge", tag="commons", body=schema.Merge, answer=schema.Proposal)
def merge_proposal(owner: str, repo: str, number: int, body: schema.Merge) -> schema.Proposal:
    """Bring a proposal into its target branch."""
    row = _found(owner, repo, number)
    return _shown(
        accepting.merge(
            platform(), caller().user, utcnow(), row, Method(body.method), message=body.message
        )
    )


@operation(
    "GET",
    f"{NUMBERED}/comments",
    tag="commons",
    answer=schema.Comments,
    query=(("page", "From 1, the oldest."),),
)
def list_comments(owner: str, repo: str, number: int) -> schema.Comments:
    """List what was said about a proposal, oldest first, 50 a page."""
    found = discussion.of(_found(owner, repo, number), whole_number("page", 1))
    return schema.Comments(comments=[present.comment(one) for one in found.said], total=found.total)


@operation("POST", f"{NUMBERED}/comments", tag="commons", body=schema.NewComment,
           answer=schema.Comment, status=201)  # fmt: skip
def create_comment(owner: str, repo: str, number: int, body: schema.NewComment) -> schema.Comment:
    """Say something about a proposal, or about one line of it."""
    row = _found(owner, repo, number)
    said = discussion.say(platform(), caller().user, utcnow(), row, body.text, _spot(body))
    return present.comment(said)


@operation("DELETE", f"{NUMBERED}/comments/<int:comment_id>", tag="commons", status=204)
def delete_comment(owner: str, repo: str, number: int, comment_id: int) -> None:
    """Take back what you said."""
    row = _found(owner, repo, number)
    discussion.take_back(platform(), caller().user, row, comment_id)


def _spot(body: schema.NewComment) -> Spot | None:
    given = (body.path, body.side, body.line, body.commit)
    if given == (None, None, None, None):
        return None
    if body.path is None or body.side is None or body.line is None or body.commit is None:
        raise BadInput("A line is told by path, side, line and commit together", field="path")
    return Spot(body.path, Side(body.side), body.line, body.commit)
