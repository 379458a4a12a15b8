"""The pages of everyone: sign up and in, dashboard, catalogue, API reference."""

from flask import Blueprint, Response, redirect, render_template, request
from flask_login import login_required
from werkzeug.wrappers import Response as BaseResponse

from models import utcnow
from orchestrator import accounts, recovery, workspaces
from orchestrator.errors import RootBloodError
from web import present
from web.account import code_page, safety
from web.api import openapi
from web.forms import form_page, local_path
from web.identity import (
    address,
    cut_off,
    enter,
    find_caller,
    forget,
    platform,
    refuse_rebound_founder,
)
from web.limits import limit_sign_in, limit_sign_up
from web.opening import OPEN, origins
from web.policy import content_policy

pages = Blueprint("pages", __name__)


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
        "home": present.home(platform(), who, utcnow()).model_dump(mode="json"),
    }
    return render_template("dashboard.html", boot=boot, nav="workspaces")


@pages.get("/login")
def login() -> Response | BaseResponse:
    """Show the sign-in form."""
    if find_caller() is not None:
        return redirect(local_path(request.args.get("next", "/")))
    return _login_form()


def _login_form(error: RootBloodError | None = None) -> Response:
    following = request.values.get("next", "/")
    page = form_page(
        "auth/login.html", error,
        registration=platform().settings.registration.value,
        next=following,
    )  # fmt: skip
    if following.startswith(f"{OPEN}?"):
        # Browsers hold a form to its page's policy through all redirects that answer it.
        allowed = content_policy(form_action=f"'self' {origins()}")
        page.headers["Content-Security-Policy"] = allowed
    return page


@pages.post("/login")
@limit_sign_in
def log_in() -> Response | BaseResponse:
    """Sign in."""
    form = request.form
    try:
        enter(
            accounts.authenticate(
                platform().settings, utcnow(), form.get("username", ""), form.get("password", "")
            )
        )
    except RootBloodError as error:
        return _login_form(error)
    return redirect(local_path(form.get("next", "/")), code=303)


@pages.get("/register")
def register() -> Response | BaseResponse:
    """Show the sign-up form."""
    if find_caller() is not None:
        return redirect("/")
    return _register_form()


def _register_form(error: RootBloodError | None = None) -> Response:
    return form_page(
        "auth/register.html", error,
        registration=platform().settings.registration.value,
        invite=request.values.get("invite", "")[:100],
        first=not accounts.anyone(),
        **safety(),
    )  # fmt: skip


@pages.post("/register")
@limit_sign_up
def sign_up() -> Response | BaseResponse:
    """Create an account and sign in; show a recovery code where one was asked for."""
    form = request.form
    try:
        refuse_rebound_founder()
        entrant = accounts.register(
            platform().settings,
            utcnow(),
            form.get("username", ""),
            form.get("password", ""),
            invite=form.get("invite", "")[:100],
            address=address(),
            recovery="recovery" in form,
        )
        enter(entrant)
    except RootBloodError as error:
        return _register_form(error)
    return code_page(entrant.recovery_code, "/") if entrant.recovery_code else redirect("/", 303)


@pages.get("/recover")
def recover() -> Response:
    """Show the form for who lost the password and has a recovery code."""
    return form_page("auth/recover.html")


@pages.post("/recover")
@limit_sign_in
def recover_account() -> Response:
    """Set a new password by a recovery code, sign in, and show the next code."""
    form = request.form
    try:
        entrant = recovery.recover(
            platform().settings,
            utcnow(),
            form.get("username", ""),
            form.get("code", ""),
            form.get("new", ""),
            address=address(),
        )
        cut_off(entrant.user)
        enter(entrant)
    except RootBloodError as error:
        return form_page("auth/recover.html", error)
    return code_page(entrant.recovery_code, "/")


@pages.post("/logout")
def log_out() -> BaseResponse:
    """Sign out of this browser; its terminals close at once."""
    who = find_caller()
    if who is not None and who.login_id is not None:
        accounts.sign_out(who.login_id)
        cut_off(who.user)
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
