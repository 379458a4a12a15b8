"""What browsers make of an origin."""


def is_trusted(scheme: str, authority: str) -> bool:
    """Return whether browsers take ``Secure`` cookies from it, and so the prefix ``__Host-``.

    ``localhost`` and what is below it leads to the reader's own machine: W3C Secure Contexts, 3.1.
    """
    name = authority.lower().partition(":")[0]
    return scheme == "https" or name == "localhost" or name.endswith(".localhost")
