"""What the preview's origin says itself, on a client's connection, where no app does.

Each of these returns whether the connection may carry another request.
"""

from orchestrator.errors import DialFailed, RootBloodError, WorkspaceStopped
from orchestrator.previews import Decision
from web.heads import RequestHead
from web.incoming import Incoming
from web.preview.entry import Reply
from web.preview.refusals import refusal, response

_FRESH = (("Cache-Control", "no-store"),)


def answer(incoming: Incoming, head: RequestHead, said: bytes) -> bool:
    """Send an answer of ours.

    The connection goes on only where all of the request was read: what is left of it would be
    taken for the next one.
    """
    keeps = head.keeps_open and not head.chunked and b"expect" not in head.fields
    keeps = keeps and (head.length or 0) <= incoming.buffered and not head.upgrades
    if keeps:
        incoming.read(head.length or 0)
    else:
        said = said.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    incoming.sock.sendall(said)
    return keeps


def refuse(
    incoming: Incoming,
    head: RequestHead,
    error: RootBloodError,
    *,
    status: int | None = None,
    decision: Decision | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    retries: bool = False,
) -> bool:
    """Say why not; ``decision`` tells who is told. See :func:`refusal`."""
    said = refusal(
        head, error, status=status, headers=headers, retries=retries,
        label=decision.label if decision else None,
        panel=decision.panel if decision else "", own=decision is not None and decision.own,
    )  # fmt: skip
    return answer(incoming, head, said)


def turn_away(incoming: Incoming, head: RequestHead, reply: Reply) -> bool:
    """Say what the gate has said: where to go, or why not."""
    if reply.problem is None:
        return answer(incoming, head, response(head, reply.status, b"", reply.headers))
    return refuse(incoming, head, reply.problem, status=reply.status, headers=reply.headers)


def excuse(
    incoming: Incoming, head: RequestHead, decision: Decision, error: RootBloodError
) -> bool:
    """Answer for an app that does not: a page that waits for it, where that can help."""
    stopped = isinstance(error, WorkspaceStopped)
    failed = isinstance(error, DialFailed)
    return refuse(
        incoming, head, error, decision=decision, retries=stopped or failed,
        status=503 if stopped else 502 if failed else None,
    )  # fmt: skip


def tell(incoming: Incoming, head: RequestHead, listens: bool) -> bool:
    """Say whether the app listens, to the page that waits for it."""
    return answer(incoming, head, response(head, 204 if listens else 404, b"", _FRESH))
