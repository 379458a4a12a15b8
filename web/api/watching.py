"""Changed files, over a WebSocket."""

from flask import Response, request

from models import Kind
from orchestrator import watching
from web.api.inside import ONE, running
from web.api.operation import operation
from web.conversation import Bounds, converse
from web.identity import bearer
from web.upgrade import require_same_origin

WATCHES = Bounds(
    Kind.EDITOR, 20, watching.MESSAGE_BYTES, "The files of this workspace are watched 20 times"
)


@operation("GET", f"{ONE}/files/watch", tag="files", status=101, websocket=True)
def watch_files(name: str) -> Response:
    """Be told of changed files: a WebSocket with messages of JSON.

    Send {"watch": [folders], "files": [files]}; each such message replaces what is watched, up to
    500 of each. What comes: {"changed": [{"path", "kind", "from"?}]} with the kinds created,
    changed, removed and moved; {"git": true} when a repository of theirs has changed;
    {"lost": true} when there was too much to tell, so that all is to be read anew;
    {"unwatched": [folders]} for those that cannot be watched; {"watching": count} as the answer.
    {"problem"} says what was wrong with a message, or before the end why a page was refused.
    Send {"typed": true} at most once a minute while somebody edits: it keeps the workspace running.
    """
    require_same_origin(request, bearer=bearer() is not None)
    return converse(lambda: running(name), WATCHES, watching.watch)
