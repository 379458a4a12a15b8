"""The two names of a preview: the browser's origin, and what the app believes to be."""

from dataclasses import dataclass, field

from orchestrator.previews import Label


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A preview as one browser sees it. Not compared: one that is asked often is made once.

    Development servers answer to ``localhost`` and refuse other hosts, against DNS rebinding; so
    the app is asked as ``localhost``, and what it says of that becomes the preview's origin again.
    """

    label: Label
    scheme: str
    authority: str
    """Host and port, as the browser sees them."""
    shares_host: bool = False
    """Whether the port may be another preview's later: see ``AppsPorts``."""
    origin: bytes = field(init=False)
    local: bytes = field(init=False)
    """The origin that the app believes to have."""
    local_names: tuple[bytes, ...] = field(init=False)
    """All origins by which an app may call itself."""

    def __post_init__(self) -> None:
        port = self.label.port
        names = ("localhost", "127.0.0.1", "[::1]", "0.0.0.0")
        known = [f"{scheme}://{name}:{port}" for scheme in ("http", "https") for name in names]
        if port in (80, 443):
            known += [f"{'https' if port == 443 else 'http'}://{name}" for name in names]
        object.__setattr__(self, "origin", f"{self.scheme}://{self.authority}".encode("latin-1"))
        object.__setattr__(self, "local", f"http://localhost:{port}".encode())
        object.__setattr__(self, "local_names", tuple(name.encode() for name in known))

    def localised(self, url: bytes) -> bytes:
        """Return the app's name for an ``Origin`` or ``Referer`` of this preview."""
        return self._renamed(url, (self.origin,), self.local)

    def published(self, url: bytes) -> bytes:
        """Return the browser's name for an address that the app gave of itself."""
        return self._renamed(url, self.local_names, self.origin)

    @staticmethod
    def _renamed(url: bytes, names: tuple[bytes, ...], to: bytes) -> bytes:
        for name in names:
            if url.startswith(name):
                rest = url[len(name) :]
                if not rest or rest[:1] in b"/?#":  # else it is another host's beginning
                    return to + rest
        return url
