"""Where previews are: hosts below the apps domain."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from orchestrator.names import is_port, parse_authority
from orchestrator.previews import Label


@dataclass(frozen=True, slots=True)
class AppsDomain:
    """A domain whose every subdomain reaches this server; ``port`` is "" for the panel's own."""

    shares_host: ClassVar[bool] = False

    host: str
    port: str = ""

    @classmethod
    def parse(cls, text: str) -> "AppsDomain":
        """Return the domain that the setting ``apps_domain`` names. Raises: ValueError."""
        return cls(*parse_authority(text))

    def covers(self, host: str) -> bool:
        """Return whether a ``Host``, with or without a port, is below the domain.

        Such a request is a preview's or nobody's: the panel is never served there.
        """
        return host_of(host).endswith(f".{self.host}")

    def label(self, host: str) -> Label | None:
        """Return the preview that a ``Host`` names, None where it names none."""
        name, end = host_of(host), f".{self.host}"
        return Label.parse(name.removesuffix(end)) if name.endswith(end) else None

    def origin(self, label: Label, scheme: str, panel_host: str) -> str:
        """Return a preview's origin for who sees the panel at ``scheme`` and ``panel_host``."""
        return self._at(str(label), scheme, panel_host)

    def origins(self, scheme: str, panel_host: str) -> str:
        """Return all previews' origins, as a content security policy names them."""
        return self._at("*", scheme, panel_host)

    def tag(self, host: str) -> str:
        """Return what tells a preview's cookies from another's: nothing, browsers do."""
        return ""

    def used(self, label: Label, now: datetime) -> None:
        """Note that somebody uses the preview: nothing depends on it."""

    def panel(self, scheme: str, host: str) -> str | None:
        """Return the panel's origin where it goes without saying: below ``localhost``."""
        if self.host != "localhost":
            return None
        port = port_of(host)
        return f"{scheme}://localhost" + (f":{port}" if port else "")

    def follows(self, label: Label, scheme: str, host: str, panel: str) -> bool:
        """Return whether who sees the panel at that origin sees the preview at the other."""
        return self.origin(label, *panel.split("://")) == f"{scheme}://{host}".lower()

    def _at(self, name: str, scheme: str, panel_host: str) -> str:
        port = self.port or port_of(panel_host)
        standard = {"http": "80", "https": "443"}.get(scheme)
        return f"{scheme}://{name}.{self.host}" + (f":{port}" if port not in ("", standard) else "")


def host_of(host: str) -> str:
    """Return a ``Host`` without its port, in lower case, and without the dot of the root."""
    name, colon, port = host.rpartition(":")
    bare = name if colon and (port.isdigit() or not port) else host
    return bare.lower().removesuffix(".")


def port_of(host: str) -> str:
    """Return the port that a ``Host`` names, "" where it names none."""
    _, colon, port = host.rpartition(":")
    return port if colon and is_port(port) else ""
