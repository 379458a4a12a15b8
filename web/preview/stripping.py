"""Keep our cookies and an app's apart, though both live on the preview's origin.

A cookie is ours by its name alone, and servers read names differently: quoted, after a nameless
``=``, in other letters. So whatever could be read as one of our names is taken for it.
"""

OURS = (b"rootblood", b"__host-rootblood", b"__secure-rootblood")
_MARK = b"rootblood"
_AROUND = b' \t="\x85\xa0'  # the last two are spaces in Latin-1


def without_ours(value: bytes) -> bytes:
    """Return a ``Cookie`` field without our cookies; b"" where nothing is left."""
    if _MARK not in value.lower():
        return value
    pairs = [pair.strip(b" \t") for pair in value.split(b";")]
    return b"; ".join(pair for pair in pairs if pair and not _is_ours(pair))


def admitted(value: bytes) -> bytes | None:
    """Return an app's ``Set-Cookie`` as far as it may set one, None where it may not.

    It sets none by our names, and none for other hosts: ``Domain`` would reach every preview
    beside it (RFC 6265, 4.1.2.3).
    """
    lower = value.lower()
    if _MARK in lower and _is_ours(value):
        return None
    if b"domain" not in lower:
        return value
    pair, *attributes = value.split(b";")
    kept = [a for a in attributes if a.partition(b"=")[0].strip(b" \t").lower() != b"domain"]
    return b";".join((pair, *kept))


def _is_ours(pair: bytes) -> bool:
    return pair.lstrip(_AROUND).lower().startswith(OURS)
