"""Language servers of a workspace."""

from flask import Response, request
from pydantic import BaseModel

from models import Kind, Workspace, end_reading
from orchestrator import language_server, languages
from orchestrator.files import paths
from orchestrator.platform import Platform
from orchestrator.talk import Talk
from web.api.inside import ONE, home_of, running
from web.api.operation import operation
from web.api.schema import Language
from web.conversation import Bounds, converse
from web.identity import bearer
from web.upgrade import require_same_origin

SERVERS = Bounds(
    Kind.LANGUAGE, 4, language_server.MESSAGE_BYTES, "Four language servers run in this workspace"
)


class Languages(BaseModel):
    languages: list[Language]


@operation("GET", f"{ONE}/languages", tag="files", answer=Languages)
def list_languages(name: str) -> Languages:
    """List the language servers that a running workspace can start."""
    return Languages(languages=[Language.of(one) for one in languages.of(running(name).template)])


@operation("GET", f"{ONE}/language", tag="files", status=101, websocket=True,
           query=(("id", "Which one: see /languages."),
                  ("root", "The project's folder; your home unless given.")))  # fmt: skip
def speak_language(name: str) -> Response:
    """Start a language server: a WebSocket with one JSON-RPC message a frame, without headers.

    It ends when the connection does. It has half of the workspace's memory, and at most four run;
    {"problem"} says why a page was refused one.
    """
    require_same_origin(request, bearer=bearer() is not None)

    def begin(parts: Platform, row: Workspace) -> Talk:
        language = languages.named(row.template, request.args.get("id", ""))
        root = paths.parse(request.args.get("root", ""), home_of(row), field="root")
        end_reading()
        return language_server.start(parts, row, language, root)

    return converse(lambda: running(name), SERVERS, begin)
