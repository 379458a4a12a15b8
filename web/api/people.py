"""Who is here, and what people do, over the API."""

from flask import request

from models import utcnow
from orchestrator.commons import activity, presence
from web import present_commons as present
from web.api import schema_commons as schema
from web.api.operation import operation
from web.api.repos import whole_number
from web.identity import caller


@operation("GET", "/people", tag="commons", answer=schema.People,
           query=(("online", "1: only those who are here."),))  # fmt: skip
def list_people() -> schema.People:
    """List the people of this server, those who are here first."""
    online = request.args.get("online") == "1"
    found = presence.people(caller().user, utcnow(), online_only=online)
    return schema.People(people=[present.person(one) for one in found])


@operation("GET", "/people/<username>", tag="commons", answer=schema.Person)
def get_person(username: str) -> schema.Person:
    """Return one of the people of this server."""
    return present.person(presence.person(caller().user, utcnow(), username))


@operation("PUT", "/presence", tag="commons", body=schema.Presence, status=204)
def set_presence(body: schema.Presence) -> None:
    """Let others see when you are here, or not."""
    presence.show(caller().user, body.shown)


@operation("GET", "/activity", tag="commons", answer=schema.Happenings,
           query=(("after", "Only what is newer than this id."),
                  ("before", "Only what is older than this id."),
                  ("owner", "Only of this person's repositories."),
                  ("actor", "Only what this person did."),
                  ("count", "At most 200.")))  # fmt: skip
def list_activity() -> schema.Happenings:
    """List what people did in the commons, newest first. 'GET /events' tells when there is more."""
    args = request.args
    found = activity.recent(
        caller().user,
        after=whole_number("after", 0),
        before=whole_number("before", 0) or None,
        owner=args.get("owner", ""),
        actor=args.get("actor", ""),
        count=whole_number("count", 50),
    )
    return schema.Happenings(activity=[present.happening(one) for one in found])
