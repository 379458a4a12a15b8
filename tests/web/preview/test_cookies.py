import pytest

from web.preview.cookies import NONCE, PASS, Jar

A, B = "a" * 43, "b" * 43
SECURE, PLAIN = Jar(secure=True, framed=False), Jar(secure=False, framed=False)


@pytest.mark.parametrize(
    ("jar", "cookie"),
    [
        (SECURE,
         f"__Host-rootblood-pass={A}; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax"),
        (Jar(secure=True, framed=True),
         f"__Host-rootblood-pass-framed={A}; Path=/; Max-Age=43200; HttpOnly; Secure; "
         "SameSite=None; Partitioned"),
        (PLAIN, f"rootblood-pass={A}; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"),
        (Jar(secure=False, framed=True),
         f"rootblood-pass={A}; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"),
    ],
)  # fmt: skip
def test_a_pass_is_kept_as_tightly_as_the_browser_allows(jar: Jar, cookie: str) -> None:
    assert jar.set(PASS, A) == cookie


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("", []),
        (f"__Host-rootblood-pass={A}", [A]),
        (f"x=1; __Host-rootblood-pass={A}; y", [A]),
        (f"__Host-rootblood-pass={A};__Host-rootblood-pass={B}", [A, B]),
        (f"__Host-rootblood-pass={A}; __Host-rootblood-pass={A}", [A]),
        (f"rootblood-pass={A}", []),
        (f"__host-rootblood-pass={A}", []),
        (f"__Host-rootblood-pass2={A}", []),
        (f"x__Host-rootblood-pass={A}", []),
        (f"__Host-rootblood-nonce={A}", []),
        (f'__Host-rootblood-pass="{A}"', []),
        (f"__Host-rootblood-pass={A}x", []),
        ("__Host-rootblood-pass=" + "é" * 43, []),
        (f"\xa0__Host-rootblood-pass={A}", []),
        ("__Host-rootblood-pass=", []),
    ],
)
def test_only_what_we_could_have_set_is_read(header: str, values: list[str]) -> None:
    assert SECURE.values(header, PASS) == tuple(values)


def test_a_flood_of_cookies_is_cut() -> None:
    header = "; ".join(f"__Host-rootblood-pass={number:043}" for number in range(1000))
    assert len(SECURE.values(header, PASS)) == 4


def test_names_follow_the_connection() -> None:
    assert PLAIN.values(f"rootblood-nonce={A}; __Host-rootblood-nonce={B}", NONCE) == (A,)


@pytest.mark.parametrize(
    ("framed", "both", "values"),
    [(False, False, [A]), (True, False, [B]), (False, True, [A, B]), (True, True, [A, B])],
)
def test_pages_and_frames_have_passes_of_their_own(
    framed: bool, both: bool, values: list[str]
) -> None:
    jar = Jar(secure=True, framed=framed, both=both)
    header = f"__Host-rootblood-pass={A}; __Host-rootblood-pass-framed={B}"
    assert jar.values(header, PASS) == tuple(values)


def test_on_a_shared_host_names_end_with_the_port() -> None:
    for framed, name in ((False, "pass-9000"), (True, "pass-framed-9000")):
        jar = Jar(secure=True, framed=framed, tag="-9000")
        assert jar.set(PASS, A).startswith(f"__Host-rootblood-{name}={A};")
        assert jar.values(f"__Host-rootblood-{name}={B}", PASS) == (B,)
