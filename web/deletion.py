"""The page on which people delete their own account."""

from flask import Blueprint, Response, flash, redirect, request
from flask_login import login_required
from sqlalchemy import func, select
from werkzeug.wrappers import Response as BaseResponse

from models import Snapshot, db, utcnow
from orchestrator import deletion, workspaces
from orchestrator.errors import RootBloodError
from orchestrator.storage import Feature
from web.forms import form_page
from web.identity import address, caller, forget, platform
from web.limits import limit_own_password

pages = Blueprint("deletion", __name__, url_prefix="/account/delete")


@pages.get("")
@login_required  # type: ignore[untyped-decorator]
def ask() -> Response:
    """Say what is lost and when, offer the files once more, and ask for the password."""
    return _page()


def _page(error: RootBloodError | None = None) -> Response:
    user = caller().user
    snapshots = select(func.count(Snapshot.id)).where(Snapshot.user_id == user.id)
    return form_page(
        "account_delete.html", error,
        workspaces=[row.name for row in workspaces.of_user(user)],
        snapshots=db.session.scalar(snapshots) or 0,
        encrypted=Feature.ENCRYPTED in platform().storage.features,
        grace_seconds=platform().settings.account_grace_seconds,
        nav="account",
    )  # fmt: skip


@pages.post("")
@login_required  # type: ignore[untyped-decorator]
@limit_own_password
def delete_account() -> Response | BaseResponse:
    """Delete the account of whoever asks."""
    try:
        deletion.delete_own(
            platform(), caller().user, utcnow(), request.form.get("password", ""), address=address()
        )
    except RootBloodError as error:
        return _page(error)
    forget()
    flash("Your account is deleted.", "ok")
    return redirect("/", code=303)
