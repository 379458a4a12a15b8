"""A program in a workspace that a page talks to for as long as it is open."""

from collections.abc import Iterator
from typing import Protocol


class Talk(Protocol):
    """Messages of text in both directions. Whoever obtains one closes it."""

    def told(self) -> Iterator[str]:
        """Yield what the program says, until it ends. Raises: EngineError, OSError."""

    def tell(self, message: str) -> bool:
        """Pass on what the page says; true when that is a person's doing.

        Raises: BadInput for what cannot be passed on; OSError when the program is gone.
        """

    def close(self) -> None:
        """End the program; closing twice is allowed."""
