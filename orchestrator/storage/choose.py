"""Choose how homes are kept, by trying what this machine can do."""

import io
import logging
import os
import secrets
import socket
import struct
import tarfile
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.engines.docker_errors import translating as translating_docker
from orchestrator.engines.docker_stream import dial_engine
from orchestrator.errors import EngineError, EngineUnreachable, ImageMissing, StorageError
from orchestrator.spec import Mount
from orchestrator.storage import Home, Kind, Storage
from orchestrator.storage.commands import translating
from orchestrator.storage.image import Image
from orchestrator.storage.locks import holding
from orchestrator.storage.names import PROBE
from orchestrator.storage.plain import PlainStorage
from orchestrator.storage.vault import VaultStorage
from orchestrator.storage.volumes import Volumes

_log = logging.getLogger(__name__)
_PROBE_BYTES = 64 << 20
_OWNER = (65534, 65534)
_DIAL_SECONDS = 5.0
_VERDICT, _YES, _NO = "engine-sees-mounts", "yes", "no"


def choose_storage(
    choice: str,
    *,
    directory: Path,
    mount_root: Path,
    engine_url: str,
    helper_image: str,
    instance: str,
) -> Storage:
    """Return the storage that ``choice`` asks for: ``vault``, ``plain`` or ``auto``.

    Where ``auto`` is plain, its ``reason`` says what stood in the way of a vault. What is there
    already decides: homes in images are not left for empty ones because of a bad day.

    Raises: StorageError when a vault is asked for and this machine cannot.
    """
    if choice == Kind.PLAIN:
        reason = "The settings ask for it."
    else:
        try:
            vault = VaultStorage(
                directory, mount_root, engine_url, helper_image=helper_image, instance=instance
            )
            if not any(directory.glob("home_*.img")):
                probe(directory.resolve(), mount_root.resolve(), vault.volumes)
            return vault
        except StorageError as error:
            if choice == Kind.VAULT:
                raise StorageError(
                    f"Homes cannot be kept in a vault here: {error.message}",
                    hint="Mend that, or set ROOTBLOOD_STORAGE=plain: neither encrypted nor capped.",
                ) from error
            reason = error.message
            _log.warning("storage.plain", extra={"why": reason})
    return PlainStorage(engine_url, helper_image=helper_image, instance=instance, reason=reason)


def probe(directory: Path, mount_root: Path, volumes: Volumes) -> None:
    """Make a small home, lock it, unlock it, show it to the engine, and delete it.

    Raises: StorageError with what is not possible here.
    """
    if os.geteuid() != 0:
        raise StorageError("The server does not run as root, which mounting images needs")
    if urlsplit(volumes.client.url).scheme != "unix":
        raise StorageError("The container engine may be on another machine")
    home, key = Home(PROBE, _OWNER, _PROBE_BYTES), secrets.token_bytes(32)
    image = Image(directory / f"{PROBE}.img", mount_root / PROBE)
    with translating():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        mount_root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with holding(directory / "locks", PROBE) as hold:
            try:
                image.make(home, key, _sign, hold=hold)
                image.close(hold=hold)
                image.open(home, key, hold=hold)
                _show(volumes, image.tree, directory / _VERDICT)
            finally:
                image.delete(hold=hold)


def _sign(tree: Path) -> None:
    (tree / PROBE).write_text(PROBE)


def _show(volumes: Volumes, tree: Path, verdict: Path) -> None:
    """Have the engine read a file of the mounted home. Raises: StorageError when it cannot.

    What it could is kept in ``verdict``, for a start at which it does not answer.
    """
    try:
        with (
            volumes.container(f"{PROBE}-{secrets.token_hex(6)}", Mount(str(tree), "/home")) as it,
            translating_docker(),
        ):
            chunks, _ = volumes.client().get_archive(it, f"/home/{PROBE}")
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                shown = archive.extractfile(PROBE)
                seen = shown is not None and shown.read() == PROBE.encode()
    except (EngineUnreachable, ImageMissing) as error:
        # At a server's start either may still be on its way.
        _log.info("storage.engine-not-asked", extra={"why": error.message})
        before = _seen_before(verdict)
        seen = _shares_mounts(volumes.client.url) if before is None else before
    except (EngineError, tarfile.TarError, KeyError):
        seen = False
        verdict.write_text(_NO)
    else:
        verdict.write_text(_YES if seen else _NO)
    if not seen:
        raise StorageError("The container engine does not see what the server mounts")


def _seen_before(verdict: Path) -> bool | None:
    """Return what the engine could when it was last asked, None when it never was."""
    try:
        return verdict.read_text() == _YES
    except OSError:
        return None


def _shares_mounts(url: str) -> bool:
    """Tell whether who listens at ``url`` sees our mounts; trusted to where nobody does."""
    try:
        with dial_engine(url, timeout=_DIAL_SECONDS) as connection:
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid = struct.unpack("3i", credentials)[0]
        return os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    except (EngineUnreachable, OSError):
        return True
