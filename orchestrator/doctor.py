"""Look at what the server rests on, and say what is well, what is not, and what to do."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator import escrow, homes
from orchestrator.catalogue import BUILT_IN
from orchestrator.commons.git import missing_programs
from orchestrator.errors import EngineError
from orchestrator.keyring import MemoryKeyring
from orchestrator.platform import Platform
from orchestrator.settings import StorageChoice
from orchestrator.storage import Feature

PROC_CRYPTO = Path("/proc/crypto")
_IN_HARDWARE = re.compile(r"aesni|vaes|aes-(ce|neon|arm|s390|p8|p10)|padlock|geode")
_DRIVER = re.compile(r"^driver\s*:\s*(\S*aes\S*)$", re.MULTILINE)
_KEPT_AS = {"s3": "in an S3 bucket", "rest": "on a REST server"}


class Verdict(StrEnum):
    """How bad it is: ``warn`` works with less than it could, ``fail`` does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``hint`` is for administrators: it may name settings."""

    name: str
    verdict: Verdict
    what: str
    hint: str = ""


def examine(platform: Platform) -> list[Finding]:
    """Return what there is to say of this server. No transaction may be open."""
    return [
        _storage(platform),
        *_protection(platform),
        _reserve(platform),
        *_engine(platform),
        _commons(),
        *_snapshots(platform),
        _escrow(platform),
    ]


def unprotected(platform: Platform) -> bool:
    """Return whether homes are neither encrypted nor capped here."""
    return not {Feature.ENCRYPTED, Feature.CAPPED} & platform.storage.features


def _storage(platform: Platform) -> Finding:
    kind = platform.storage.kind
    if not unprotected(platform):
        return Finding(
            "storage", Verdict.OK,
            f"Homes are encrypted for their owners and held to their size ({kind}).",
        )  # fmt: skip
    why = getattr(platform.storage, "reason", "")
    if platform.settings.storage is StorageChoice.PLAIN:
        hint = "ROOTBLOOD_STORAGE asks for it; 'auto' or 'vault' would do better."
    else:
        hint = f"A vault is not possible here: {why or 'the reason is in the log.'}"
    return Finding(
        "storage", Verdict.WARN, f"Homes are neither encrypted nor capped on this server ({kind}).",
        hint,
    )  # fmt: skip


def _protection(platform: Platform) -> Iterator[Finding]:
    if Feature.ENCRYPTED not in platform.storage.features:
        return
    if hardware_aes(_read(PROC_CRYPTO)):
        yield Finding("cipher", Verdict.OK, "The processor encrypts homes in hardware.")
    else:
        yield Finding(
            "cipher", Verdict.WARN,
            "The kernel encrypts without the processor's help: what is not in memory yet is read "
            "and written at some 90 MB/s.",
            "Its /proc/crypto names no AES driver of the processor's. Load the module (aesni_intel "
            "on x86-64), or let the hypervisor pass the instructions on.",
        )  # fmt: skip
    if isinstance(platform.keyring, MemoryKeyring):
        yield Finding(
            "keyring", Verdict.WARN, "Keys of unlocked homes are kept in the server's own memory.",
            "The kernel refuses to keep keys for this process: a container's default seccomp "
            "profile forbids add_key. Switch swap and core dumps off, or encrypt them.",
        )  # fmt: skip
    else:
        yield Finding("keyring", Verdict.OK, "The kernel keeps the keys of unlocked homes.")


def hardware_aes(proc_crypto: str) -> bool:
    """Return whether one of the kernel's AES drivers uses instructions of the processor."""
    return any(_IN_HARDWARE.search(driver) for driver in _DRIVER.findall(proc_crypto))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _reserve(platform: Platform) -> Finding:
    free, reserve = homes.host_free_bytes(platform), platform.settings.reserve_bytes
    have = f"The server's disk has {free / 2**30:.1f} GiB left"
    hint = f"ROOTBLOOD_RESERVE_BYTES is {reserve / 2**30:g} GiB. Free space, or add a disk."
    if platform.brake.on:
        return Finding("disk", Verdict.FAIL, f"{have}: homes take no further writes.", hint)
    if free < reserve:
        return Finding("disk", Verdict.FAIL, f"{have}: workspaces do not start.", hint)
    return Finding("disk", Verdict.OK, f"{have}.")


def _commons() -> Finding:
    if absent := missing_programs():
        what = "The commons does not work: the server has no " + " and no ".join(absent)
        return Finding("commons", Verdict.FAIL, f"{what}.", "Install what is missing.")
    return Finding("commons", Verdict.OK, "The server has the git that the commons needs.")


def _engine(platform: Platform) -> Iterator[Finding]:
    try:
        images = platform.engine.images()
    except EngineError as error:
        yield Finding("engine", Verdict.FAIL, error.message, error.hint)
        return
    yield Finding("engine", Verdict.OK, "The container engine answers.")
    if BUILT_IN.image in images:
        yield Finding("image", Verdict.OK, f"The image {BUILT_IN.image} is there.")
    else:
        yield Finding(
            "image", Verdict.FAIL,
            f"The image {BUILT_IN.image} is missing: neither its workspaces nor snapshots work.",
            "script/setup builds it.",
        )  # fmt: skip


def _snapshots(platform: Platform) -> Iterator[Finding]:
    settings = platform.settings
    if not settings.snapshot_seconds:
        yield Finding(
            "snapshots", Verdict.WARN, "Snapshots are taken by hand only.",
            "ROOTBLOOD_SNAPSHOT_SECONDS is 0.",
        )  # fmt: skip
    # Of the address only its kind is said: it may hold a password.
    scheme = settings.backup_url.partition(":")[0]
    if scheme in _KEPT_AS:
        yield Finding("backup", Verdict.OK, f"Snapshots are kept {_KEPT_AS[scheme]}.")
    else:
        yield Finding(
            "backup", Verdict.WARN,
            "Snapshots are kept beside the homes: whoever loses that disk loses both.",
            "Set ROOTBLOOD_BACKUP_URL to keep them elsewhere.",
        )  # fmt: skip


def _escrow(platform: Platform) -> Finding:
    if not platform.settings.escrow:
        return Finding("escrow", Verdict.OK, "Nobody but their owners has keys to homes.")
    if escrow.public_key(platform.settings) is None:
        return Finding(
            "escrow", Verdict.FAIL, "Escrow is on, but copies of keys cannot be made.",
            f"{escrow.FILE_NAME} in the data directory cannot be used: the log says why.",
        )  # fmt: skip
    return Finding("escrow", Verdict.OK, "The operator has a copy of every home's key (escrow).")
