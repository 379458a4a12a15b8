"""What people say about proposals: in general, or about a line."""

from flask import redirect, request
from werkzeug.wrappers import Response as BaseResponse

from models import Side, utcnow
from orchestrator.commons import discussion
from orchestrator.commons.discussion import Spot
from orchestrator.errors import BadInput
from web.forms import number
from web.identity import caller, platform
from web.repository.offers import numbered
from web.repository.page import pages, url


@pages.post("/proposals/<int:count>/comments")
def comment(owner: str, name: str, count: int) -> BaseResponse:
    """Say something, and go back to where it is shown."""
    one, form = numbered(owner, name, count), request.form
    spot = _spot(form.get("at", ""), form.get("commit", ""))
    made = discussion.say(platform(), caller().user, utcnow(), one, form.get("text", ""), spot)
    part = ("files",) if spot else ()
    place = url(one.repository, "proposals", str(count), *part)
    return redirect(f"{place}#comment-{made.id}", code=303)


def _spot(text: str, commit: str) -> Spot | None:
    """Return the line that ``<side>:<line>:<path>`` names. Raises: BadInput."""
    if not text:
        return None
    side, _, rest = text.partition(":")
    line, _, path = rest.partition(":")
    if side not in Side.__members__.values() or not path:
        raise BadInput("That is not a line of this proposal", field="at")
    return Spot(path, Side(side), number(line, "at"), commit)


@pages.post("/proposals/<int:count>/comments/<int:comment_id>/delete")
def remove_comment(owner: str, name: str, count: int, comment_id: int) -> BaseResponse:
    """Take back what one said."""
    one = numbered(owner, name, count)
    discussion.take_back(platform(), caller().user, one, comment_id)
    return redirect(url(one.repository, "proposals", str(count)), code=303)
