"""Join a page's WebSocket and a program in its workspace, message by message."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, request

from models import Kind, Workspace, utcnow
from orchestrator.connections import Connection
from orchestrator.errors import RootBloodError, TooManyRequests
from orchestrator.logs import log
from orchestrator.platform import Platform
from orchestrator.talk import Talk
from web.identity import address, caller, platform
from web.messages import Messages, take
from web.problems import document
from web.upgrade import offer

LOG = log(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a workspace may have of one kind of conversation."""

    kind: Kind
    most: int
    message_bytes: int
    refusal: str


def converse(
    row: Workspace, bounds: Bounds, begin: Callable[[Platform, Workspace], Talk]
) -> Response:
    """Let the page talk to the program that ``begin`` starts until one of them ends.

    The caller has checked the origin and the right. Raises: BadInput where the client asks for no
    WebSocket; TooManyRequests; what ``begin`` raises.
    """
    offer(request.environ, ())  # before anything is started for it
    who, parts = caller(), platform()
    if parts.connections.count(row.id, bounds.kind) >= bounds.most:
        raise TooManyRequests(bounds.refusal, hint="Close some pages.")
    connection = parts.connections.open(
        utcnow(),
        user_id=who.user.id,
        workspace_id=row.id,
        kind=bounds.kind,
        address=address(),
        login_id=who.login_id,
        token_id=who.token_id,
    )
    try:
        talk = begin(parts, row)
        try:
            messages = take(request.environ, largest_bytes=bounds.message_bytes)
            connection.carrier = messages
            # The login may have ended between its check and the row: then the row is gone by now.
            parts.connections.hang_up_revoked()
            parts.feed.publish(who.user.id)
            _relay(messages, talk, connection)
        finally:
            talk.close()
    finally:
        parts.connections.ended(connection)
    return Response(status=101)


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
                if talk.tell(text):
                    connection.on_input()
            except RootBloodError as error:
                messages.send(json.dumps({"problem": document(error)}))
    except OSError as error:
        LOG.info("conversation.broken", kind=connection.kind, why=str(error))
    finally:
        messages.close()
        talk.close()  # wakes the thread
        answers.join()
