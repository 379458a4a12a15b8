"""Your home: its state, its lock, and taking it away."""

from flask import Response, request

from models import utcnow
from orchestrator import accounts, archives, homes, keys
from orchestrator.names import parse_session
from web import present
from web.api import home_schema
from web.api.operation import operation
from web.identity import Caller, caller, platform
from web.license import licensed
from web.limits import limit_own_password


@operation("GET", "/home", tag="home", answer=home_schema.Home)
def get_home() -> home_schema.Home:
    """Return how your home is kept, what it takes, and what is being done to it."""
    return present.home(platform(), caller(), utcnow())


@operation("POST", "/home/unlock", tag="home", body=home_schema.Unlock, answer=home_schema.Home)
def unlock_home(body: home_schema.Unlock) -> home_schema.Home:
    """Open your home for a while, so that it can be used without a sign-in.

    It locks again when nothing has used it for the time that the server is set to. With a password
    given, this sign-in or token opens it by itself from then on.
    """
    who = caller()
    if body.password is not None:
        _keep_key(who, body.password)
    homes.unlock(platform(), who.user, utcnow(), who.proof)
    return present.home(platform(), who, utcnow())


@limit_own_password
def _keep_key(who: Caller, password: str) -> None:
    """Let the caller's sign-in or token open the home, as the password does."""
    entrant = accounts.prove_again(
        platform().settings, who.user, utcnow(), password, field="password"
    )
    if entrant.key is not None and who.proof is not None:
        keys.keep(who.user, who.proof, entrant.key)


@operation("POST", "/home/lock", tag="home", answer=home_schema.Home)
def lock_home() -> home_schema.Home:
    """Lock your home at once; your workspaces have to be stopped."""
    homes.lock(platform(), caller().user)
    return present.home(platform(), caller(), utcnow())


@operation(
    "GET",
    "/home/archive",
    tag="home",
    media="application/gzip",
    query=(("id", "Any short name, to recognise this download in the events."),),
)
def download_home() -> Response:
    """Download your home as a tar.gz, whether a workspace runs or not.

    What could not be read is listed in UNREADABLE.txt inside the archive.
    """
    transfer = parse_session(request.args.get("id", "download"))
    who = caller()
    archive = archives.open_archive(platform(), who.user, transfer, who.proof)
    name = f"{who.user.username}-home-{utcnow():%Y%m%d-%H%M}.tar.gz"
    response = Response(licensed(iter(archive), who), mimetype="application/gzip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(archive.close)
    return response
