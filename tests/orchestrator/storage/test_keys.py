import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.storage import keys
from tests.app_fixtures import REAL_COST

KEY = bytes(range(32))
PASSWORD = "correct horse battery"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"
BOUND = "rootblood password 0123456789abcdef"


@pytest.fixture(scope="module")
def operator() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def pem(key: object) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_keys_are_random_and_long() -> None:
    made = {keys.new_key() for _ in range(10)}
    assert len(made) == 10
    assert {len(key) for key in made} == {keys.KEY_BYTES}


def test_each_purpose_has_a_key_of_its_own_that_stays_the_same() -> None:
    derived = {purpose: keys.derive(KEY, purpose) for purpose in ("fscrypt", "restic")}
    assert {len(key) for key in derived.values()} == {32}
    assert len({KEY, *derived.values()}) == 3
    assert derived["fscrypt"] != keys.derive(keys.new_key(), "fscrypt")
    # Another result would leave every home and every snapshot unreadable. Source: RFC 5869 by hand.
    assert [key.hex()[:16] for key in derived.values()] == ["4339de8614e476a5", "8d74187bb571f7de"]


def test_a_password_opens_its_copy_and_no_other_password_does() -> None:
    copy = keys.wrap_with_password(KEY, PASSWORD, BOUND)
    assert keys.open_with_password(copy, PASSWORD, BOUND) == KEY
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), "pässwörd", "x" * 1000):
        assert keys.open_with_password(copy, wrong, BOUND) is None


def test_a_secret_opens_its_copy_and_no_other_secret_does() -> None:
    copy = keys.wrap_with_secret(KEY, SECRET, BOUND)
    assert keys.open_with_secret(copy, SECRET, BOUND) == KEY
    for wrong in ("", SECRET[:-1], SECRET + "x"):
        assert keys.open_with_secret(copy, wrong, BOUND) is None


def test_the_operator_opens_the_copy_and_no_other_operator_does(operator: RSAPrivateKey) -> None:
    copy = keys.wrap_for_operator(KEY, operator.public_key(), BOUND)
    assert keys.open_as_operator(copy, operator, BOUND) == KEY
    other = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    assert keys.open_as_operator(copy, other, BOUND) is None
    assert keys.is_for_operator(copy, operator.public_key())
    assert not keys.is_for_operator(copy, other.public_key())


def test_no_two_copies_are_alike_and_none_shows_the_key(operator: RSAPrivateKey) -> None:
    copies = [
        *(keys.wrap_with_password(KEY, PASSWORD, BOUND) for _ in range(2)),
        *(keys.wrap_with_secret(KEY, SECRET, BOUND) for _ in range(2)),
        *(keys.wrap_for_operator(KEY, operator.public_key(), BOUND) for _ in range(2)),
    ]
    assert len(set(copies)) == 6
    assert not any(KEY[:8] in copy for copy in copies)


@pytest.mark.parametrize("bound", ["", "rootblood password fedcba9876543210", "rootblood login x"])
def test_what_is_bound_to_another_opens_nothing(operator: RSAPrivateKey, bound: str) -> None:
    assert keys.open_with_password(
        keys.wrap_with_password(KEY, PASSWORD, BOUND), PASSWORD, bound
    ) is None  # fmt: skip
    assert keys.open_with_secret(keys.wrap_with_secret(KEY, SECRET, BOUND), SECRET, bound) is None
    copy = keys.wrap_for_operator(KEY, operator.public_key(), BOUND)
    assert keys.open_as_operator(copy, operator, bound) is None


def test_every_flipped_bit_and_every_cut_closes_a_copy(operator: RSAPrivateKey) -> None:
    openers = [
        (keys.wrap_with_password(KEY, PASSWORD, BOUND),
         lambda copy: keys.open_with_password(copy, PASSWORD, BOUND)),
        (keys.wrap_with_secret(KEY, SECRET, BOUND),
         lambda copy: keys.open_with_secret(copy, SECRET, BOUND)),
    ]  # fmt: skip
    for copy, opened in openers:
        assert opened(copy) == KEY
        for position in range(len(copy)):
            flipped = bytearray(copy)
            # The cost's highest bits ask for what no machine has: it must be refused, not tried.
            flipped[position] ^= 0x80 if 1 <= position <= 3 else 1 << position % 8
            assert opened(bytes(flipped)) is None, position
            assert opened(copy[:position]) is None, position
        assert opened(copy + b"\0") is None
    copy = keys.wrap_for_operator(KEY, operator.public_key(), BOUND)
    for position in (0, 5, 20, len(copy) - 1):
        flipped = bytearray(copy)
        flipped[position] ^= 1
        assert keys.open_as_operator(bytes(flipped), operator, BOUND) is None
        assert keys.open_as_operator(copy[:position], operator, BOUND) is None


@given(st.binary(max_size=120))
def test_rubbish_is_no_copy(rubbish: bytes) -> None:
    cheap = bytes((2, 1, 1)) if rubbish[:1] == b"\x01" else b""
    copy = rubbish[:1] + cheap + rubbish[1:]
    assert keys.open_with_password(copy, PASSWORD, BOUND) is None
    assert keys.open_with_secret(rubbish, SECRET, BOUND) is None


def test_a_copy_of_one_sort_is_none_of_another(operator: RSAPrivateKey) -> None:
    copies = (
        keys.wrap_with_password(KEY, SECRET, BOUND),
        keys.wrap_with_secret(KEY, SECRET, BOUND),
        keys.wrap_for_operator(KEY, operator.public_key(), BOUND),
    )
    openings = [
        (
            keys.open_with_password(copy, SECRET, BOUND),
            keys.open_with_secret(copy, SECRET, BOUND),
            keys.open_as_operator(copy, operator, BOUND),
        )
        for copy in copies
    ]
    assert openings == [(KEY, None, None), (None, KEY, None), (None, None, KEY)]


def test_old_copies_open_when_the_cost_has_risen(monkeypatch: pytest.MonkeyPatch) -> None:
    old = keys.wrap_with_password(KEY, PASSWORD, BOUND)
    monkeypatch.setattr(keys, "COST", keys.Cost(10, 8, 1))
    dearer = keys.wrap_with_password(KEY, PASSWORD, BOUND)
    assert (old[1:4], dearer[1:4]) == (bytes((8, 1, 1)), bytes((10, 8, 1)))
    assert keys.open_with_password(old, PASSWORD, BOUND) == KEY
    assert keys.open_with_password(dearer, PASSWORD, BOUND) == KEY


def test_the_real_cost_can_be_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "COST", REAL_COST)
    copy = keys.wrap_with_password(KEY, PASSWORD, BOUND)
    assert keys.open_with_password(copy, PASSWORD, BOUND) == KEY


def test_recovery_codes_are_random_long_and_readable() -> None:
    codes = {keys.new_recovery_code() for _ in range(50)}
    assert len(codes) == 50
    letters = set("".join(codes)) - {"-"}
    assert letters == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    for code in codes:
        assert [len(group) for group in code.split("-")] == [4] * 7, "140 bits"
        assert keys.parse_recovery_code(code) == code.replace("-", "")


def test_a_code_may_be_written_as_people_write() -> None:
    code = "0101-1ABC-DEFG-HJKM-NPQR-STVW-XYZ2"
    meant = keys.parse_recovery_code(code)
    for written in (
        code.lower(), code.replace("-", ""), code.replace("-", " "), f"  {code}\n",
        code.replace("0", "o").replace("1", "l"), code.replace("0", "O").replace("1", "I"),
        "--".join(code.split("-")),
    ):  # fmt: skip
        assert keys.parse_recovery_code(written) == meant


@pytest.mark.parametrize(
    "text",
    ["", "ABCD", "U" * 28, "Ä" * 28, "0" * 27, "0" * 29, "\0" * 28, "0" * 10_000_000],
)
def test_what_cannot_be_a_code_is_none(text: str) -> None:
    assert keys.parse_recovery_code(text) is None


@given(st.text(max_size=60))
def test_any_text_is_a_code_or_none(text: str) -> None:
    code = keys.parse_recovery_code(text)
    assert code is None or keys.parse_recovery_code(code) == code


def test_only_strong_rsa_keys_serve_an_operator(operator: RSAPrivateKey) -> None:
    assert keys.load_public(pem(operator.public_key())).key_size == 3072
    weak = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    private = operator.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for bad in (b"", b"\xff", pem(weak), pem(curve), private):
        with pytest.raises(ValueError, match="it is not"):
            keys.load_public(bad)


def test_the_private_key_needs_its_passphrase() -> None:
    public, private = keys.new_operator_pair("a long passphrase")
    assert b"ENCRYPTED" in private
    copy = keys.wrap_for_operator(KEY, keys.load_public(public), BOUND)
    found = keys.load_private(private, "a long passphrase")
    assert keys.open_as_operator(copy, found, BOUND) == KEY
    for pem_, passphrase in ((private, "another"), (private, ""), (b"", "x"), (public, "x")):
        with pytest.raises(ValueError, match="it is not"):
            keys.load_private(pem_, passphrase)


def test_a_refusal_tells_no_key(operator: RSAPrivateKey) -> None:
    private = operator.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="it is not") as caught:
        keys.load_private(private, "not needed")
    assert caught.value.__suppress_context__
    assert "PRIVATE" not in str(caught.value)
