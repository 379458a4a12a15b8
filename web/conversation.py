"""Join a page's WebSocket and a program in its workspace, message by message."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, request

from models import Kind, Workspace
from orchestrator.connections import Connection
from orchestrator.errors import RootBloodError, TooManyRequests
from orchestrator.logs import log
from orchestrator.platform import Platform
from orchestrator.talk import Talk
from web.identity import bearer, caller, connect, platform
from web.messages import Messages, take
from web.problems import document
from web.upgrade import offer

LOG = log(__name__)
TELL_SECONDS = 30.0
REFUSED_BYTES = 4096
_REFUSED = 4000
"""From here on close codes are anybody's own: RFC 6455, 7.4.2."""
_ADMITTING = threading.Lock()


Begin = Callable[[Platform, Workspace], Talk]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a workspace may have of one kind of conversation."""

    kind: Kind
    most: int
    message_bytes: int
    refusal: str


def converse(find: Callable[[], Workspace], bounds: Bounds, begin: Begin) -> Response:
    """Let the page talk to the program that ``begin`` starts until one of them ends.

    The caller has checked the origin, and ``find`` checks the right. A browser shows its page
    nothing of a WebSocket that is refused: one of a browser's is accepted, told
    ``{"problem": ...}``, and closed with 4000 + the status as its code. Raises: for a program, what
    ``find`` and ``begin`` raise, and TooManyRequests; BadInput where the client asks for no
    WebSocket; SignInRequired.
    """
    who, parts = caller(), platform()
    try:
        row = find()
        offer(request.environ, ())  # before anything is started for it
        connection, talk = _begun(parts, row, bounds, begin)
    except RootBloodError as error:
        if bearer() is not None or not _is_offer(request.environ):
            raise
        _refuse(error)
        return Response(status=101)
    try:
        messages = take(request.environ, largest_bytes=bounds.message_bytes)
        connection.carrier = messages
        # The login may have ended between its check and the row: then the row is gone by now.
        parts.connections.hang_up_revoked()
        parts.feed.publish(who.user.id)
        _relay(messages, talk, connection)
    finally:
        parts.connections.ended(connection)
        talk.close()
    return Response(status=101)


def _begun(
    parts: Platform, row: Workspace, bounds: Bounds, begin: Begin
) -> tuple[Connection, Talk]:
    with _ADMITTING:  # others could come in between
        if parts.connections.count(row.id, bounds.kind) >= bounds.most:
            raise TooManyRequests(bounds.refusal, hint="Close some pages.")
        connection = connect(row, bounds.kind)
    try:
        return connection, begin(parts, row)
    except BaseException:
        parts.connections.ended(connection)
        raise


def _is_offer(environ: Mapping[str, Any]) -> bool:
    try:
        offer(environ, ())
    except RootBloodError:
        return False
    return True


def _refuse(error: RootBloodError) -> None:
    """Tell the page over its WebSocket, and hang up."""
    problem = document(error)
    messages = take(request.environ, largest_bytes=REFUSED_BYTES)
    messages.send(json.dumps({"problem": problem}))
    messages.close(_REFUSED + problem["status"], error.slug)


def told(talk: Talk, text: str) -> bool:
    """Tell the program; it is ended when it does not listen: nobody hears the page meanwhile."""
    clock = threading.Timer(TELL_SECONDS, talk.close)
    clock.start()
    try:
        return talk.tell(text)
    finally:
        clock.cancel()


def _relay(messages: Messages, talk: Talk, connection: Connection) -> None:
    """Pass messages on, both ways, until either end is gone."""

    def answer() -> None:
        try:
            for text in talk.told():
                if not messages.send(text):
                    break
        except (OSError, RootBloodError) as error:
            LOG.info("conversation.broken", kind=connection.kind, why=str(error))
        finally:
            messages.close()  # wakes the loop below

    answers = threading.Thread(target=answer, name="conversation", daemon=True)
    answers.start()
    try:
        while (text := messages.receive()) is not None:
            try:
                if told(talk, text):
                    connection.on_input()
            except RootBloodError as error:
                messages.send(json.dumps({"problem": document(error)}))
    except OSError as error:
        LOG.info("conversation.broken", kind=connection.kind, why=str(error))
    finally:
        messages.close()
        talk.close()  # wakes the thread
        answers.join()
