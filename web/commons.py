"""The commons as a whole: what there is, what people do, who is here; one person's part of it."""

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from models import User, Visibility, utcnow
from orchestrator.commons import activity, beginning, finding, presence, repositories, share, shelf
from orchestrator.commons.finding import Order, Query
from orchestrator.errors import BadInput, RootBloodError
from web import shared
from web.forms import field_errors, number
from web.identity import address, caller, platform
from web.problems import status_of

pages = Blueprint("commons", __name__, url_prefix="/global")

FEED_COUNT = 20
REPOSITORIES_A_PAGE = 20


@pages.before_request
def only_people() -> None:
    """Send strangers to the sign-in before anything is looked up."""
    caller()


def _query(owner: str = "") -> Query:
    given = request.args
    text = given.get("sort", "")
    return Query(
        text=given.get("q", "")[:200],
        owner=owner,
        language=given.get("language", "")[:40],
        order=Order(text) if text in Order.__members__.values() else Order.PUSHED,
        page=min(max(1, number(given.get("page", "1"), "page")), 10_000),
        per_page=REPOSITORIES_A_PAGE,
    )


def _found(viewer: User, query: Query) -> dict[str, Any]:
    results = finding.search(viewer, query)
    return {
        "results": results,
        "query": query,
        "pages": -(-results.total // query.per_page),
        "sorts": {"pushed": "Recently pushed", "stars": "Most stars", "name": "Name",
                  "created": "Newest"},
    }  # fmt: skip


@pages.get("", strict_slashes=False)
def discover() -> str:
    """Show all repositories, what people do, and who is here."""
    viewer = caller().user
    return render_template(
        "commons/discover.html",
        nav="commons",
        languages=finding.languages(viewer),
        happened=activity.recent(viewer, count=FEED_COUNT),
        people=presence.people(viewer, utcnow(), online_only=True)[:30],
        **_found(viewer, _query()),
    )


@pages.get("/-/feed")
def feed() -> str:
    """Return what happened after an entry, for a page that is open."""
    after = number(request.args.get("after", "0"), "after")
    happened = activity.recent(caller().user, after=after, count=FEED_COUNT)
    return render_template("commons/_feed.html", happened=happened, fresh=True)


@pages.get("/-/new")
def new() -> tuple[str, int]:
    """Ask for the name of a new repository, or say how to push one."""
    return _new_form()


def _new_form(error: RootBloodError | None = None) -> tuple[str, int]:
    page = render_template(
        "commons/new.html",
        nav="commons",
        values=request.form,
        errors=field_errors(error) if error else {},
    )
    return page, status_of(error) if error else 200


@pages.post("/-/new")
def create() -> BaseResponse | tuple[str, int]:
    """Create a repository: empty, or with a README."""
    form, user = request.form, caller().user
    try:
        try:
            visibility = Visibility(form.get("visibility", Visibility.PUBLIC))
        except ValueError:
            raise BadInput("Choose who may see it", field="visibility") from None
        make = beginning.create_with_readme if "readme" in form else repositories.create
        row = make(
            platform(), user, utcnow(), form.get("name", "").strip(),
            description=form.get("description", ""), visibility=visibility, address=address(),
        )  # fmt: skip
    except RootBloodError as error:
        return _new_form(error)
    return redirect(f"/global/{row.slug}/", code=303)


@pages.post("/-/presence")
def set_presence() -> BaseResponse:
    """Let others see when one is here, or not."""
    user, seen = caller().user, request.form.get("seen") == "yes"
    presence.show(user, seen)
    flash("Others see when you are here." if seen else "Nobody sees when you are here.", "ok")
    return redirect(f"/global/{user.username}/", code=303)


@pages.get("/<owner>/")
def profile(owner: str) -> str:
    """Show a person's repositories and what they did."""
    viewer = caller().user
    person = presence.person(viewer, utcnow(), owner)
    return render_template(
        "commons/profile.html",
        nav="commons",
        person=person,
        me=owner == viewer.username,
        unseen=viewer.unseen,
        files=shelf.listing(platform(), person.username, Path()),
        folder="",
        happened=activity.recent(viewer, actor=owner, count=FEED_COUNT),
        **_found(viewer, _query(owner)),
    )


@pages.get("/<owner>/-/share/")
@pages.get("/<owner>/-/share/<path:path>")
def shared_files(owner: str, path: str = "") -> str | Response:
    """Show a folder of the files that a person shares; one that ends in no slash is sent."""
    folder, slash, name = path.rpartition("/")
    if name:
        return shared.sent(owner, path)
    viewer, user = caller().user, presence.owner(owner)
    return render_template(
        "commons/share.html",
        nav="commons",
        owner=user.username,
        me=user.id == viewer.id,
        files=shelf.listing(platform(), user.username, share.parse_directory(folder)),
        folder=folder + slash,
    )


@pages.post("/-/share/delete")
def withdraw() -> BaseResponse:
    """Delete one of the caller's shared files."""
    user, path = caller().user, share.parse_path(request.form.get("path", ""))
    share.remove(platform(), user, path)
    flash(f"Deleted {path.name}.", "ok")
    return redirect(f"/global/{user.username}/-/share/", code=303)
