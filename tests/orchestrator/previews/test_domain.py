import pytest

from orchestrator.previews import Label
from orchestrator.previews.domain import AppsDomain

ANN = Label(5173, "main", "ann")
LOCAL = AppsDomain.parse("localhost")
OTHER = AppsDomain.parse("apps.example.org:8443")


@pytest.mark.parametrize(
    ("host", "label"),
    [
        ("5173--main--ann.localhost", ANN),
        ("5173--main--ann.localhost:8000", ANN),
        ("5173--MAIN--ann.LocalHost:8000", ANN),
        ("5173--main--ann.localhost.", ANN),
        ("x.localhost", None),
        ("5173--main--ann.x.localhost", None),
        ("x.5173--main--ann.localhost", None),
    ],
)
def test_hosts_below_the_domain_are_previews_or_nobodys(host: str, label: Label | None) -> None:
    assert LOCAL.covers(host)
    assert LOCAL.label(host) == label


@pytest.mark.parametrize(
    "host",
    ["", "localhost", "localhost:8000", "127.0.0.1", "[::1]:8000", "evil-localhost",
     "localhost.evil", "5173--main--ann.localhost.evil.example",
     "5173--main--ann.localhost:80@evil", "5173--main--ann", "5173--main--annlocalhost"],
)  # fmt: skip
def test_other_hosts_are_not_covered(host: str) -> None:
    assert not LOCAL.covers(host)
    assert LOCAL.label(host) is None


@pytest.mark.parametrize(
    ("domain", "scheme", "host", "origin"),
    [
        (LOCAL, "http", "localhost:8000", "http://5173--main--ann.localhost:8000"),
        (LOCAL, "http", "127.0.0.1:8000", "http://5173--main--ann.localhost:8000"),
        (LOCAL, "http", "[::1]:8000", "http://5173--main--ann.localhost:8000"),
        (LOCAL, "http", "localhost", "http://5173--main--ann.localhost"),
        (LOCAL, "http", "localhost:80", "http://5173--main--ann.localhost"),
        (LOCAL, "https", "localhost:443", "https://5173--main--ann.localhost"),
        (OTHER, "https", "panel.example", "https://5173--main--ann.apps.example.org:8443"),
        (OTHER, "https", "panel.example:1", "https://5173--main--ann.apps.example.org:8443"),
    ],
)
def test_a_previews_origin_follows_the_panels(
    domain: AppsDomain, scheme: str, host: str, origin: str
) -> None:
    assert domain.origin(ANN, scheme, host) == origin
    assert domain.origins(scheme, host) == origin.replace(str(ANN), "*")


def test_where_the_panel_is_goes_without_saying_below_localhost_only() -> None:
    assert LOCAL.panel("http", "5173--main--ann.localhost:8000") == "http://localhost:8000"
    assert LOCAL.panel("https", "5173--main--ann.localhost") == "https://localhost"
    assert OTHER.panel("https", "5173--main--ann.apps.example.org:8443") is None


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "-a", "a-", "a:0", "a:65536", "a:x", "a b", "*.a"]
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no (host's name|port)"):
        AppsDomain.parse(text)
