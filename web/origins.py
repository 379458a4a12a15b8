"""What browsers make of an origin."""

from orchestrator.names import is_own_machine


def is_trusted(scheme: str, authority: str) -> bool:
    """Return whether browsers take ``Secure`` cookies from it, and so the prefix ``__Host-``.

    They do from their own machine's without TLS.
    """
    return scheme == "https" or is_own_machine(authority.lower().partition(":")[0])
