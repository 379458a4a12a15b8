"""Accounts and tokens over the API."""

from models import utcnow
from orchestrator import accounts, tokens
from web import present
from web.api import schema
from web.api.operation import operation
from web.identity import address, caller, platform, refuse_rebound_founder
from web.limits import limit_sign_in, limit_sign_up


@operation("POST", "/users", tag="accounts", body=schema.NewUser,
           answer=schema.UserCreated, status=201, public=True)  # fmt: skip
@limit_sign_up
def create_user(body: schema.NewUser) -> schema.UserCreated:
    """Sign up. The first account of a server becomes its administrator."""
    refuse_rebound_founder()
    entrant = accounts.register(
        platform().settings,
        utcnow(),
        body.username,
        body.password,
        invite=body.invite,
        address=address(),
        recovery=body.recovery,
    )
    me = present.me(platform(), entrant.user)
    return schema.UserCreated(**me.model_dump(), recovery_code=entrant.recovery_code or None)


@operation("POST", "/tokens", tag="accounts", body=schema.NewToken, answer=schema.TokenCreated,
           status=201, public=True)  # fmt: skip
@limit_sign_in
def create_token(body: schema.NewToken) -> schema.TokenCreated:
    """Exchange username and password for an API token, which is shown this once.

    It opens your home as a sign-in does.
    """
    now = utcnow()
    entrant = accounts.authenticate(platform().settings, now, body.username, body.password)
    row, secret = tokens.create(
        entrant.user,
        now,
        body.name,
        body.days,
        address=address(),
        key=entrant.key,
        proven=entrant.proven,
    )
    return schema.TokenCreated(**present.token(row).model_dump(), token=secret)


@operation("GET", "/tokens", tag="accounts", answer=schema.Tokens)
def list_tokens() -> schema.Tokens:
    """List your API tokens; their secrets are not stored."""
    return schema.Tokens(tokens=[present.token(row) for row in tokens.of_user(caller().user)])


@operation("DELETE", "/tokens/<int:token_id>", tag="accounts", status=204)
def delete_token(token_id: int) -> None:
    """Revoke a token at once, with the connections it holds open."""
    tokens.revoke(caller().user, utcnow(), token_id, address=address())
    platform().connections.hang_up_revoked()


@operation("GET", "/me", tag="accounts", answer=schema.Me)
def get_me() -> schema.Me:
    """Return your account and its allowance."""
    return present.me(platform(), caller().user)
