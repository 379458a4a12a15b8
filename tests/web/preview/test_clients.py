import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.heads import AUTHORITY_BYTES, parse_request
from web.preview.clients import Client, client_of

PEER = "192.0.2.1"
SAID = {
    "X-Forwarded-Proto": ("http", "https"),
    "X-Forwarded-Host": ("a.test", "b.test:8443"),
    "X-Forwarded-For": ("10.0.0.1", "10.0.0.2", "2001:db8::1"),
}


def seen(*lines: str, proxies: int = 0) -> Client:
    text = "\r\n".join(["GET / HTTP/1.1", "Host: Apps.Test:80", *lines, "", ""])
    return client_of(parse_request(text.encode()), PEER, proxies)


def test_what_a_client_says_of_itself_counts_for_nothing() -> None:
    told = ("X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil")
    assert seen(*told) == Client("http", "apps.test:80", PEER)


@given(st.data())
def test_the_outermost_trusted_proxy_is_believed(data: st.DataObject) -> None:
    """Each adds to the list, on a line of its own or not; who asks may have begun it."""
    proxies = data.draw(st.integers(1, 4))
    said = {}
    lines = []
    for name, values in SAID.items():
        told = said[name] = data.draw(st.lists(st.sampled_from(values), max_size=6), name)
        cuts = data.draw(st.lists(st.booleans(), min_size=len(told), max_size=len(told)))
        for value, begins in zip(told, cuts, strict=True):
            if begins or not lines or not lines[-1].startswith(f"{name}:"):
                lines.append(f"{name}: {value}")
            else:
                lines[-1] += f" ,\t{value}"

    def believed(name: str, otherwise: str) -> str:
        return said[name][-proxies] if len(said[name]) >= proxies else otherwise

    assert seen(*lines, proxies=proxies) == Client(
        believed("X-Forwarded-Proto", "http"),
        believed("X-Forwarded-Host", "apps.test:80"),
        believed("X-Forwarded-For", PEER),
    )


@pytest.mark.parametrize("told", ["", ",", "10.0.0.1, ", " ,"])
def test_a_proxy_that_says_nothing_is_none(told: str) -> None:
    lines = (f"X-Forwarded-For: {told}", f"X-Forwarded-Host: {told}", f"X-Forwarded-Proto: {told}")
    assert seen(*lines, proxies=1) == Client("http", "apps.test:80", PEER)


@pytest.mark.parametrize("scheme", ["ftp", "httpss", "https:", "ws", "x-https"])
def test_what_is_not_https_is_http(scheme: str) -> None:
    assert seen(f"X-Forwarded-Proto: {scheme}", proxies=1).scheme == "http"


def test_proxies_say_scheme_and_host_too() -> None:
    told = ("X-Forwarded-Proto: HTTPS", "X-Forwarded-Host: x, A--b.test")
    assert seen(*told, proxies=1) == Client("https", "a--b.test", PEER)


def test_nothing_is_remembered_that_is_longer_than_it_can_be() -> None:
    long = "9" * 5000
    found = seen(f"X-Forwarded-Host: {long}.apps.test", f"X-Forwarded-For: {long}", proxies=1)
    assert len(found.address) == 64
    assert len(found.authority) == AUTHORITY_BYTES
    assert found.authority.endswith("9.apps.test"), "it is still no host of the panel's"
