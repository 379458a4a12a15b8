"""No cookie of ours reaches an app, and no app sets one, however it is spelled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web.preview.stripping import admitted, without_ours

OURS = [
    b"__Host-rootblood-pass=secret",
    b"__host-ROOTBLOOD=secret",
    b"__Secure-rootblood=secret",
    b"rootblood=secret",
    b"RootBlood-nonce=secret",
    b" rootblood-pass = secret",
    b'"__Host-rootblood-pass"=secret',
    b'"rootblood=secret"',
    b"=__Host-rootblood-pass=secret",
    b"= =rootblood=secret",
    b"rootblood",
    b"\trootblood\t=secret",
    b"\xa0__Host-rootblood-pass=secret",
    b"\x85rootblood=secret",
]


@pytest.mark.parametrize("ours", OURS)
@pytest.mark.parametrize(
    ("before", "after", "left"),
    [(b"", b"", b""), (b"a=b; ", b"", b"a=b"), (b"", b"; c=d", b"c=d"),
     (b"a=b;", b";c=d", b"a=b; c=d"), (b"a=b; rootblood=x; ", b";;", b"a=b")],
)  # fmt: skip
def test_an_app_gets_all_cookies_but_ours(
    ours: bytes, before: bytes, after: bytes, left: bytes
) -> None:
    assert without_ours(before + ours + after) == left


@pytest.mark.parametrize("ours", OURS)
@pytest.mark.parametrize("attributes", [b"", b"; Path=/", b"; Domain=apps.test; Secure"])
def test_an_app_sets_no_cookie_of_ours(ours: bytes, attributes: bytes) -> None:
    assert admitted(ours + attributes) is None


def test_an_apps_own_cookies_pass_as_they_are() -> None:
    for value in (b"a=b", b'a="b c";d', b"my-rootblood=1; note=about rootblood", b""):
        assert without_ours(value) == value
    for value in (b"sid=1; Path=/; HttpOnly", b"theme=rootblood; Secure", b"domainless=1"):
        assert admitted(value) == value


@pytest.mark.parametrize(
    "domain", [b"Domain=apps.test", b" DOMAIN = .test", b"domain", b"\tDomain="]
)
def test_an_apps_cookie_reaches_its_own_host_alone(domain: bytes) -> None:
    assert admitted(b"sid=1; Path=/;" + domain + b"; Secure") == b"sid=1; Path=/; Secure"


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.sampled_from('=; "\trootblood_HostSecure-a'), max_size=60))
def test_nothing_that_is_left_reads_as_ours(text: str) -> None:
    for pair in without_ours(text.encode()).split(b";"):
        assert not pair.strip(b' \t="').lower().startswith(b"rootblood")
        assert not pair.strip(b' \t="').lower().startswith(b"__host-rootblood")
