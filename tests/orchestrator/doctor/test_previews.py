import pytest

from orchestrator.doctor import Finding, Verdict
from orchestrator.doctor.previews import examine, site
from orchestrator.settings import Settings


def found(panel: str, **settings: str) -> Finding:
    (one,) = examine(Settings(**settings), panel)
    return one


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("panel.example.org", "example.org"),
        ("example.org", "example.org"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_site_is_what_somebody_registered(host: str, expected: str) -> None:
    assert site(host) == expected


@pytest.mark.parametrize(
    ("panel", "domain", "verdict", "said"),
    [
        ("https://panel.example.org", "apps.example.net", Verdict.OK, "a host of its own"),
        ("https://panel.example.org", "apps.example.org", Verdict.WARN, "same site"),
        ("https://example.org", "example.org", Verdict.WARN, "same site"),
        ("https://panel.example.org", "example.org", Verdict.FAIL, "the panel is among them"),
        ("https://panel.example.org", "localhost", Verdict.WARN, "other machines"),
        ("http://192.0.2.1:8000", "localhost", Verdict.WARN, "other machines"),
        ("http://localhost:8000", "localhost", Verdict.OK, "a host of its own"),
        ("http://127.0.0.1:8000", "localhost", Verdict.OK, "a host of its own"),
        ("", "localhost", Verdict.OK, "a host of its own"),
        ("https://panel.example.org", "apps.example.net:8443", Verdict.OK, "apps.example.net."),
    ],
)
def test_where_previews_are_is_judged_by_where_the_panel_is(
    panel: str, domain: str, verdict: Verdict, said: str
) -> None:
    one = found(panel, apps_domain=domain)
    assert (one.verdict, said in one.what) == (verdict, True)
    assert bool(one.hint) is (verdict is not Verdict.OK)


def test_previews_that_share_a_host_are_said_to() -> None:
    one = found("https://panel.example.org", apps_host="apps.example.net", apps_ports="9000-9009")
    assert one.verdict is Verdict.WARN
    assert "apps.example.net" in one.what
    assert "9000-9009" in one.what


@pytest.mark.parametrize(
    ("panel", "said"),
    [("https://panel.test", False), ("", False), ("https://panel.test:8443", True),
     ("http://panel.test", True), ("http://192.0.2.1:8000", True)],
)  # fmt: skip
def test_whoever_is_at_another_address_than_previews_are_opened_from_is_told(
    panel: str, said: bool
) -> None:
    settings = Settings(panel_url="https://panel.test", apps_domain="apps.example.net")
    by_name = {one.name: one for one in examine(settings, panel)}
    assert ("panel-url" in by_name) is said
    if said:
        assert by_name["panel-url"].verdict is Verdict.WARN
        assert "https://panel.test" in by_name["panel-url"].what


def test_previews_on_the_panels_own_host_are_broken() -> None:
    one = found("https://panel.example.org", apps_host="panel.example.org")
    assert one.verdict is Verdict.FAIL
