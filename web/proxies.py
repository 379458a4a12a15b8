"""What a reverse proxy needs to be told, with the names of this installation in it."""

import re
from dataclasses import dataclass

from flask import current_app

from orchestrator.settings import Settings

_NAME = re.compile(r"[a-z0-9.-]{1,253}")
_FILES = {"nginx": "nginx.conf", "Caddy": "Caddyfile", "Traefik": "traefik.yaml"}


@dataclass(frozen=True, slots=True)
class Snippet:
    """A proxy's configuration."""

    program: str
    text: str


def snippets(settings: Settings, host: str) -> list[Snippet]:
    """Return the configuration of each known proxy for a panel at ``host``."""
    name = host.rpartition(":")[0] or host
    given = {
        "panel": name if _NAME.fullmatch(name) and "." in name else "panel.example.org",
        "apps": settings.apps_domain.partition(":")[0],
        "apps_host": settings.apps_host,
        "ports": settings.apps_ports,
        "upstream": "{}:{}".format(*settings.address),
    }
    if given["apps"] == "localhost":
        given["apps"] = "apps.example.net"
    return [
        Snippet(program, current_app.jinja_env.get_template(f"proxies/{file}").render(**given))
        for program, file in _FILES.items()
    ]
