"""The pages of everyone: sign up and in, dashboard, catalogue, account, API reference."""

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

from models import User, utcnow
from orchestrator import accounts, workspaces
from orchestrator.errors import Forbidden, RootBloodError
from web import present
from web.api import openapi
from web.forms import field_errors, local_path, number
from web.identity import (
    address,
    caller,
    find_caller,
    forget,
    platform,
    refuse_rebound_founder,
    remember,
)
from web.limits import limit_sign_in, limit_sign_up
from web.problems import status_of

pages = Blueprint("pages", __name__)


def _agent() -> str:
    return request.headers.get("User-Agent", "")


def _enter(user: User, target: str) -> BaseResponse:
    """Sign the user in afresh and go on to ``target``."""
    previous = find_caller()
    if previous is not None and previous.login_id is not None:
        accounts.sign_out(previous.login_id)
        platform().connections.hang_up_revoked()
    _, secret = accounts.sign_in(user, utcnow(), address=address(), agent=_agent())
    remember(secret)
    return redirect(local_path(target), code=303)


def _cut_off(user: User) -> None:
    """Close what ended sign-ins and tokens had open, and let the pages of all others know."""
    platform().connections.hang_up_revoked()
    platform().feed.publish(user.id)


def _form(template: str, error: RootBloodError | None = None, **context: Any) -> Response:
    """Render a form again with what was wrong, or for the first time."""
    values = {key: text[:100] for key, text in request.form.items() if "password" not in key}
    response = make_response(
        render_template(
            template, values=values, errors=field_errors(error) if error else {}, **context
        )
    )
    response.status_code = status_of(error) if error else 200
    return response


@pages.get("/")
def home() -> str:
    """Show the dashboard, or to a stranger what this is."""
    who = find_caller()
    if who is None:
        return render_template(
            "landing.html",
            registration=platform().settings.registration.value,
            first=not accounts.anyone(),
        )
    rows = present.workspaces(platform(), utcnow(), workspaces.of_user(who.user))
    boot = {
        "workspaces": [row.model_dump(mode="json") for row in rows],
        "templates": [row.model_dump(mode="json") for row in present.templates(platform())],
        "user": present.me(platform(), who.user).model_dump(mode="json"),
    }
    return render_template("dashboard.html", boot=boot, nav="workspaces")


@pages.get("/login")
def login() -> Response | BaseResponse:
    """Show the sign-in form."""
    if find_caller() is not None:
        return redirect(local_path(request.args.get("next", "/")))
    return _login_form()


def _login_form(error: RootBloodError | None = None) -> Response:
    return _form(
        "auth/login.html", error,
        registration=platform().settings.registration.value,
        next=request.values.get("next", "/"),
    )  # fmt: skip


@pages.post("/login")
@limit_sign_in
def log_in() -> Response | BaseResponse:
    """Sign in."""
    try:
        user = accounts.authenticate(
            request.form.get("username", ""), request.form.get("password", "")
        )
    except RootBloodError as error:
        return _login_form(error)
    return _enter(user, request.form.get("next", "/"))


@pages.get("/register")
def register() -> Response | BaseResponse:
    """Show the sign-up form."""
    if find_caller() is not None:
        return redirect("/")
    return _register_form()


def _register_form(error: RootBloodError | None = None) -> Response:
    return _form(
        "auth/register.html", error,
        registration=platform().settings.registration.value,
        invite=request.values.get("invite", "")[:100],
        first=not accounts.anyone(),
    )  # fmt: skip


@pages.post("/register")
@limit_sign_up
def sign_up() -> Response | BaseResponse:
    """Create an account and sign in."""
    form = request.form
    try:
        refuse_rebound_founder()
        user = accounts.register(
            platform().settings,
            utcnow(),
            form.get("username", ""),
            form.get("password", ""),
            invite=form.get("invite", "")[:100],
            address=address(),
        )
    except RootBloodError as error:
        return _register_form(error)
    return _enter(user, "/")


@pages.post("/logout")
def log_out() -> BaseResponse:
    """Sign out of this browser; its terminals close at once."""
    who = find_caller()
    if who is not None and who.login_id is not None:
        accounts.sign_out(who.login_id)
        _cut_off(who.user)
    forget()
    return redirect("/login", code=303)


@pages.get("/templates")
@login_required  # type: ignore[untyped-decorator]
def templates() -> str:
    """Show the catalogue."""
    return render_template(
        "catalogue.html", templates=present.templates(platform()), nav="templates"
    )


@pages.get("/docs/api")
def api_reference() -> str:
    """Show the API reference."""
    return render_template("api_docs.html", spec=openapi.document(), nav="api")


@pages.get("/account")
@login_required  # type: ignore[untyped-decorator]
def account() -> Response:
    """Show the account: password, sign-ins, tokens."""
    return _account_page()


def _account_page(error: RootBloodError | None = None, new_token: str | None = None) -> Response:
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
    response = _form(
        "account.html", error,
        logins=logins,
        tokens=[present.token(row).model_dump() for row in accounts.tokens_of(who.user)],
        new_token=new_token,
        nav="account",
    )  # fmt: skip
    if new_token:
        response.headers["Cache-Control"] = "no-store"
    return response


@pages.post("/account/password")
@login_required  # type: ignore[untyped-decorator]
@limit_sign_in
def change_password() -> Response | BaseResponse:
    """Change the password; every other sign-in ends."""
    user = caller().user
    try:
        _, secret = accounts.change_password(
            user,
            utcnow(),
            request.form.get("current", ""),
            request.form.get("new", ""),
            address=address(),
            agent=_agent(),
        )
    except RootBloodError as error:
        return _account_page(error)
    _cut_off(user)
    remember(secret)
    flash("Password changed. You are signed out everywhere else.", "ok")
    return redirect(url_for("pages.account"), code=303)


@pages.post("/account/tokens")
@login_required  # type: ignore[untyped-decorator]
def create_token() -> Response:
    """Create an API token and show it once."""
    form = request.form
    if caller().token_id is not None:  # or no token would ever expire
        raise Forbidden("A token cannot make tokens", hint="Sign in with your password.")
    try:
        days = number(form.get("days", "90"), "days")
        _, secret = accounts.create_token(
            caller().user, utcnow(), form.get("name", ""), days, address=address()
        )
    except RootBloodError as error:
        return _account_page(error)
    return _account_page(new_token=secret)


@pages.post("/account/tokens/<int:token_id>/delete")
@login_required  # type: ignore[untyped-decorator]
def delete_token(token_id: int) -> BaseResponse:
    """Revoke a token."""
    accounts.delete_token(caller().user, utcnow(), token_id, address=address())
    _cut_off(caller().user)
    flash("Token revoked.", "ok")
    return redirect(url_for("pages.account"), code=303)


@pages.post("/account/logins/<int:login_id>/delete")
@login_required  # type: ignore[untyped-decorator]
def end_login(login_id: int) -> BaseResponse:
    """Sign one other browser out."""
    accounts.end_logins(caller().user, only=login_id)
    _cut_off(caller().user)
    return redirect(url_for("pages.account"), code=303)


@pages.post("/account/logins/delete")
@login_required  # type: ignore[untyped-decorator]
def end_other_logins() -> BaseResponse:
    """Sign every other browser out."""
    who = caller()
    accounts.end_logins(who.user, keep=who.login_id or 0)
    _cut_off(who.user)
    flash("Signed out everywhere else.", "ok")
    return redirect(url_for("pages.account"), code=303)
