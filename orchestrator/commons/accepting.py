"""The use case of merging a proposal into the branch that it was offered to."""

from datetime import datetime

from models import Deed, Method, Proposal, Stage, User, Visibility, writing
from orchestrator import audit
from orchestrator.commons import (
    activity,
    merging,
    proposals,
    pushed,
    quota,
    reading,
    renewing,
    source,
)
from orchestrator.commons.checks import Update
from orchestrator.commons.merging import Identity, Order
from orchestrator.commons.source import Source
from orchestrator.errors import Conflict, Forbidden
from orchestrator.platform import Platform
from orchestrator.policy import EMAIL_DOMAIN


def merge(
    platform: Platform, user: User, now: datetime, proposal: Proposal, method: Method,
    *, message: str = "",
) -> Proposal:  # fmt: skip
    """Bring it into its target branch; the user may write to the repository.

    Raises: Forbidden, Conflict (not open, conflicts, archived), Busy (the branch moved meanwhile),
    AllowanceReached (of the owner).
    """
    row, head = proposal.repository, proposal.head
    if not proposals.may_merge(user, proposal):
        proposals.require_live(row)
        raise Forbidden("Only who can write to the repository may merge")
    proposals.require_stage(proposal, Stage.OPEN)
    text = proposals.parse_text(message) or _message(proposal, method)
    author = Identity.of(proposal.author, EMAIL_DOMAIN, now)
    merger = Identity.of(user.username, EMAIL_DOMAIN, now)
    both = source.of(platform, row, besides=proposal.source, asker=user)
    tip = reading.branch(both, proposal.target_branch)
    if tip is None or not both.known(head):
        raise Conflict("One of the branches is gone")
    order = Order(tip, head, method, text, author, merger)
    with quota.holding(platform, row.owner, _new_bytes(both, tip, head)):
        with merging.built(platform.store, both, order) as (place, made):
            here = source.of(platform, row, asker=user)
            merging.let_in(here, place, proposal.target_branch, made, tip)
        with writing():
            proposal = _merged(proposals.held(proposal), user, now, method, (tip, head, made))
            title, number = proposal.title, proposal.number
            proposal.repository.pushed_at = now
            activity.record(now, user, Deed.MERGE, row, number=number, title=title)
            audit.record(now, user.username, "proposal.merged", f"{row.slug}#{number}")
        pushed.measure(platform, row)
    moved = Update(tip, made, f"refs/heads/{proposal.target_branch}")
    renewing.after_push(platform, user, now, row, [moved])
    activity.publish(platform)
    return proposal


def _merged(
    proposal: Proposal, user: User, now: datetime, method: Method, commits: tuple[str, str, str]
) -> Proposal:
    # A push may have noticed it first.
    if proposal.stage is Stage.OPEN:
        proposal.stage, proposal.ended_at, proposal.updated_at = Stage.MERGED, now, now
    if proposal.stage is Stage.MERGED:
        proposal.method, proposal.merged_by = method, user.username
        proposal.base, proposal.head, proposal.merge_commit = commits
    return proposal


def _message(proposal: Proposal, method: Method) -> str:
    origin = proposal.author
    if proposal.source is not None and proposal.source.visibility is Visibility.PUBLIC:
        origin = proposal.source.slug
    if method is Method.MERGE:
        head = f"Merge proposal {proposal.number} from {origin}:{proposal.source_branch}"
        return f"{head}\n\n{proposal.title}\n"
    return f"{proposal.title} (proposal {proposal.number})\n\n{proposal.text}".rstrip() + "\n"


def _new_bytes(both: Source, tip: str, head: str) -> int:
    return int(both.ask("rev-list", "--objects", "--disk-usage", head, f"^{tip}", "--"))
