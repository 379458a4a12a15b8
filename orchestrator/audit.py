"""Write down who did what to what, when, from where."""

from datetime import datetime

from models import Event, db
from orchestrator.logs import log

LOG = log(__name__)


def record(
    now: datetime, actor: str, action: str, target: str = "", *, address: str = "", **detail: object
) -> None:
    """Add an event to the transaction under way; the use case commits it.

    ``action`` is ``<noun>.<verb>``, such as ``workspace.started``.
    """
    LOG.info(action, actor=actor, target=target, **detail)
    db.session.add(
        Event(
            at=now,
            actor=actor,
            action=action,
            target=target[:100],
            address=address,
            detail={key: str(value) for key, value in detail.items()},
        )
    )
