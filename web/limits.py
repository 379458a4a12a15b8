"""Slow down guessing: sign-ins and sign-ups, per address and per account.

A try is counted before it is looked at, so that many at once are as many, and a sign-in that
succeeds is given back. The tight limit of an account holds for each address by itself: else anybody
could keep its owner out. What many addresses together may try is limited too, more loosely.
"""

import ipaddress
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse_many
from werkzeug.wrappers import Response

from orchestrator.errors import TooManyRequests
from web.identity import find_caller

limiter = Limiter(key_func=get_remote_address, storage_uri="memory://")

_FAILED = (401, 403, 422)
_IPV6_NETWORK = 64  # what one customer of a provider has at least: RFC 6177
View = Callable[..., Any]
Count = tuple[RateLimitItem, str, str]


def _address() -> str:
    text = get_remote_address()
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
    return text


def _account() -> str:
    body: Any = request.get_json(silent=True) if request.is_json else request.form
    name = body.get("username", "") if hasattr(body, "get") else ""
    return str(name)[:40].lower()


def _account_here() -> str:
    return f"{_account()} {_address()}"


def _own_account() -> str:
    who = find_caller()  # a form may name anybody
    return who.user.username if who else ""


def _limited(
    *rules: tuple[str, str, Callable[[], str]], only_failures: bool
) -> Callable[[View], View]:
    """Limit a view by ``(limit, scope, key)``; views of one scope and key are counted together."""
    parsed = [(item, scope, key) for text, scope, key in rules for item in parse_many(text)]

    def decorate(view: View) -> View:
        @wraps(view)
        def limited(*arguments: Any, **named: Any) -> Any:
            if not current_app.config["RATELIMIT_ENABLED"]:
                return view(*arguments, **named)
            counts: list[Count] = [(item, scope, key()) for item, scope, key in parsed]
            # Tries that are refused are not counted: they would shut out an address's neighbours.
            if not all(limiter.limiter.test(*count) for count in counts):
                raise TooManyRequests
            if False in [limiter.limiter.hit(*count) for count in counts]:  # others were faster
                _give_back(counts)
                raise TooManyRequests
            answer = view(*arguments, **named)
            failed = isinstance(answer, Response) and answer.status_code in _FAILED
            if only_failures and not failed:
                _give_back(counts)
            return answer

        return limited

    return decorate


def _give_back(counts: list[Count]) -> None:
    storage = limiter.limiter.storage
    for item, *key in counts:
        storage.incr(item.key_for(*key), item.get_expiry(), amount=-1)


limit_sign_in = _limited(
    ("10 per minute", "sign-in-account", _account_here),
    ("100 per minute", "sign-in-account-anywhere", _account),
    ("40 per minute", "sign-in-address", _address),
    only_failures=True,
)
limit_own_password = _limited(
    ("10 per minute", "sign-in-account", lambda: f"{_own_account()} {_address()}"),
    ("100 per minute", "sign-in-account-anywhere", _own_account),
    ("40 per minute", "sign-in-address", _address),
    only_failures=True,
)
"""For views where a person who is signed in proves it again."""
limit_sign_up = _limited(
    ("10 per minute", "sign-up-account", _account_here),
    ("90 per minute; 500 per hour", "sign-up-address", _address),
    only_failures=False,
)


def install(app: Flask, *, enabled: bool) -> None:
    """Register the limits with the application."""
    app.config["RATELIMIT_ENABLED"] = enabled
    limiter.init_app(app)
