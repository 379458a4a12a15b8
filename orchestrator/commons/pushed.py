"""What a push brings about in the rows: called once refs have moved, whoever moved them."""

from collections.abc import Sequence
from datetime import datetime

from models import Deed, Repository, User, Visibility, db, end_reading, writing
from orchestrator.commons import (
    activity,
    facts,
    history,
    quota,
    reading,
    renewing,
    settling,
    source,
)
from orchestrator.commons.checks import Update
from orchestrator.commons.git import GitFailed, TooLarge
from orchestrator.commons.source import Source
from orchestrator.logs import log
from orchestrator.platform import Platform

LOG = log(__name__)
ANNOUNCED_MAX = 5
"""Of the branches and tags of one push, so that nobody fills the feed."""


def note(
    platform: Platform, user: User, now: datetime, row_id: int, updates: Sequence[Update]
) -> None:
    """Measure the repository, announce what was pushed, renew proposals; it may be gone by now."""
    row = db.session.get(Repository, row_id, populate_existing=True)
    end_reading()
    if row is None or not updates:
        return
    here = source.of(platform, row, asker=user, chore=True)
    branch = _default_branch(here, row, updates)
    told = [_told(here, update) for update in updates[:ANNOUNCED_MAX]]
    with writing():
        there = db.session.get(Repository, row.id, populate_existing=True)
        if there is None:
            return
        there.pushed_at, there.default_branch = now, branch
        for one in told:
            activity.record(now, user, Deed.PUSH, there, **one)
    measure(platform, row)
    renewing.after_push(platform, user, now, row, updates)
    activity.publish(platform)


def measure(platform: Platform, row: Repository) -> None:
    """Measure what ``row`` holds and write it down. What git cannot tell is left as it was.

    Raises: HomeBusy.
    """
    here = source.of(platform, row, asker=row.owner, chore=True)
    private = row.visibility is Visibility.PRIVATE
    values: dict[str, object] = {}
    try:
        facts.index(here)
        if (head := reading.head(here, row)) is not None:
            found = facts.measure(here, head, row.facts)
            values = {"facts": found, "language": next(iter(found["languages"]), "")}
    except (GitFailed, TooLarge) as error:
        LOG.warning("repository.not-measured", repository=row.slug, why=str(error))
    # One at a time, so that what was measured first is not written down last.
    with quota.counting(platform, row.owner):
        size = platform.store.size(source.name_of(row), private=private)
        with writing():
            if (there := db.session.get(Repository, row.id)) is not None:
                there.size_bytes = size
                for column, value in values.items():
                    setattr(there, column, value)
    settling.settle(platform, row.owner)


def _default_branch(here: Source, row: Repository, updates: Sequence[Update]) -> str:
    """Return the branch that a clone checks out: a pushed one where there was none so far."""
    pushed = [update.branch for update in updates if update.branch and not update.deletes]
    if not pushed or reading.head(here, row) is not None:
        return row.default_branch
    chosen = next((known for known in ("main", "master") if known in pushed), pushed[0])
    here.ask("symbolic-ref", "HEAD", f"refs/heads/{chosen}")
    return chosen


def _told(here: Source, update: Update) -> dict[str, object]:
    """Return what the activity says of one ref; ``branch`` is a tag's or note's name, too."""
    told: dict[str, object] = {
        "branch": update.ref.split("/", 2)[2],
        "created": update.creates,
        "deleted": update.deletes,
        "commits": 0,
        "subject": "",
        "head": update.new,
    }
    if update.deletes:
        return told
    try:
        told["subject"] = history.commit(here, update.new).subject[:200]
        if not update.creates:
            told["commits"] = history.ahead_behind(here, update.old, update.new)[0]
    except (GitFailed, TooLarge) as error:
        LOG.warning("push.not-told", why=str(error))
    return told
