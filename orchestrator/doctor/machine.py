"""What the server rests on in its machine: storage, the processor, the disk, the engine."""

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator import escrow, homes
from orchestrator.catalogue import BUILT_IN
from orchestrator.commons.git import missing_programs
from orchestrator.doctor.finding import Finding, Verdict
from orchestrator.engines import Feature as EngineFeature
from orchestrator.errors import EgressUnprotected, EngineError
from orchestrator.keyring import MemoryKeyring
from orchestrator.platform import Platform
from orchestrator.settings import StorageChoice
from orchestrator.storage import Feature

PROC_CRYPTO = Path("/proc/crypto")
_IN_HARDWARE = re.compile(r"aesni|vaes|aes-(ce|neon|arm|s390|p8|p10)|padlock|geode")
_DRIVER = re.compile(r"^driver\s*:\s*(\S*aes\S*)$", re.MULTILINE)
_KEPT_AS = {"s3": "in an S3 bucket", "rest": "on a REST server"}
_TIME_ERROR = 5
"""adjtimex(2): the system's clock is not synchronised."""
_TIMEX_BYTES = 512
"""More than struct timex has anywhere. Of zeros: its modes ask for no change."""


def examine(platform: Platform, *, serving: bool) -> list[Finding]:
    """Return what there is to say of the machine; ``serving`` says that a server runs on it."""
    return [
        _storage(platform),
        *_protection(platform),
        _reserve(platform),
        *_engine(platform),
        *_egress(platform, serving=serving),
        _commons(),
        *_snapshots(platform),
        _escrow(platform),
        clock(),
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
        # What the engine says may name its address: that is the administrator's.
        hint = f"{error.message}. {error.hint}"
        yield Finding("engine", Verdict.FAIL, f"{error.title}.", hint)
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


def _egress(platform: Platform, *, serving: bool) -> Iterator[Finding]:
    if EngineFeature.EGRESS_RULES not in platform.engine.features:
        yield Finding(
            "egress", Verdict.WARN, "Workspaces may reach this server and its private networks.",
            "ROOTBLOOD_EGRESS=off asks for it.",
        )  # fmt: skip
        return
    try:
        platform.engine.verify()
    except EgressUnprotected as error:
        if serving:
            yield Finding("egress", Verdict.FAIL, f"{error.title}.", f"{error.message}.")
        else:
            yield Finding(
                "egress",
                Verdict.WARN,
                f"{error.title}.",
                "The server puts them in place when it starts.",
            )
    except EngineError:
        return  # said of the engine already
    else:
        yield Finding("egress", Verdict.OK, "Workspaces are kept from private networks.")


def clock() -> Finding:
    """Say whether the kernel knows that its clock is right: adjtimex(2)."""
    if _clock_state() == _TIME_ERROR:
        return Finding(
            "clock", Verdict.WARN, "Nothing keeps the server's clock right.",
            "Run chrony or systemd-timesyncd: a clock that is off ends sign-ins early or late.",
        )  # fmt: skip
    return Finding("clock", Verdict.OK, "The server's clock is kept right.")


def _clock_state() -> int:
    return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))


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
