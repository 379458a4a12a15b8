"""What a workspace may use and exactly how it runs. Pure: rows and settings in, values out."""

from dataclasses import dataclass
from typing import Literal, TypeVar

from models import Template, User, Workspace
from orchestrator.errors import AllowanceReached, BadInput
from orchestrator.settings import Settings
from orchestrator.spec import Limits, Mount, Spec

TERMINAL_PORT = 7681
"""ttyd's default port; in a workspace it is a unix socket instead."""
SOCKETS = ((TERMINAL_PORT, "ttyd.sock"),)

Level = Literal["ok", "nearly-full", "full"]
EMAIL_DOMAIN = "rootblood.local"
"""Of the addresses in people's commits, unless they set their own."""

N = TypeVar("N", int, float)

HOME_PREFIX = "home_"
CPUS_MIN = 0.1
MEMORY_MIN_BYTES = 64 << 20
PIDS_MIN = 32
DISK_MIN_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Allowance:
    """The most that one person may have: in all, and for ``cpus`` to ``pids`` in each workspace."""

    workspaces: int
    cpus: float
    memory_bytes: int
    pids: int
    disk_bytes: int
    """Files and snapshots together."""
    hours: float
    """Of running in a week, added up over workspaces; 0 is without a limit."""


def allowance_of(settings: Settings, user: User) -> Allowance:
    """Return the user's own allowance where an administrator set one, else the default."""
    return Allowance(
        workspaces=_either(user.max_workspaces, settings.allowance_workspaces),
        cpus=_either(user.max_cpus, settings.allowance_cpus),
        memory_bytes=_either(user.max_memory_bytes, settings.allowance_memory_bytes),
        pids=_either(user.max_pids, settings.allowance_pids),
        disk_bytes=_either(user.max_disk_bytes, settings.allowance_disk_bytes),
        hours=_either(user.max_hours, settings.allowance_hours),
    )


def _either(own: N | None, default: N) -> N:
    return default if own is None else own


def level(used_bytes: int, allowance_bytes: int) -> Level:
    """Return how full a home is: people are told from 90 % on, and at 100 %."""
    if used_bytes * 100 >= allowance_bytes * 99:  # a file system rounds, and keeps a little back
        return "full"
    return "nearly-full" if used_bytes * 10 >= allowance_bytes * 9 else "ok"


def default_limits(template: Template, allowance: Allowance) -> Limits:
    """Return the template's limits, cut down to the allowance."""
    return Limits(
        cpus=min(template.cpus, allowance.cpus),
        memory_bytes=min(template.memory_bytes, allowance.memory_bytes),
        pids=min(template.pids, allowance.pids),
    )


def check_limits(limits: Limits, allowance: Allowance) -> Limits:
    """Return ``limits`` when a workspace may have them. Raises: BadInput, AllowanceReached."""
    for field, value, least, most in (
        ("cpus", limits.cpus, CPUS_MIN, allowance.cpus),
        ("memory_bytes", limits.memory_bytes, MEMORY_MIN_BYTES, allowance.memory_bytes),
        ("pids", limits.pids, PIDS_MIN, allowance.pids),
    ):
        if not value >= least:  # also refuses NaN
            raise BadInput(f"{field} must be at least {least}", field=field)
        if value > most:
            raise AllowanceReached(f"Your account allows {field} up to {most}")
    return limits


def home_of(user: User) -> str:
    """Return the name of the user's home: ``home_<userhash>``."""
    return f"{HOME_PREFIX}{user.userhash}"


def spec_for(
    workspace: Workspace,
    home: Mount,
    commons: str,
    *,
    shelves: tuple[Mount, ...] = (),
    capped: bool = False,
) -> Spec:
    """Return how the workspace runs. ``commons`` is the host path of ``/global``.

    ``shelves`` are those of its apps; ``capped``: the home's file system is as large as the home
    may become.
    """
    user, template = workspace.user, workspace.template
    return Spec(
        name=workspace.container,
        image=template.image,
        user=(user.uid, user.uid),
        limits=Limits(workspace.cpus, workspace.memory_bytes, workspace.pids),
        environment=environment(user, workspace.name, capped=capped),
        mounts=(home, Mount(commons, "/global", read_only=True), *shelves),
        hostname=workspace.name,
        working_dir=f"/home/{user.username}",
        read_only_root=template.read_only_root,
        sockets=SOCKETS,
    )


def helper_spec(user: User, name: str, image: str, home: Mount, seconds: int) -> Spec:
    """Return a short-lived container that sees the home and nothing else.

    It has no network, cannot write the home, and ends by itself after ``seconds``.
    """
    return Spec(
        name=name,
        image=image,
        user=(user.uid, user.uid),
        limits=Limits(cpus=1.0, memory_bytes=512 << 20, pids=64),
        entrypoint=("/bin/sleep", str(seconds)),
        environment=environment(user, "archive"),
        mounts=(Mount(home.source, home.target, read_only=True, volume=home.volume),),
        working_dir="/",
        network=False,
        run_dir=False,
    )


def snapshot_spec(
    user: User,
    name: str,
    image: str,
    mounts: tuple[Mount, ...],
    *,
    seconds: int,
    cpus: float = 2.0,
    network: bool = False,
) -> Spec:
    """Return the container in which restic works on a home, as its owner.

    It ends by itself after ``seconds``. Only where snapshots are kept elsewhere has it a network.
    """
    return Spec(
        name=name,
        image=image,
        user=(user.uid, user.uid),
        limits=Limits(cpus=cpus, memory_bytes=1 << 30, pids=256),
        entrypoint=("/bin/sleep", str(seconds)),
        environment=(("HOME", "/tmp"), ("LANG", "C.UTF-8")),
        mounts=mounts,
        working_dir="/",
        network=network,
        run_dir=False,
    )


def environment(user: User, workspace: str, *, capped: bool = False) -> tuple[tuple[str, str], ...]:
    """Return what every process of a workspace knows about itself; nothing in it is secret."""
    return (
        ("HOME", f"/home/{user.username}"),
        ("LANG", "C.UTF-8"),
        ("LOGNAME", user.username),
        ("ROOTBLOOD_EMAIL_DOMAIN", EMAIL_DOMAIN),
        *((("ROOTBLOOD_HOME_CAPPED", "1"),) if capped else ()),
        ("ROOTBLOOD_USER", user.username),
        ("ROOTBLOOD_WORKSPACE", workspace),
        ("SHELL", "/bin/bash"),
        ("TMUX_TMPDIR", "/tmp"),
        ("USER", user.username),
    )
