"""A home's key, and the ways to wrap a copy of it: pure functions, nothing is stored here.

The key is 32 random bytes. What encrypts with it takes a key of its own, by :func:`derive`. A copy
is wrapped under a password, under a random secret, or for the operator's public key; each copy is
bound to a text that says whose and what it is, and opens with no other. A wrong secret, a copy of
somebody else's and a damaged one all give None.
"""

import hashlib
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

OperatorKey = rsa.RSAPublicKey
OperatorPrivateKey = rsa.RSAPrivateKey
KEY_BYTES = 32
OPERATOR_BITS_MIN = 3072
"""As strong as AES-128: NIST SP 800-57 part 1, table 2."""

_PASSWORD_COPY, _SECRET_COPY, _OPERATOR_COPY = b"\x01", b"\x02", b"\x03"
_SALT_BYTES = 16
_NONCE_BYTES = 12
_FINGERPRINT_BYTES = 8
_CODE_LETTERS = 28
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKE = str.maketrans("OIL", "011")


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's parameters, one byte each: they are written into every copy, so they can rise."""

    log2_n: int
    r: int
    p: int

    @property
    def sane(self) -> bool:
        """Whether it takes seconds at most, whatever a damaged copy says."""
        return 1 <= self.log2_n <= 20 and 1 <= self.r <= 32 and 1 <= self.p <= 16

    @property
    def work(self) -> int:
        """How much it takes to try one password."""
        return (1 << self.log2_n) * self.r * self.p


COST = Cost(15, 8, 3)
"""As passwords are hashed: see :data:`orchestrator.passwords.METHOD`."""


def new_key() -> bytes:
    """Return a home's key."""
    return secrets.token_bytes(KEY_BYTES)


def derive(key: bytes, purpose: str) -> bytes:
    """Return the 32 bytes that ``purpose`` uses, such as ``fscrypt``; they never tell the key."""
    return _hkdf(key, salt=None, info=f"rootblood {purpose}".encode())


def wrap_with_password(key: bytes, password: str, binding: str) -> bytes:
    """Return a copy that ``password`` opens. Takes as long as hashing a password."""
    salt = secrets.token_bytes(_SALT_BYTES)
    head = _PASSWORD_COPY + bytes((COST.log2_n, COST.r, COST.p)) + salt
    return _seal(_scrypt(password, salt, COST), key, head, binding)


def open_with_password(copy: bytes, password: str, binding: str) -> bytes | None:
    """Return the key of such a copy, or None. Takes as long as hashing a password."""
    head = copy[: 4 + _SALT_BYTES]
    if len(head) < 4 + _SALT_BYTES or head[:1] != _PASSWORD_COPY:
        return None
    cost = Cost(*head[1:4])
    return _open(_scrypt(password, head[4:], cost), copy, head, binding) if cost.sane else None


def is_cheap(copy: bytes) -> bool:
    """Return whether a password's copy was made with less work than those of today."""
    return copy[:1] == _PASSWORD_COPY and len(copy) > 4 and Cost(*copy[1:4]).work < COST.work


def wrap_with_secret(key: bytes, secret: str, binding: str) -> bytes:
    """Return a copy that ``secret`` opens, which has at least 128 random bits."""
    salt = secrets.token_bytes(_SALT_BYTES)
    head = _SECRET_COPY + salt
    return _seal(_hkdf(secret.encode(), salt=salt, info=b"rootblood copy"), key, head, binding)


def open_with_secret(copy: bytes, secret: str, binding: str) -> bytes | None:
    """Return the key of such a copy, or None."""
    head = copy[: 1 + _SALT_BYTES]
    if len(head) < 1 + _SALT_BYTES or head[:1] != _SECRET_COPY:
        return None
    under = _hkdf(secret.encode(), salt=head[1:], info=b"rootblood copy")
    return _open(under, copy, head, binding)


def wrap_for_operator(key: bytes, public: OperatorKey, binding: str) -> bytes:
    """Return a copy that the operator's private key opens: RSA-OAEP with SHA-256."""
    head = _OPERATOR_COPY + _fingerprint(public)
    return head + public.encrypt(key, _oaep(binding))


def open_as_operator(copy: bytes, private: OperatorPrivateKey, binding: str) -> bytes | None:
    """Return the key of such a copy, or None."""
    if not is_for_operator(copy, private.public_key()):
        return None
    try:
        return private.decrypt(copy[1 + _FINGERPRINT_BYTES :], _oaep(binding))
    except ValueError:
        return None


def is_for_operator(copy: bytes, public: OperatorKey) -> bool:
    """Return whether the copy was wrapped for that key pair, and not for an earlier one."""
    return copy[: 1 + _FINGERPRINT_BYTES] == _OPERATOR_COPY + _fingerprint(public)


def load_public(pem: bytes) -> OperatorKey:
    """Return the operator's public key. Raises: ValueError, which says why it cannot be used."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("it is not a public key in PEM") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < OPERATOR_BITS_MIN:
        raise ValueError(f"it is not an RSA key of at least {OPERATOR_BITS_MIN} bits")
    return key


def load_private(pem: bytes, passphrase: str) -> OperatorPrivateKey:
    """Return the operator's private key. Raises: ValueError, which says why it cannot be used."""
    try:
        key = load_pem_private_key(pem, passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("it is not a private key in PEM with that passphrase") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("it is not an RSA key")
    return key


def new_operator_pair(passphrase: str) -> tuple[bytes, bytes]:
    """Return a new pair as PEM: the public key, and the private one under the passphrase."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    locked = BestAvailableEncryption(passphrase.encode())
    return (
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked),
    )


def new_recovery_code() -> str:
    """Return 140 random bits for people to write down, such as ``7KQ2-0R5V-...``."""
    letters = [secrets.choice(_LETTERS) for _ in range(_CODE_LETTERS)]
    return "-".join("".join(letters[start : start + 4]) for start in range(0, _CODE_LETTERS, 4))


def parse_recovery_code(text: str) -> str | None:
    """Return the code that was meant, or None: case, spaces and hyphens do not matter.

    Letters that look like digits are read as those: https://www.crockford.com/base32.html.
    """
    if len(text) > 4 * _CODE_LETTERS:
        return None
    code = "".join(text.upper().translate(_LOOK_ALIKE).replace("-", " ").split())
    sound = len(code) == _CODE_LETTERS and set(code) <= set(_LETTERS)
    return code if sound else None


def _seal(under: bytes, key: bytes, head: bytes, binding: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return head + nonce + AESGCM(under).encrypt(nonce, key, head + binding.encode())


def _open(under: bytes, copy: bytes, head: bytes, binding: str) -> bytes | None:
    nonce, sealed = copy[len(head) :][:_NONCE_BYTES], copy[len(head) + _NONCE_BYTES :]
    try:
        return AESGCM(under).decrypt(nonce, sealed, head + binding.encode())
    except (InvalidTag, ValueError):  # ValueError: the copy was cut off within its nonce
        return None


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    n = 1 << cost.log2_n
    room = 132 * n * cost.r * cost.p  # 128 for the blocks; OpenSSL wants somewhat more
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=cost.r, p=cost.p, maxmem=room, dklen=KEY_BYTES
    )


def _hkdf(secret: bytes, *, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(secret)


def _oaep(binding: str) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(SHA256()), SHA256(), label=binding.encode())


def _fingerprint(public: OperatorKey) -> bytes:
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()[:_FINGERPRINT_BYTES]
