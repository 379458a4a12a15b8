"""Use cases of proposals: offer a branch, find offers, look at them, close them.

A proposal's objects stay in its source until it is merged: what a stranger offers costs the owner
of the target nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from models import (
    Deed,
    Level,
    Proposal,
    Repository,
    Stage,
    User,
    Visibility,
    db,
    writing,
)
from orchestrator.commons import (
    activity,
    diffs,
    finding,
    history,
    merging,
    reading,
    rights,
    source,
)
from orchestrator.commons.diffs import Diff
from orchestrator.commons.git import GitFailed
from orchestrator.commons.history import Commit
from orchestrator.commons.names import parse_branch
from orchestrator.commons.source import Source
from orchestrator.errors import AlreadyExists, BadInput, Conflict, Forbidden, NotFound
from orchestrator.names import parse_title
from orchestrator.platform import Platform

PER_PAGE = 30
TITLE_MAX = 200
TEXT_MAX = 20_000
OPEN_MAX = 500
"""Of one repository."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a new proposal says. ``source`` is where the branch is, the target's own or a fork."""

    source: Repository
    source_branch: str
    target_branch: str
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A proposal's content: its commits, newest first, and what they change.

    ``base`` is what the diff begins at. ``conflicts`` are paths that cannot be merged, none if it
    can be; it is None where there is nothing to merge. ``gone``: nothing is left to show.
    """

    source: Source
    base: str | None
    head: str
    commits: list[Commit]
    diff: Diff | None
    conflicts: list[str] | None
    gone: bool = False


def of_repository(
    row: Repository, stage: Stage | None = Stage.OPEN, page: int = 1
) -> tuple[list[Proposal], int]:
    """Return a page of the proposals to ``row``, newest first, and how many there are."""
    conditions = [Proposal.repository_id == row.id]
    if stage is not None:
        conditions.append(Proposal.stage == stage)
    total = db.session.scalar(select(func.count(Proposal.id)).where(*conditions)) or 0
    skipped = (min(max(page, 1), finding.PAGES_MAX) - 1) * PER_PAGE
    query = select(Proposal).where(*conditions).order_by(Proposal.number.desc())
    return list(db.session.scalars(query.limit(PER_PAGE).offset(skipped))), total


def numbered(row: Repository, number: int) -> Proposal:
    """Return one. Raises: NotFound."""
    query = select(Proposal).where(Proposal.repository_id == row.id, Proposal.number == number)
    found = db.session.scalar(query)
    if found is None:
        raise NotFound(f"{row.slug} has no proposal {number}")
    return found


def create(
    platform: Platform, user: User, now: datetime, row: Repository, offer: Offer
) -> Proposal:
    """Offer a branch to ``row``, which the user can read; the source is one they can write to.

    Raises: BadInput, Forbidden, NotFound (no such branch), AlreadyExists, Conflict.
    """
    title, text = parse_title(offer.title, field="title", longest=TITLE_MAX), parse_text(offer.text)
    branch, target = parse_branch(offer.source_branch), parse_branch(offer.target_branch)
    if not rights.allows(finding.level_of(user, offer.source), Level.WRITE):
        raise Forbidden("Only who can write to a branch can offer it", hint="Fork it first.")
    require_live(row)
    head = _offered(platform, user, row, target, offer.source, branch)
    proposal = Proposal(
        repository_id=row.id,
        source_id=offer.source.id,
        source_branch=branch,
        target_branch=target,
        title=title,
        text=text,
        author_id=user.id,
        author=user.username,
        head=head,
        created_at=now,
        updated_at=now,
    )
    with writing():
        _require_new(row, proposal)
        proposal.number = _next_number(row)
        db.session.add(proposal)
        db.session.flush()
        activity.record(now, user, Deed.PROPOSE, row, number=proposal.number, title=title)
    activity.publish(platform)
    return proposal


def _offered(
    platform: Platform, user: User, row: Repository, target: str, origin: Repository, branch: str
) -> str:
    """Return the commit that ``branch`` offers to ``target``."""
    both = source.of(platform, row, besides=origin, asker=user)
    head = reading.branch(source.of(platform, origin, asker=user), branch)
    tip = reading.branch(both, target)
    if head is None or tip is None:
        missing = (origin.slug, branch) if head is None else (row.slug, target)
        raise NotFound("{} has no branch '{}'".format(*missing))
    if history.merge_base(both, tip, head) is None:
        raise Conflict("These branches have nothing in common")
    if history.ahead_behind(both, tip, head)[0] == 0:
        raise Conflict("There is nothing to merge: the target has all of it")
    return head


def _require_new(row: Repository, offer: Proposal) -> None:
    # The row is held, so that two proposals never get one number.
    db.session.execute(select(Repository.id).where(Repository.id == row.id).with_for_update())
    open_ones = select(func.count(Proposal.id)).where(
        Proposal.repository_id == row.id, Proposal.stage == Stage.OPEN
    )
    if (db.session.scalar(open_ones) or 0) >= OPEN_MAX:
        raise Conflict(f"{row.slug} has {OPEN_MAX} open proposals already")
    same = open_ones.where(
        Proposal.source_id == offer.source_id,
        Proposal.source_branch == offer.source_branch,
        Proposal.target_branch == offer.target_branch,
    )
    if db.session.scalar(same):
        raise AlreadyExists(
            "That branch is proposed already", hint="Push to it, and the proposal follows."
        )


def _next_number(row: Repository) -> int:
    last = select(func.max(Proposal.number)).where(Proposal.repository_id == row.id)
    return (db.session.scalar(last) or 0) + 1


def view(platform: Platform, proposal: Proposal, viewer: User | None = None) -> View:
    """Return its content as it stands, for ``viewer``. Ends the read transaction under way."""
    both = source.of(platform, proposal.repository, besides=proposal.source, asker=viewer)
    try:
        if proposal.stage is Stage.MERGED:
            return _merged_view(both, proposal)
        return _offered_view(platform, both, proposal)
    except (GitFailed, NotFound):
        return View(both, None, proposal.head, [], None, None, gone=True)


def _merged_view(both: Source, proposal: Proposal) -> View:
    base, end = proposal.base, proposal.merge_commit
    assert base is not None
    assert end is not None
    commits = history.between(both, base, end)
    return View(both, base, proposal.head, commits, diffs.diff(both, base, end), None)


def _offered_view(platform: Platform, both: Source, proposal: Proposal) -> View:
    tip = reading.branch(both, proposal.target_branch)
    if tip is None or not both.known(proposal.head):
        raise NotFound("One of the branches is gone")
    base = history.merge_base(both, tip, proposal.head)
    conflicts = None
    if proposal.stage is Stage.OPEN and base is not None:
        conflicts = merging.conflicts(platform.store, both, tip, proposal.head)
    return View(
        both,
        base,
        proposal.head,
        history.between(both, tip, proposal.head),
        diffs.diff(both, base, proposal.head),
        conflicts,
    )


def may_merge(user: User, proposal: Proposal) -> bool:
    """Return whether ``user`` may write to the repository, and so merge or close it."""
    return rights.may_push(finding.level_of(user, proposal.repository), proposal.repository)


def _require_own(user: User, proposal: Proposal) -> None:
    level = finding.level_of(user, proposal.repository)
    if proposal.author_id != user.id and not rights.allows(level, Level.WRITE):
        raise Forbidden("Only its author and who can write to the repository may do that")


def require_live(row: Repository) -> None:
    """Raise Conflict when ``row`` is archived."""
    if row.archived:
        raise Conflict(f"{row.slug} is archived: nothing can be added to it")


def edit(
    user: User, now: datetime, proposal: Proposal, *, title: str | None = None,
    text: str | None = None,
) -> Proposal:  # fmt: skip
    """Say it better; its author may, and who can write to the repository. Raises: Forbidden."""
    _require_own(user, proposal)
    with writing():
        proposal = held(proposal)
        if title is not None:
            proposal.title = parse_title(title, field="title", longest=TITLE_MAX)
        if text is not None:
            proposal.text = parse_text(text)
        proposal.updated_at = now
    return proposal


def close(platform: Platform, user: User, now: datetime, proposal: Proposal) -> Proposal:
    """End it without merging; author or writers. Raises: Forbidden, Conflict."""
    _require_own(user, proposal)
    with writing():
        proposal = held(proposal)
        require_stage(proposal, Stage.OPEN)
        proposal.stage, proposal.ended_at, proposal.updated_at = Stage.CLOSED, now, now
    activity.publish(platform)
    return proposal


def reopen(platform: Platform, user: User, now: datetime, proposal: Proposal) -> Proposal:
    """Open it again. Raises: Forbidden, Conflict (not closed, or its branch is gone)."""
    _require_own(user, proposal)
    row, origin = proposal.repository, proposal.source
    require_live(row)
    if origin is None:
        raise Conflict("The repository that it came from is gone")
    hidden = origin.visibility is Visibility.PRIVATE
    if hidden and not rights.allows(finding.level_of(user, origin), Level.WRITE):
        raise Forbidden("Only who can write to the hidden branch can offer it again")
    target, branch = proposal.target_branch, proposal.source_branch
    head = _offered(platform, user, row, target, origin, branch)
    with writing():
        proposal = held(proposal)
        require_stage(proposal, Stage.CLOSED)
        _require_new(row, proposal)
        proposal.stage, proposal.ended_at, proposal.updated_at = Stage.OPEN, None, now
        proposal.head = head
    activity.publish(platform)
    return proposal


def held(proposal: Proposal) -> Proposal:
    """Return the row as it stands, for the transaction under way alone. Raises: NotFound."""
    found = db.session.scalar(
        select(Proposal)
        .where(Proposal.id == proposal.id)
        .with_for_update(of=Proposal)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("That proposal is gone")
    return found


def require_stage(proposal: Proposal, stage: Stage) -> None:
    """Raise Conflict unless that is how far it has come."""
    if proposal.stage is not stage:
        raise Conflict(f"That proposal is {proposal.stage}")


def parse_text(text: object, longest: int = TEXT_MAX) -> str:
    """Return ``text`` with plain line ends when it can be shown. Raises: BadInput."""
    if isinstance(text, str) and len(text) <= longest and "\0" not in text:
        return text.replace("\r\n", "\n").strip()
    raise BadInput(
        "That text cannot be used", field="text", hint=f"Use at most {longest} characters."
    )
