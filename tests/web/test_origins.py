import pytest

from web.origins import is_trusted


@pytest.mark.parametrize(
    ("origin", "trusted"),
    [
        ("https://a.example.org", True),
        ("http://localhost:8000", True),
        ("http://1--a--b.localhost:8000", True),
        ("http://1--a--b.localhost", True),
        ("http://localhost.example.org", False),
        ("http://mylocalhost:80", False),
        ("http://192.0.2.1:8000", False),
        ("http://LocalHost", True),
        ("http://[::1]:8000", False),
    ],
)
def test_where_browsers_take_secure_cookies(origin: str, trusted: bool) -> None:
    scheme, _, authority = origin.partition("://")
    assert is_trusted(scheme, authority) is trusted
