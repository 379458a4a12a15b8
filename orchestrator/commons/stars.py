"""Like repositories."""

from datetime import datetime

from sqlalchemy import delete, select

from models import Activity, Deed, Repository, Star, User, db, one_at_a_time, writing
from orchestrator.commons import activity
from orchestrator.platform import Platform


def has_starred(viewer: User, row: Repository) -> bool:
    """Return whether ``viewer`` likes it."""
    return db.session.get(Star, (row.id, viewer.id)) is not None


def star(platform: Platform, user: User, now: datetime, row: Repository) -> None:
    """Like it; idempotent. Others learn of the first time only, however often it is taken back."""
    with writing():
        one_at_a_time(user.id)
        if has_starred(user, row):
            return
        db.session.add(Star(repository_id=row.id, user_id=user.id, at=now))
        if _is_known(user, row):
            return
        activity.record(now, user, Deed.STAR, row)
    activity.publish(platform)


def _is_known(user: User, row: Repository) -> bool:
    """Return whether it was told before that ``user`` likes it."""
    told = select(Activity.id).where(
        Activity.deed == Deed.STAR, Activity.actor_id == user.id, Activity.repository_id == row.id
    )
    return db.session.scalar(told.limit(1)) is not None


def unstar(user: User, row: Repository) -> None:
    """Like it no more; idempotent."""
    with writing():
        db.session.execute(
            delete(Star).where(Star.repository_id == row.id, Star.user_id == user.id)
        )


def stargazers(row: Repository) -> list[str]:
    """Return who likes it, those who began last first."""
    query = select(User.username).join(Star, Star.user_id == User.id)
    return list(db.session.scalars(query.where(Star.repository_id == row.id)
                                   .order_by(Star.at.desc()).limit(500)))  # fmt: skip
