"""The administrators' pages. The use cases check the right; this only shows and asks."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from models import Role, utcnow
from orchestrator import access, administration, apps, catalogue, invitations, languages
from orchestrator.errors import NotFound, RootBloodError
from orchestrator.policy import level
from web import present
from web.forms import decimal, field_errors, gibibytes, number
from web.identity import address, caller, platform
from web.problems import status_of

pages = Blueprint("admin", __name__, url_prefix="/admin")


@pages.before_request
def only_administrators() -> None:
    """Refuse everyone else before anything is looked up."""
    access.require_admin(caller().user)


@pages.get("/users")
def users() -> str:
    """List the accounts."""
    rows = administration.users(caller().user)
    shown = present.users(platform(), rows, utcnow())
    return render_template("admin/users.html", users=shown, level=level, nav="users")


def _promote(username: str, role: Role) -> None:
    administration.set_role(caller().user, utcnow(), username, role, address=address())


def _allow(username: str) -> None:
    form = request.form
    change = {
        "workspaces": number(form.get("max_workspaces", ""), "max_workspaces"),
        "cpus": decimal(form.get("max_cpus", ""), "max_cpus"),
        "memory_bytes": number(form.get("max_memory_mib", ""), "max_memory_mib") << 20,
        "pids": number(form.get("max_pids", ""), "max_pids"),
        "disk_bytes": gibibytes(form.get("max_disk_gib", ""), "max_disk_gib"),
        "hours": decimal(form.get("max_hours", "") or "0", "max_hours"),
    }
    administration.set_allowance(
        platform(), caller().user, utcnow(), username, change, address=address()
    )


_STEPS: dict[str, tuple[Callable[[str], None], str]] = {
    "suspend": (
        lambda name: administration.suspend(
            platform(), caller().user, utcnow(), name, address=address()
        ),
        "{} is suspended.",
    ),
    "resume": (
        lambda name: administration.resume(caller().user, utcnow(), name, address=address()),
        "{} may come in again.",
    ),
    "promote": (lambda name: _promote(name, Role.ADMIN), "{} is an administrator."),
    "demote": (lambda name: _promote(name, Role.USER), "{} is an ordinary user."),
    "allowance": (_allow, "Allowance of {} saved."),
    "delete": (
        lambda name: administration.remove(
            platform(), caller().user, utcnow(), name, address=address()
        ),
        "{} is deleted, with the keys of its home. The files follow after the grace period.",
    ),
}


@pages.post("/users/<username>/<step>")
def change_user(username: str, step: str) -> BaseResponse:
    """Do one of the steps to an account."""
    if step not in _STEPS:
        raise NotFound
    act, said = _STEPS[step]
    try:
        act(username)
        flash(said.format(username), "ok")
    except RootBloodError as error:
        if isinstance(error, NotFound):
            raise
        flash(str(error), "error")
    return redirect("/admin/users", code=303)


@pages.get("/invites")
def invites() -> Response:
    """List the invitations."""
    return _invites_page()


def _invites_page(url: str | None = None, error: RootBloodError | None = None) -> Response:
    response = make_response(
        render_template(
            "admin/invites.html",
            invites=invitations.listed(),
            new_invite_url=url,
            registration=platform().settings.registration.value,
            errors=field_errors(error) if error else {},
            nav="invites",
        )
    )
    response.status_code = status_of(error) if error else 200
    return response


@pages.post("/invites")
def create_invite() -> Response:
    """Create an invitation and show its link once."""
    try:
        days = number(request.form.get("days", "7"), "days")
        _, secret = invitations.create(caller().user, utcnow(), days)
    except RootBloodError as error:
        return _invites_page(error=error)
    return _invites_page(f"{request.host_url}register?invite={secret}")


@pages.post("/invites/<int:invite_id>/delete")
def delete_invite(invite_id: int) -> BaseResponse:
    """Withdraw an invitation."""
    invitations.withdraw(caller().user, invite_id)
    return redirect("/admin/invites", code=303)


@pages.get("/templates")
def templates() -> Response:
    """Show the catalogue's editor."""
    return _templates_page()


def _templates_page(error: RootBloodError | None = None) -> Response:
    response = make_response(
        render_template(
            "admin/templates.html",
            templates=present.templates(platform(), all_of_them=True),
            languages_written=languages.written,
            apps_written=apps.written,
            values={key: text[:2000] for key, text in request.form.items()},
            errors=field_errors(error) if error else {},
            nav="admin-templates",
        )
    )
    response.status_code = status_of(error) if error else 200
    return response


def _entry(name: str) -> catalogue.Entry:
    form = request.form
    ports = [part.strip() for part in form.get("ports", "").split(",") if part.strip()]
    return catalogue.Entry(
        name=name,
        title=form.get("title", ""),
        description=form.get("description", ""),
        image=form.get("image", ""),
        cpus=decimal(form.get("cpus", ""), "cpus"),
        memory_bytes=number(form.get("memory_mib", ""), "memory_mib") << 20,
        pids=number(form.get("pids", ""), "pids"),
        ports=tuple(number(port, "ports") for port in ports),
        languages=languages.parse(form.get("languages", "")),
        apps=apps.parse(form.get("apps", "")),
        read_only_root="read_only_root" in form,
        enabled="enabled" in form,
    )


def _edit(edit: Callable[[], Any], said: str) -> Response | BaseResponse:
    try:
        edit()
    except RootBloodError as error:
        return _templates_page(error)
    flash(said, "ok")
    return redirect("/admin/templates", code=303)


@pages.post("/templates")
def add_template() -> Response | BaseResponse:
    """Add a template."""
    return _edit(
        lambda: catalogue.add(
            caller().user, utcnow(), _entry(request.form.get("name", "")), address=address()
        ),
        "Template added.",
    )


@pages.post("/templates/<name>")
def change_template(name: str) -> Response | BaseResponse:
    """Change a template."""
    return _edit(
        lambda: catalogue.change(caller().user, utcnow(), _entry(name), address=address()),
        "Template saved.",
    )


@pages.post("/templates/<name>/delete")
def delete_template(name: str) -> Response | BaseResponse:
    """Delete an unused template."""
    return _edit(
        lambda: catalogue.delete(caller().user, utcnow(), name, address=address()),
        "Template deleted.",
    )


@pages.get("/events")
def events() -> str:
    """Show the audit log."""
    page = number(request.args.get("page", "1"), "page")
    rows, count = administration.events(caller().user, page)
    return render_template("admin/events.html", events=rows, page=page, pages=count, nav="events")
