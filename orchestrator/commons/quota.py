"""How much of a person's allowance is left for what they publish."""

from sqlalchemy import func, select

from models import Repository, User, db, end_reading
from orchestrator.commons.store import tree_bytes
from orchestrator.errors import AllowanceReached
from orchestrator.offload import offload
from orchestrator.platform import Platform


def used(platform: Platform, user: User) -> int:
    """Return the bytes of the user's repositories, as last measured, and of the shared files."""
    rows = select(func.coalesce(func.sum(Repository.size_bytes), 0)).where(
        Repository.owner_id == user.id
    )
    repositories = int(db.session.scalar(rows) or 0)
    share = platform.store.share(user.username)
    end_reading()
    return repositories + offload(tree_bytes, share)


def left(platform: Platform, user: User) -> int:
    """Return how many bytes the user may still publish; 0 where the allowance is used up."""
    allowed = user.max_disk_bytes
    if allowed is None:
        allowed = platform.settings.allowance_disk_bytes
    return max(0, allowed - used(platform, user))


def require(platform: Platform, user: User, size: int) -> None:
    """Return when the user may publish ``size`` more bytes. Raises: AllowanceReached."""
    if (room := left(platform, user)) < size:
        raise AllowanceReached(
            f"That takes {size / (1 << 20):,.1f} MiB; your allowance has "
            f"{room / (1 << 20):,.1f} MiB left"
        )
