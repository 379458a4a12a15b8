from hypothesis import given
from hypothesis import strategies as st

from web.heads import AUTHORITY_BYTES, parse_request
from web.preview.clients import Client, client_of

PEER = "192.0.2.1"


def seen(*lines: str, proxies: int = 0) -> Client:
    text = "\r\n".join(["GET / HTTP/1.1", "Host: Apps.Test:80", *lines, "", ""])
    return client_of(parse_request(text.encode()), PEER, proxies)


def test_what_a_client_says_of_itself_counts_for_nothing() -> None:
    told = ("X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil")
    assert seen(*told) == Client("http", "apps.test:80", PEER)


@given(st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]), max_size=6),
       st.integers(1, 4))  # fmt: skip
def test_the_outermost_trusted_proxy_is_believed(told: list[str], proxies: int) -> None:
    found = seen(*(f"X-Forwarded-For: {one}" for one in told), proxies=proxies).address
    assert found == (told[-proxies] if len(told) >= proxies else PEER)


def test_proxies_say_scheme_and_host_too() -> None:
    told = ("X-Forwarded-Proto: HTTPS", "X-Forwarded-Host: x, A--b.test")
    assert seen(*told, proxies=1) == Client("https", "a--b.test", PEER)


def test_nothing_is_remembered_that_is_longer_than_it_can_be() -> None:
    long = "9" * 5000
    found = seen(f"X-Forwarded-Host: {long}.apps.test", f"X-Forwarded-For: {long}", proxies=1)
    assert len(found.address) == 64
    assert len(found.authority) == AUTHORITY_BYTES
    assert found.authority.endswith("9.apps.test"), "it is still no host of the panel's"
