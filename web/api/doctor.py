"""What the server rests on, and what it sees of a request, over the API."""

from flask import current_app, request

from models import end_reading, utcnow
from orchestrator import doctor
from orchestrator.doctor import mark
from web import present
from web.api import schema
from web.api.operation import operation
from web.identity import address, caller, exposed_origin, platform, trusted_origin

FORWARDING = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
)  # fmt: skip
"""What proxies add to say whom they ask for."""


@operation("GET", "/doctor", tag="health", answer=schema.Findings)
def examine() -> schema.Findings:
    """Say how well the server is set up; administrators read what to do, too."""
    hints = caller().user.is_admin
    end_reading()
    found = doctor.examine(platform(), panel=f"{request.scheme}://{request.host}")
    return schema.Findings(findings=present.findings(found, hints=hints))


@operation("GET", "/doctor/seen", tag="health", answer=schema.Seen)
def see() -> schema.Seen:
    """Say what the server sees of this request, to be compared with what was sent."""
    trusted = platform().settings.trusted_proxies
    return schema.Seen(
        mark=mark.of(current_app.config["SECRET_KEY"]),
        scheme=request.scheme,
        host=request.host,
        address=address(),
        now=utcnow(),
        secure_cookie=trusted_origin(),
        exposed=exposed_origin(),
        forwarded=[name for name in FORWARDING if name in request.headers],
        trusted_proxies=trusted if caller().user.is_admin else None,
    )
