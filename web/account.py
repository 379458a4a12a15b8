"""The account's own page, and what it needs a password for."""

from typing import Any

from flask import (
    Blueprint,
    Response,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_login import login_required
from werkzeug.wrappers import Response as BaseResponse

from models import Slot, utcnow
from orchestrator import accounts, keys, recovery, tokens
from orchestrator.errors import Forbidden, RootBloodError, WrongCredentials
from orchestrator.storage import Feature
from web import present
from web.forms import form_page, number
from web.identity import address, agent, caller, cut_off, forget, platform, remember
from web.limits import limit_own_password

pages = Blueprint("account", __name__, url_prefix="/account")


def safety() -> dict[str, Any]:
    """Return what people are told of a lost password: whether files are lost with it."""
    parts = platform()
    return {
        "encrypted": Feature.ENCRYPTED in parts.storage.features,
        "escrow": parts.settings.escrow,
    }


def code_page(code: str, target: str) -> Response:
    """Show a recovery code, this once, with the way on."""
    username = caller().user.username
    page = render_template("auth/code.html", code=code, username=username, target=target)
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.get("")
@login_required  # type: ignore[untyped-decorator]
def show() -> Response:
    """Show the account: password, recovery, sign-ins, tokens."""
    return _page()


def _page(error: RootBloodError | None = None, new_token: str | None = None) -> Response:
    who = caller()
    logins = [
        {
            "id": row.id,
            "agent": row.agent,
            "address": row.address,
            "created_at": row.created_at,
            "last_seen_at": row.last_seen_at,
            "current": row.id == who.login_id,
        }
        for row in accounts.logins_of(who.user)
    ]
    response = form_page(
        "account.html", error,
        logins=logins,
        tokens=[present.token(row).model_dump() for row in tokens.of_user(who.user)],
        new_token=new_token,
        has_code=keys.has_slot(who.user, Slot.RECOVERY),
        in_escrow=keys.has_slot(who.user, Slot.ESCROW),
        **safety(),
        nav="account",
    )  # fmt: skip
    if new_token:
        response.headers["Cache-Control"] = "no-store"
    return response


@pages.post("/password")
@login_required  # type: ignore[untyped-decorator]
@limit_own_password
def change_password() -> Response | BaseResponse:
    """Change the password; every other sign-in ends."""
    user = caller().user
    try:
        _, secret = accounts.change_password(
            platform().settings,
            user,
            utcnow(),
            request.form.get("current", ""),
            request.form.get("new", ""),
            address=address(),
            agent=agent(),
        )
    except WrongCredentials:
        forget()  # who was faster has ended this sign-in, too
        raise
    except RootBloodError as error:
        return _page(error)
    cut_off(user)
    remember(secret)
    flash("Password changed. You are signed out everywhere else.", "ok")
    return redirect(url_for("account.show"), code=303)


@pages.post("/recovery")
@login_required  # type: ignore[untyped-decorator]
@limit_own_password
def make_recovery_code() -> Response:
    """Make a recovery code in place of any earlier one, and show it once."""
    try:
        code = recovery.new_code(
            platform().settings,
            caller().user,
            utcnow(),
            request.form.get("password", ""),
            address=address(),
        )
    except WrongCredentials:
        forget()  # a new password has ended this sign-in meanwhile
        raise
    except RootBloodError as error:
        return _page(error)
    return code_page(code, url_for("account.show"))


@pages.post("/tokens")
@login_required  # type: ignore[untyped-decorator]
def create_token() -> Response:
    """Create an API token and show it once."""
    who, form = caller(), request.form
    if who.token_id is not None:  # or no token would ever expire
        raise Forbidden("A token cannot make tokens", hint="Sign in with your password.")
    try:
        days = number(form.get("days", "90"), "days")
        _, secret = tokens.create(
            who.user,
            utcnow(),
            form.get("name", ""),
            days,
            address=address(),
            key=keys.key_of(who.user, who.proof),
        )
    except RootBloodError as error:
        return _page(error)
    return _page(new_token=secret)


@pages.post("/tokens/<int:token_id>/delete")
@login_required  # type: ignore[untyped-decorator]
def delete_token(token_id: int) -> BaseResponse:
    """Revoke a token."""
    tokens.revoke(caller().user, utcnow(), token_id, address=address())
    cut_off(caller().user)
    flash("Token revoked.", "ok")
    return redirect(url_for("account.show"), code=303)


@pages.post("/logins/<int:login_id>/delete")
@login_required  # type: ignore[untyped-decorator]
def end_login(login_id: int) -> BaseResponse:
    """Sign one other browser out."""
    accounts.end_logins(caller().user, only=login_id)
    cut_off(caller().user)
    return redirect(url_for("account.show"), code=303)


@pages.post("/logins/delete")
@login_required  # type: ignore[untyped-decorator]
def end_other_logins() -> BaseResponse:
    """Sign every other browser out."""
    who = caller()
    accounts.end_logins(who.user, keep=who.login_id or 0)
    cut_off(who.user)
    flash("Signed out everywhere else.", "ok")
    return redirect(url_for("account.show"), code=303)
