"""Pure translation between our values and the Docker Engine API's JSON.

Field names: https://docs.docker.com/engine/api/v1.41/#operation/ContainerCreate
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.engines import Phase, Status, Usage
from orchestrator.spec import Mount, Spec

INSTANCE_LABEL = "rootblood.instance"
DIGEST_LABEL = "rootblood.digest"
SOCKETS_LABEL = "rootblood.sockets"
OWNER_LABEL = "rootblood.owner"

RUN_DIR_TARGET = "/run/rootblood"

_CPU_PERIOD_US = 100_000
_MIN_CPU_QUOTA_US = 1_000  # the kernel's minimum, Documentation/scheduler/sched-bwc.rst
_TMP_SHARE = 4  # /tmp lives in the container's own memory: at most a quarter of it
_SHM_BYTES = 64 * 2**20
_OPEN_FILES = 16_384  # many, yet below the hard limit of any engine: above it nothing starts
# Above the server's and the engine's own 0 and -500: under host-wide pressure a workspace goes.
_OOM_SCORE_ADJ = 500
# Colours and cursor movements (ECMA-48 control sequences), titles, and what else is not text.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
# How a container ends that was asked to: 0, or 128 + SIGINT, SIGKILL, SIGTERM.
_ASKED_TO_END = frozenset({0, 130, 137, 143})


def create_body(spec: Spec, *, instance: str, run_dir: Path | None) -> dict[str, Any]:
    """Return the body of ``POST /containers/create`` for ``spec``.

    ``run_dir`` is the host's directory to mount at ``/run/rootblood``, if any.
    """
    mounts = [mount_entry(mount) for mount in spec.mounts]
    if run_dir is not None:
        mounts.append(mount_entry(Mount(source=str(run_dir), target=RUN_DIR_TARGET)))
    body: dict[str, Any] = {
        "Image": spec.image,
        "User": f"{spec.user[0]}:{spec.user[1]}",
        "Env": [f"{key}={value}" for key, value in spec.environment],
        "Labels": labels(spec, instance),
        "HostConfig": _host_config(spec, instance) | {"Mounts": mounts},
    }
    # An absent key keeps the image's own value; an empty one would override it.
    if spec.hostname:
        body["Hostname"] = spec.hostname
    if spec.working_dir:
        body["WorkingDir"] = spec.working_dir
    if spec.entrypoint:
        body["Entrypoint"] = list(spec.entrypoint)
    if spec.command:
        body["Cmd"] = list(spec.command)
    return body


def labels(spec: Spec, instance: str) -> dict[str, str]:
    """Return what a later process needs to know about the container without its spec."""
    return {
        INSTANCE_LABEL: instance,
        DIGEST_LABEL: spec.digest(),
        OWNER_LABEL: str(spec.user[0]),
        SOCKETS_LABEL: json.dumps({str(port): name for port, name in spec.sockets}),
    }


def sockets_of(label: str) -> dict[int, str]:
    """Read :data:`SOCKETS_LABEL` back."""
    return {int(port): str(name) for port, name in json.loads(label or "{}").items()}


def _host_config(spec: Spec, instance: str) -> dict[str, Any]:
    memory = spec.limits.memory_bytes
    config: dict[str, Any] = {
        # Who replaces the image's entrypoint replaces its init: something must reap zombies and
        # pass SIGTERM on, which a plain process 1 does not even receive.
        "Init": bool(spec.entrypoint),
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": spec.read_only_root,
        "IpcMode": "private",
        # A quota, not NanoCpus: that one is refused where the node has fewer cores.
        "CpuPeriod": _CPU_PERIOD_US,
        "CpuQuota": max(_MIN_CPU_QUOTA_US, round(spec.limits.cpus * _CPU_PERIOD_US)),
        "Memory": memory,
        "MemorySwap": memory,  # the sum of memory and swap: no swap at all
        "ShmSize": min(_SHM_BYTES, memory // _TMP_SHARE),
        "PidsLimit": spec.limits.pids,
        "OomScoreAdj": _OOM_SCORE_ADJ,
        "Ulimits": [
            {"Name": "nofile", "Soft": _OPEN_FILES, "Hard": _OPEN_FILES},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
        "RestartPolicy": {"Name": "no"},
        "NetworkMode": instance if spec.network else "none",
    }
    if spec.read_only_root:
        size = memory // _TMP_SHARE
        config["Tmpfs"] = {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={size}"}
    return config


def mount_entry(mount: Mount) -> dict[str, Any]:
    """Return the mount as an entry of ``HostConfig.Mounts``."""
    # Mounts, not Binds: Binds makes a root-owned directory where the source is missing.
    entry: dict[str, Any] = {
        "Type": "volume" if mount.volume else "bind",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
    if mount.volume:
        # Else the engine copies the image's files, with their owner, into an empty volume.
        entry["VolumeOptions"] = {"NoCopy": True}
    return entry


def status_of(name: str, info: Mapping[str, Any]) -> Status:
    """Read a status out of ``GET /containers/<id>/json``."""
    state = info["State"]
    phase, reason = _phase(state)
    over = phase in (Phase.STOPPED, Phase.FAILED)
    return Status(
        name=name,
        phase=phase,
        reason=reason,
        digest=info["Config"]["Labels"].get(DIGEST_LABEL, ""),
        started_at=_time(state["StartedAt"]),
        exit_code=int(state["ExitCode"]) if over else None,
    )


def _phase(state: Mapping[str, Any]) -> tuple[Phase, str]:
    match state["Status"]:
        case "running":
            return Phase.RUNNING, ""
        case "paused":
            return Phase.PAUSED, ""
        case "created" if not state["Error"]:
            return Phase.PENDING, "created"
        case "restarting" | "removing" as busy:
            return Phase.PENDING, busy
        case "exited" if not state["Error"]:
            if state["OOMKilled"] and state["ExitCode"]:
                return Phase.FAILED, "out of memory"
            return _ended(int(state["ExitCode"]))
        case other:
            return Phase.FAILED, state["Error"] or other


def _ended(exit_code: int) -> tuple[Phase, str]:
    if exit_code in _ASKED_TO_END:
        return Phase.STOPPED, ""
    return Phase.FAILED, f"exit code {exit_code}"


def status_of_row(row: Mapping[str, Any]) -> Status:
    """Read a status out of one row of ``GET /containers/json``; it has no start time."""
    name = str(row["Names"][0]).lstrip("/")
    digest = row["Labels"].get(DIGEST_LABEL, "")
    phase, reason, exit_code = Phase.FAILED, str(row["State"]), None
    match row["State"]:
        case "running":
            phase, reason = Phase.RUNNING, ""
        case "paused":
            phase, reason = Phase.PAUSED, ""
        case "created" | "restarting" | "removing" as pending:
            phase, reason = Phase.PENDING, pending
        case "exited":
            # "Exited (143) 2 minutes ago" is the only place of the exit code in a list.
            found = re.match(r"Exited \((\d+)\)", row["Status"])
            exit_code = int(found[1]) if found else None
            phase, reason = _ended(exit_code or 0)
    return Status(name=name, phase=phase, reason=reason, digest=digest, exit_code=exit_code)


def text_of_log(raw: bytes) -> str:
    """Return what a container wrote as plain text: nothing in it can move a cursor."""
    return _CONTROL.sub("", raw.decode(errors="replace").replace("\r\n", "\n"))


def _time(text: str) -> datetime | None:
    """Parse the engine's RFC 3339 time; its year 1 means never."""
    return None if text.startswith("0001-") else datetime.fromisoformat(text)


def usage_of_stats(stats: Mapping[str, Any]) -> Usage | None:
    """Read counters out of ``GET /containers/<id>/stats``; None when it has none."""
    memory = stats.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    details = memory.get("stats") or {}
    idle = details.get("total_inactive_file", details.get("inactive_file", 0))
    networks = (stats.get("networks") or {}).values()
    block = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    return Usage(
        cpu_seconds=stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        memory_bytes=max(0, memory["usage"] - idle),
        pids=int((stats.get("pids_stats") or {}).get("current", 0)),
        net_rx_bytes=sum(network["rx_bytes"] for network in networks),
        net_tx_bytes=sum(network["tx_bytes"] for network in networks),
        block_bytes=sum(
            entry["value"] for entry in block if entry["op"].lower() in ("read", "write")
        ),
    )
