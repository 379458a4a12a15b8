from pathlib import Path

import pytest

from orchestrator.engines import Usage, cgroups

ID = "c" * 64
PID = 4711
NET = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs
    lo:     999       1    0    0    0     0          0         0      999       1    0
  eth0:    1500      10    0    0    0     0          0         0     2500      20    0
  eth1: 10 1 0 0 0 0 0 0 20 1 0
"""
EXPECTED = Usage(
    cpu_seconds=1.5,
    memory_bytes=700,
    pids=3,
    net_rx_bytes=1510,
    net_tx_bytes=2520,
    block_bytes=4096 + 512,
)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(params=["v2-systemd", "v2-cgroupfs", "v1", "v1-joined", "hybrid"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One container, in each layout that a kernel may show."""
    base = "sys/fs/cgroup"
    files = {f"proc/{PID}/net/dev": NET}
    if request.param.startswith("v2"):
        scope = f"/system.slice/docker-{ID}.scope"
        path = scope if request.param == "v2-systemd" else f"/docker/{ID}"
        files |= {
            f"proc/{PID}/cgroup": f"0::{path}\n",
            f"{base}{path}/cpu.stat": "usage_usec 1500000\nuser_usec 1\nsystem_usec 2\n",
            f"{base}{path}/memory.current": "1000\n",
            f"{base}{path}/memory.stat": "anon 5\nactive_file 9\ninactive_file 300\n",
            f"{base}{path}/pids.current": "3\n",
            f"{base}{path}/io.stat": "8:0 rbytes=4096 wbytes=0 rios=1 dbytes=7\n"
            "8:16 rbytes=0 wbytes=512 wios=1\n",
        }
    else:
        cpu = "cpu,cpuacct" if request.param == "v1-joined" else "cpuacct"
        table = [f"12:{cpu}:", "11:memory:", "10:pids:", "9:blkio:", "1:name=systemd:"]
        if request.param == "hybrid":
            table.append("0::")
        files |= {
            f"proc/{PID}/cgroup": "".join(f"{line}/docker/{ID}\n" for line in table),
            f"{base}/{cpu}/docker/{ID}/cpuacct.usage": "1500000000\n",
            f"{base}/memory/docker/{ID}/memory.usage_in_bytes": "1000\n",
            f"{base}/memory/docker/{ID}/memory.stat": "inactive_file 1\ntotal_inactive_file 300\n",
            f"{base}/pids/docker/{ID}/pids.current": "3\n",
            f"{base}/blkio/docker/{ID}/blkio.throttle.io_service_bytes": "8:0 Read 4096\n"
            "8:0 Write 512\n8:0 Total 4608\nTotal 4608\n",
        }
    write(tmp_path, files)
    return tmp_path


def test_every_layout_gives_the_same_numbers(tree: Path) -> None:
    place = cgroups.locate(tree, PID, ID)
    assert place is not None
    assert cgroups.read(place) == EXPECTED


def test_a_process_of_another_container_is_not_taken(tree: Path) -> None:
    assert cgroups.locate(tree, PID, "d" * 64) is None


def test_a_process_that_is_gone_has_no_place(tree: Path) -> None:
    assert cgroups.locate(tree, PID + 1, ID) is None


def test_a_container_that_ended_has_no_numbers(tree: Path, tmp_path: Path) -> None:
    place = cgroups.locate(tree, PID, ID)
    assert place is not None
    (place.pids / "pids.current").unlink()
    assert cgroups.read(place) is None


def test_missing_block_and_network_counters_are_zero(tmp_path: Path) -> None:
    path = f"/docker/{ID}"
    write(
        tmp_path,
        {
            f"proc/{PID}/cgroup": f"0::{path}\n",
            f"sys/fs/cgroup{path}/cpu.stat": "usage_usec 1000000\n",
            f"sys/fs/cgroup{path}/memory.current": "10\n",
            f"sys/fs/cgroup{path}/memory.stat": "inactive_file 30\n",
            f"sys/fs/cgroup{path}/pids.current": "1\n",
        },
    )
    place = cgroups.locate(tmp_path, PID, ID)
    assert place is not None
    assert cgroups.read(place) == Usage(1.0, 0, 1, 0, 0, 0)
