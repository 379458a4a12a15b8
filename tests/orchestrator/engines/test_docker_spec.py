from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engines import Phase
from orchestrator.engines.docker_spec import (
    INSTANCE_LABEL,
    create_body,
    sockets_of,
    status_of,
    status_of_row,
    usage_of_stats,
)
from orchestrator.spec import Limits, Mount, Spec

SPEC = Spec(name="rb-a-main", image="i:1", user=(20001, 20001), limits=Limits(1.5, 1 << 30, 100))


def body(**changes: Any) -> dict[str, Any]:
    return create_body(replace(SPEC, **changes), instance="x", run_dir=None)


def test_every_container_is_hardened() -> None:
    host = body()["HostConfig"]
    assert body()["User"] == "20001:20001"
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ReadonlyRootfs"] is True
    assert host["Tmpfs"]["/tmp"].endswith(f"size={(1 << 30) // 4}")
    assert (host["Memory"], host["MemorySwap"]) == (1 << 30, 1 << 30)
    assert host["CpuQuota"] / host["CpuPeriod"] == 1.5
    assert host["PidsLimit"] == 100
    assert host["OomScoreAdj"] > 0
    assert host["IpcMode"] == "private"
    assert host["RestartPolicy"] == {"Name": "no"}
    assert not {"Privileged", "Binds", "PortBindings", "Devices", "CapAdd", "PidMode"} & set(host)


def test_a_writable_root_needs_no_tmpfs() -> None:
    assert "Tmpfs" not in body(read_only_root=False)["HostConfig"]


def test_the_network_is_the_instances_or_none() -> None:
    assert body()["HostConfig"]["NetworkMode"] == "x"
    assert body(network=False)["HostConfig"]["NetworkMode"] == "none"


def test_only_what_is_given_overrides_the_image() -> None:
    assert not {"Cmd", "Entrypoint", "WorkingDir", "Hostname"} & set(body())
    given = body(command=("a",), entrypoint=("b",), working_dir="/c", hostname="d")
    assert (given["Cmd"], given["Entrypoint"]) == (["a"], ["b"])
    assert (given["WorkingDir"], given["Hostname"]) == ("/c", "d")


def test_mounts_are_checked_by_the_engine_and_volumes_stay_as_they_are() -> None:
    mounts = (Mount("/srv/x", "/x", read_only=True), Mount("home_a", "/home/a", volume=True))
    made = create_body(replace(SPEC, mounts=mounts), instance="x", run_dir=Path("/run/r"))
    bind, volume, run = made["HostConfig"]["Mounts"]
    assert (bind["Type"], bind["ReadOnly"]) == ("bind", True)
    assert volume["VolumeOptions"] == {"NoCopy": True}
    assert (run["Source"], run["Target"]) == ("/run/r", "/run/rootblood")


def test_labels_say_what_a_later_process_needs() -> None:
    labels = body(sockets=((7681, "ttyd.sock"), (22, "ssh.sock")))["Labels"]
    assert labels[INSTANCE_LABEL] == "x"
    assert sockets_of(labels["rootblood.sockets"]) == {7681: "ttyd.sock", 22: "ssh.sock"}
    assert sockets_of("") == {}


STATE = {
    "Status": "running",
    "OOMKilled": False,
    "ExitCode": 0,
    "Error": "",
    "StartedAt": "2026-01-02T03:04:05.123456789Z",
}


@pytest.mark.parametrize(
    ("state", "phase", "reason"),
    [
        ({"Status": "running"}, Phase.RUNNING, ""),
        ({"Status": "paused"}, Phase.PAUSED, ""),
        ({"Status": "created"}, Phase.PENDING, "created"),
        ({"Status": "removing"}, Phase.PENDING, "removing"),
        ({"Status": "created", "Error": "no such file"}, Phase.FAILED, "no such file"),
        ({"Status": "exited", "ExitCode": 0}, Phase.STOPPED, ""),
        ({"Status": "exited", "ExitCode": 143}, Phase.STOPPED, ""),
        ({"Status": "exited", "ExitCode": 137}, Phase.STOPPED, ""),
        (
            {"Status": "exited", "ExitCode": 137, "OOMKilled": True},
            Phase.FAILED,
            "out of memory",
        ),
        ({"Status": "exited", "ExitCode": 2}, Phase.FAILED, "exit code 2"),
        ({"Status": "dead"}, Phase.FAILED, "dead"),
    ],
)
def test_states_become_phases(state: dict[str, Any], phase: Phase, reason: str) -> None:
    labels = {"rootblood.digest": "abc"}
    status = status_of("n", {"State": STATE | state, "Config": {"Labels": labels}})
    assert (status.phase, status.reason, status.digest) == (phase, reason, "abc")
    assert status.started_at == datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)


def test_never_started_has_no_time() -> None:
    never = STATE | {"StartedAt": "0001-01-01T00:00:00Z"}
    assert status_of("n", {"State": never, "Config": {"Labels": {}}}).started_at is None


@pytest.mark.parametrize(
    ("state", "text", "phase", "exit_code"),
    [
        ("running", "Up 2 minutes", Phase.RUNNING, None),
        ("paused", "Up 2 minutes (Paused)", Phase.PAUSED, None),
        ("exited", "Exited (0) 2 minutes ago", Phase.STOPPED, 0),
        ("exited", "Exited (143) 2 minutes ago", Phase.STOPPED, 143),
        ("exited", "Exited (1) 2 minutes ago", Phase.FAILED, 1),
        ("created", "Created", Phase.PENDING, None),
        ("removing", "Removal In Progress", Phase.PENDING, None),
        ("dead", "Dead", Phase.FAILED, None),
    ],
)
def test_rows_become_phases(state: str, text: str, phase: Phase, exit_code: int | None) -> None:
    status = status_of_row({"Names": ["/n"], "State": state, "Status": text, "Labels": {}})
    assert (status.name, status.phase, status.exit_code) == ("n", phase, exit_code)


def test_statistics_become_usage() -> None:
    usage = usage_of_stats(
        {
            "cpu_stats": {"cpu_usage": {"total_usage": 2_000_000_000}},
            "memory_stats": {"usage": 100, "stats": {"inactive_file": 30}},
            "pids_stats": {"current": 4},
            "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 2}},
            "blkio_stats": {
                "io_service_bytes_recursive": [
                    {"op": "Read", "value": 5},
                    {"op": "write", "value": 6},
                    {"op": "Total", "value": 11},
                ]
            },
        }
    )
    assert usage is not None
    assert (usage.cpu_seconds, usage.memory_bytes, usage.pids) == (2.0, 70, 4)
    assert (usage.net_rx_bytes, usage.net_tx_bytes, usage.block_bytes) == (1, 2, 11)
    assert usage_of_stats({"memory_stats": {}}) is None
