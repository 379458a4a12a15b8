"""Other people's accounts over the API, for administrators; and the end of one's own."""

from models import utcnow
from orchestrator import administration, deletion
from web import present
from web.api import schema
from web.api.operation import operation
from web.identity import address, caller, platform
from web.limits import limit_own_password


@operation("GET", "/users/<username>", tag="accounts", answer=schema.User)
def get_user(username: str) -> schema.User:
    """Return an account, what it may use and what it does; for administrators."""
    return _shown(username)


@operation("PATCH", "/users/<username>", tag="accounts", body=schema.UserChange,
           answer=schema.User)  # fmt: skip
def change_user(username: str, body: schema.UserChange) -> schema.User:
    """Set what an account may use; for administrators.

    What is left out stays; null is the server's default again. A home grows at once while it is
    open, else when it is opened next.
    """
    administration.set_allowance(
        platform(),
        caller().user,
        utcnow(),
        username,
        body.allowance.model_dump(exclude_unset=True),
        address=address(),
    )
    return _shown(username)


def _shown(username: str) -> schema.User:
    row = administration.user(caller().user, username)
    return present.users(platform(), [row], utcnow())[0]


@operation("DELETE", "/me", tag="accounts", body=schema.Password, status=204)
@limit_own_password
def delete_me(body: schema.Password) -> None:
    """Delete your account, with your password.

    The keys of your home are destroyed at once and your workspaces deleted; the files, which
    nobody can read by then where homes are encrypted, are deleted after the grace period.
    """
    deletion.delete_own(platform(), caller().user, utcnow(), body.password, address=address())
