"""What happens to open proposals: pushes renew or merge them, hiding what they show ends them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, select

from models import (
    Level,
    Method,
    Proposal,
    ProposalComment,
    Repository,
    Stage,
    User,
    Visibility,
    db,
    end_reading,
    writing,
)
from orchestrator.commons import finding, history, rights, source
from orchestrator.commons.checks import Update
from orchestrator.commons.git import GitFailed
from orchestrator.platform import Platform


def after_push(
    platform: Platform, user: User, now: datetime, row: Repository, updates: Sequence[Update]
) -> None:
    """Renew the open proposals from and to ``row`` after ``updates`` of its refs."""
    moved = {update.branch: update for update in updates if update.branch}
    offered = _open(Proposal.source_id == row.id, Proposal.source_branch.in_(moved))
    asked = _open(Proposal.repository_id == row.id, Proposal.target_branch.in_(moved))
    contained = [
        one.id for one in asked if _contains(platform, row, moved[one.target_branch], one.head)
    ]
    with writing():
        for one in _again(offered):
            _go_on(one, moved[one.source_branch], user, now)
        for one in _again([one for one in asked if one.id in contained]):
            _end_merged(one, moved[one.target_branch], user, now)


def after_showing(user: User, now: datetime, row: Repository) -> None:
    """Close what would show the pushes of a private repository to more people than was meant.

    For the transaction in which ``user`` changes who may see ``row``. Whoever may offer the branch
    can open it again.
    """
    if row.visibility is Visibility.PRIVATE:
        touched = Proposal.source_id == row.id
        why = "Closed: the repository that it came from was made private."
    else:
        hidden = select(Repository.id).where(Repository.visibility == Visibility.PRIVATE)
        touched = (Proposal.repository_id == row.id) & Proposal.source_id.in_(hidden)
        why = "Closed: this repository was made public, the one that it came from is private."
    query = select(Proposal).where(
        touched, Proposal.stage == Stage.OPEN, Proposal.source_id != Proposal.repository_id
    )
    for one in db.session.scalars(_held(query)):
        _close(one, user, now, why)


def _held(query: Select[Proposal]) -> Select[Proposal]:
    held = query.order_by(Proposal.id).with_for_update(of=Proposal)
    return held.execution_options(populate_existing=True)


def _open(*conditions: object) -> list[Proposal]:
    query = select(Proposal).where(Proposal.stage == Stage.OPEN, *conditions)  # type: ignore[arg-type]
    found = list(db.session.scalars(query))
    end_reading()
    return found


def _again(rows: Sequence[Proposal]) -> list[Proposal]:
    """Return the rows as they stand in the transaction under way, those that are still open."""
    ids = [row.id for row in rows]
    query = select(Proposal).where(Proposal.id.in_(ids), Proposal.stage == Stage.OPEN)
    return list(db.session.scalars(_held(query)))


def _contains(platform: Platform, row: Repository, update: Update, head: str) -> bool:
    if update.deletes or update.creates:
        return False
    here = source.of(platform, row, asker=row.owner, chore=True)
    try:
        return here.known(head) and history.ahead_behind(here, update.new, head)[0] == 0
    except GitFailed:
        return False


def _go_on(one: Proposal, update: Update, user: User, now: datetime) -> None:
    if update.deletes:
        one.stage, one.ended_at, one.updated_at = Stage.CLOSED, now, now
    elif not _may_be_made(one):
        _close(one, user, now, "Closed: who proposed it may not do so any more.")
    else:
        one.head, one.updated_at = update.new, now


def _may_be_made(one: Proposal) -> bool:
    """Return whether its author could still offer that branch: pushes are shown for them."""
    if one.source is None or one.source_id == one.repository_id:
        return True
    author = None if one.author_id is None else db.session.get(User, one.author_id)
    known = rights.allows(finding.level_of(author, one.repository), Level.READ)
    return known and rights.allows(finding.level_of(author, one.source), Level.WRITE)


def _close(one: Proposal, user: User, now: datetime, why: str) -> None:
    one.stage, one.ended_at, one.updated_at = Stage.CLOSED, now, now
    db.session.add(
        ProposalComment(
            proposal_id=one.id, author_id=user.id, author=user.username, text=why, created_at=now
        )
    )


def _end_merged(one: Proposal, update: Update, user: User, now: datetime) -> None:
    one.stage, one.ended_at, one.updated_at = Stage.MERGED, now, now
    one.method, one.merged_by = Method.MERGE, user.username
    one.base, one.merge_commit = update.old, update.new
