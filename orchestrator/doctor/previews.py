"""Whether previews have origins of their own, and how well those are kept apart."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from orchestrator.doctor.finding import Finding, Verdict
from orchestrator.names import parse_authority
from orchestrator.previews import Label
from orchestrator.settings import Settings

_GUIDE = "See 'How to give previews a domain'."


def examine(settings: Settings, panel: str) -> Iterator[Finding]:
    """Return which way previews are opened, for who sees the panel at ``panel``."""
    host = urlsplit(panel).hostname or ""
    if settings.apps_host:
        yield _by_port(settings, host)
    else:
        yield _by_name(settings.apps_domain.partition(":")[0], host)
    known = settings.panel_url
    if known and panel not in ("", known):
        yield Finding(
            "panel-url", Verdict.WARN,
            f"Previews are opened from {known}, and not from {panel}, where you are.",
            "Open the panel there, or set ROOTBLOOD_PANEL_URL to where browsers are. " + _GUIDE,
        )  # fmt: skip


def nobodys(settings: Settings) -> tuple[str, str]:
    """Return host and port of a preview that nobody has; an empty port is the panel's own."""
    if settings.apps_host:
        return settings.apps_host, str(settings.apps_port_range[0])
    domain, port = parse_authority(settings.apps_domain)
    return f"{Label.nobodys()}.{domain}", port


def site(host: str) -> str:
    """Return the part of a host name that browsers take for one site, as far as it shows.

    The exact answer needs the public suffix list, https://publicsuffix.org. Without it
    ``example.co.uk`` is told from ``example.org`` by the length of what stands before the end.
    """
    labels = host.split(".")
    if labels[-1].isdigit() or len(labels) < 2:
        return host
    short = len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3 if short else -2 :])


def _by_port(settings: Settings, panel: str) -> Finding:
    if settings.apps_host == panel:
        return Finding(
            "apps", Verdict.FAIL, "Previews have the panel's own host name: no wall is between.",
            "ROOTBLOOD_APPS_HOST must be another name than the panel's. " + _GUIDE,
        )  # fmt: skip
    return Finding(
        "apps", Verdict.WARN,
        f"Previews share one host, {settings.apps_host}, each on a port of its own "
        f"({settings.apps_ports}): they can see each other's cookies.",
        "Without wildcard DNS it is the best there is. With it, set ROOTBLOOD_APPS_DOMAIN and "
        "leave ROOTBLOOD_APPS_HOST empty. " + _GUIDE,
    )  # fmt: skip


def _by_name(domain: str, panel: str) -> Finding:
    shown = f"Each preview has a host of its own below {domain}"
    if panel.endswith(f".{domain}"):
        return Finding(
            "apps", Verdict.FAIL, f"{shown}, and the panel is among them.",
            "Choose a ROOTBLOOD_APPS_DOMAIN that the panel is not part of. " + _GUIDE,
        )  # fmt: skip
    if domain == "localhost":
        if panel in ("", "localhost", "127.0.0.1", "::1"):
            return Finding("apps", Verdict.OK, f"{shown}.")
        return Finding(
            "apps", Verdict.WARN, f"{shown}: browsers on other machines cannot open them.",
            "Set ROOTBLOOD_PANEL_URL, and ROOTBLOOD_APPS_DOMAIN or ROOTBLOOD_APPS_HOST. " + _GUIDE,
        )  # fmt: skip
    if panel and site(panel) == site(domain):
        return Finding(
            "apps", Verdict.WARN, f"{shown}, of the same site as the panel.",
            "Checks of ours hold, but browsers wall off other sites only: a domain registered for "
            "previews alone is safer. " + _GUIDE,
        )  # fmt: skip
    return Finding("apps", Verdict.OK, f"{shown}.")
