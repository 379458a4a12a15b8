"""What a push does to proposals: offered branches go on, what it brings in counts as merged."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from models import Method, Proposal, Repository, Stage, User, db, end_reading, writing
from orchestrator.commons import history, source
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
            _go_on(one, moved[one.source_branch], now)
        for one in _again([one for one in asked if one.id in contained]):
            _end_merged(one, moved[one.target_branch], user, now)


def _open(*conditions: object) -> list[Proposal]:
    query = select(Proposal).where(Proposal.stage == Stage.OPEN, *conditions)  # type: ignore[arg-type]
    found = list(db.session.scalars(query))
    end_reading()
    return found


def _again(rows: Sequence[Proposal]) -> list[Proposal]:
    """Return the rows as they stand in the transaction under way, those that are still open."""
    ids = [row.id for row in rows]
    query = select(Proposal).where(Proposal.id.in_(ids), Proposal.stage == Stage.OPEN)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def _contains(platform: Platform, row: Repository, update: Update, head: str) -> bool:
    if update.deletes or update.creates:
        return False
    here = source.of(platform, row)
    try:
        return here.known(head) and history.ahead_behind(here, update.new, head)[0] == 0
    except GitFailed:
        return False


def _go_on(one: Proposal, update: Update, now: datetime) -> None:
    one.updated_at = now
    if update.deletes:
        one.stage, one.ended_at = Stage.CLOSED, now
    else:
        one.head = update.new


def _end_merged(one: Proposal, update: Update, user: User, now: datetime) -> None:
    one.stage, one.ended_at, one.updated_at = Stage.MERGED, now, now
    one.method, one.merged_by = Method.MERGE, user.username
    one.base, one.merge_commit = update.old, update.new
