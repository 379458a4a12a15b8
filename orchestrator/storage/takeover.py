"""Homes that were kept in volumes of the engine, and move into images with all that is in them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import StorageError
from orchestrator.spec import Mount
from orchestrator.storage.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Takeover:
    """Moves homes of :class:`~orchestrator.storage.plain.PlainStorage` out of ``volumes``.

    A note in ``directory`` says, for as long as the volume is there, that an image has its files.
    """

    volumes: Volumes
    directory: Path

    def note(self, name: str) -> Path:
        """Return where the note is."""
        return self.directory / f"{name}.imported"

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the volume that holds the home's files itself."""
        volume = self.volumes.find(name)
        if volume is None or (volume.get("Options") or {}).get("device"):
            return None
        return volume

    def begin(self, name: str, volume: dict[str, Any]) -> Callable[[Path], None]:
        """Write the note, for an image still to be made, and return what fills that image's tree.

        Raises: HomeBusy.
        """
        self.volumes.refuse_use(name)
        self.note(name).write_text(str(volume["CreatedAt"]))

        def copy(tree: Path) -> None:
            self.volumes.copy(name, Mount(name, "", volume=True), Mount(str(tree), ""))

        return copy

    def finish(self, name: str, volume: dict[str, Any]) -> None:
        """Delete the volume whose files the image has; one it has not is not touched."""
        note = self.note(name)
        if not note.exists() or note.read_text() != str(volume["CreatedAt"]):
            raise StorageError(
                "There are two homes of this account: an image and a volume of the engine",
                hint=f"An administrator has to decide which one stays: {name}.",
            )
        self.volumes.release(name)
        note.unlink()
