"""What people say about a proposal, in general or about a line of it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from models import Level, Proposal, ProposalComment, Side, User, db, writing
from orchestrator.commons import activity, finding, rights
from orchestrator.commons.names import parse_object, parse_path
from orchestrator.commons.proposals import held, parse_text
from orchestrator.errors import BadInput, Conflict, Forbidden, NotFound
from orchestrator.platform import Platform

COMMENTS_MAX = 2000
TEXT_MAX = 10_000
PER_PAGE = 50
LINES_PER_PAGE = 200
LINE_MAX = 10_000_000


@dataclass(frozen=True, slots=True)
class Spot:
    """The line that a comment is about; ``commit`` is the proposal's head that was shown."""

    path: str
    side: Side
    line: int
    commit: str


@dataclass(frozen=True, slots=True)
class Talk:
    """One page of what was said, oldest first, and how much there is in all."""

    said: list[ProposalComment]
    page: int
    pages: int
    total: int


def of(proposal: Proposal, page: int | None = None) -> Talk:
    """Return a page of what was said, the last one where none is asked for."""
    count = select(func.count()).where(ProposalComment.proposal_id == proposal.id)
    total = db.session.scalar(count) or 0
    pages = max(1, -(-total // PER_PAGE))
    page = pages if page is None else min(max(page, 1), pages)
    query = select(ProposalComment).where(ProposalComment.proposal_id == proposal.id)
    query = query.order_by(ProposalComment.id).limit(PER_PAGE).offset((page - 1) * PER_PAGE)
    return Talk(list(db.session.scalars(query)), page, pages, total)


def on_lines(proposal: Proposal, commit: str) -> list[ProposalComment]:
    """Return the last of what was said about lines of one version, oldest first."""
    query = select(ProposalComment).where(
        ProposalComment.proposal_id == proposal.id, ProposalComment.commit_id == commit
    )
    newest = query.order_by(ProposalComment.id.desc()).limit(LINES_PER_PAGE)
    return list(db.session.scalars(newest))[::-1]


def people(proposal: Proposal) -> list[str]:
    """Return who takes part, by name."""
    query = select(ProposalComment.author).where(ProposalComment.proposal_id == proposal.id)
    return sorted({proposal.author, *db.session.scalars(query.distinct())})


def say(
    platform: Platform, user: User, now: datetime, proposal: Proposal, text: str,
    spot: Spot | None = None,
) -> ProposalComment:  # fmt: skip
    """Say something, in general or about a line; who can read the repository may.

    Raises: BadInput, Conflict (more was said than anybody reads).
    """
    said = ProposalComment(
        proposal_id=proposal.id,
        author_id=user.id,
        author=user.username,
        text=parse_text(text, longest=TEXT_MAX),
        created_at=now,
    )
    if not said.text:
        raise BadInput("Say something", field="text")
    if spot is not None:
        if not 1 <= spot.line <= LINE_MAX:
            raise BadInput("There is no such line", field="line")
        said.path, said.side, said.line = parse_path(spot.path), spot.side, spot.line
        said.commit_id = parse_object(spot.commit)
    with writing():
        proposal = held(proposal)
        count = select(func.count()).where(ProposalComment.proposal_id == proposal.id)
        if (db.session.scalar(count) or 0) >= COMMENTS_MAX:
            raise Conflict(f"There are {COMMENTS_MAX} comments already")
        db.session.add(said)
        proposal.updated_at = now
    activity.publish(platform)
    return said


def take_back(platform: Platform, user: User, proposal: Proposal, comment_id: int) -> None:
    """Delete what one said oneself, or what an administrator of the repository will not have.

    Raises: NotFound, Forbidden.
    """
    with writing():
        said = db.session.get(ProposalComment, comment_id)
        if said is None or said.proposal_id != proposal.id:
            raise NotFound("There is no such comment")
        level = finding.level_of(user, proposal.repository)
        if said.author_id != user.id and not rights.allows(level, Level.ADMIN):
            raise Forbidden("Only who said it may take it back")
        db.session.delete(said)
    activity.publish(platform)
