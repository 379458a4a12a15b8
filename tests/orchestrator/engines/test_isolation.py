"""What a workspace cannot do, tried from inside one.

The network tests run the same probe from a workspace without egress rules as well: it reaches
everything, so what the others do not reach is the rules' doing.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from docker import APIClient

from orchestrator.engines import Phase
from orchestrator.engines import egress as egress_module
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_network import bridge_name
from orchestrator.spec import Spec
from tests.orchestrator.engines.containers import LIMITS, OWNER
from tests.orchestrator.engines.netlab import (
    DNS_PORT,
    PORT,
    PROBE,
    Lab,
    host_addresses,
    lab,
    listening,
)

pytestmark = pytest.mark.engine

Sleeper = Callable[..., Spec]
Target = tuple[str, str, int]


@pytest.fixture
def inside(docker_engine: DockerEngine, sleeper: Sleeper) -> Callable[..., str]:
    """Return a runner of commands in a workspace; it returns what they write."""
    spec = sleeper()
    docker_engine.run(spec)

    def run(*argv: str, ok: bool = True) -> str:
        result = docker_engine.exec(spec.name, argv, timeout=60)
        assert not ok or result.exit_code == 0, result.stderr.decode()
        return (result.stdout + result.stderr).decode()

    return run


def test_no_privileges(inside: Callable[..., str]) -> None:
    for pid in ("1", "self"):
        status = dict(
            line.split(":", 1) for line in inside("cat", f"/proc/{pid}/status").splitlines()
        )
        assert status["Uid"].split() == [str(OWNER[0])] * 4
        assert status["Gid"].split() == [str(OWNER[1])] * 4
        assert status["Groups"].split() in ([], [str(OWNER[1])])
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[capabilities], 16) == 0, capabilities
        assert status["NoNewPrivs"].strip() == "1"
        assert status["Seccomp"].strip() == "2"


def test_a_setuid_program_gives_nothing(inside: Callable[..., str]) -> None:
    assert "4" in inside("stat", "-c", "%a", "/usr/bin/passwd")[0], "control: it is setuid"
    found = inside("python3", "-c", "import os; os.setuid(0)", ok=False)
    assert "PermissionError" in found


def test_the_root_is_read_only(inside: Callable[..., str]) -> None:
    for directory in ("/", "/etc", "/usr/bin", "/var/tmp", "/root"):
        found = inside("touch", f"{directory}/x", ok=False)
        assert "Read-only" in found or "Permission denied" in found, directory
    mounts = inside("cat", "/proc/mounts").splitlines()
    root = next(line.split() for line in mounts if line.split()[1] == "/")
    assert "ro" in root[3].split(",")


def test_tmp_is_writable_executable_and_limited(inside: Callable[..., str]) -> None:
    inside("sh", "-c", "echo 'echo ran' > /tmp/x && chmod +x /tmp/x")
    assert inside("sh", "-c", "/tmp/x") == "ran\n"
    found = inside("dd", "if=/dev/zero", "of=/tmp/big", "bs=1M", "count=100", ok=False)
    assert "No space left" in found
    size = int(inside("stat", "-c", "%s", "/tmp/big"))
    assert size <= LIMITS.memory_bytes // 4


def test_the_run_directory_cannot_fill_the_host(
    inside: Callable[..., str], docker_engine: DockerEngine
) -> None:
    found = inside("dd", "if=/dev/zero", "of=/run/rootblood/big", "bs=64k", "count=100", ok=False)
    assert "No space left" in found
    found = inside("sh", "-c", "cd /run/rootblood && rm big && touch $(seq 200)", ok=False)
    assert "No space left" in found


def test_a_fork_bomb_stays_inside(inside: Callable[..., str]) -> None:
    bomb = (
        "import os, signal, sys\n"
        "made = []\n"
        "try:\n"
        "    while True:\n"
        "        pid = os.fork()\n"
        "        if not pid:\n"
        "            signal.pause()\n"
        "        made.append(pid)\n"
        "except BlockingIOError:\n"
        "    print(len(made))\n"
        "for pid in made:\n"
        "    os.kill(pid, 9)\n"
    )
    assert 10 < int(inside("python3", "-c", bomb)) < LIMITS.pids


def test_the_memory_limit_kills_inside_only(
    inside: Callable[..., str], docker_engine: DockerEngine, sleeper: Sleeper
) -> None:
    hungry = "held = [b'x' * 2**20 for _ in range(400)]; print('had it all')"
    name = sleeper().name
    result = docker_engine.exec(name, ["python3", "-c", hungry], timeout=60)
    assert result.exit_code == 137
    assert b"had it all" not in result.stdout
    assert docker_engine.inspect(name).phase is Phase.RUNNING
    assert inside("echo", "alive") == "alive\n"


def test_no_way_to_the_engine(inside: Callable[..., str]) -> None:
    found = inside("sh", "-c", "ls /var/run/docker.sock /run/docker.sock", ok=False)
    assert found.count("No such file") == 2
    assert ".sock" not in inside("cat", "/proc/self/mountinfo")


def test_the_environment_holds_what_the_spec_says(
    docker_engine: DockerEngine, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOTBLOOD_SECRET_KEY", "canary")
    spec = sleeper(environment=(("GIVEN", "yes"),))
    docker_engine.run(spec)
    shown = docker_engine.exec(spec.name, ["sh", "-c", "env; tr '\\0' '\\n' < /proc/1/environ"])
    assert b"canary" not in shown.stdout
    names = {line.split("=")[0] for line in shown.stdout.decode().splitlines()}
    of_the_image = {"EDITOR", "LANG", "PIP_DISABLE_PIP_VERSION_CHECK", "SHELL", "TMUX_TMPDIR"}
    assert names - of_the_image <= {
        "GIVEN",
        "PATH",
        "HOME",
        "HOSTNAME",
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
    }
    assert "GIVEN" in names


def test_other_processes_of_the_host_are_invisible(inside: Callable[..., str]) -> None:
    numbers = [int(name) for name in inside("ls", "/proc").split() if name.isdecimal()]
    assert 1 in numbers
    assert len(numbers) < 10


def test_without_a_network_there_is_only_loopback(
    docker_engine: DockerEngine, sleeper: Sleeper
) -> None:
    spec = sleeper(network=False)
    docker_engine.run(spec)
    shown = docker_engine.exec(spec.name, ["cat", "/proc/net/dev"]).stdout.decode()
    assert [line.split(":")[0].strip() for line in shown.splitlines()[2:]] == ["lo"]


def test_there_is_no_ipv6_route(inside: Callable[..., str]) -> None:
    shown = inside("sh", "-c", "cat /proc/net/ipv6_route /proc/net/if_inet6", ok=False)
    assert {line.split()[-1] for line in shown.splitlines() if "No such" not in line} <= {"lo"}


@pytest.fixture(scope="module")
def addresses(docker_client: APIClient) -> Iterator[Lab]:
    with lab() as built, listening([f"0.0.0.0:{PORT}"]):
        yield built


@pytest.fixture
def probe(sleeper: Sleeper) -> Callable[[DockerEngine, Sequence[Target]], dict[str, bool]]:
    """Return a prober: which targets does a workspace of this engine reach?"""

    def run(engine: DockerEngine, targets: Sequence[Target]) -> dict[str, bool]:
        spec = sleeper("probe-" + engine._instance[-6:].strip("-"))
        engine.run(spec)
        result = engine.exec(spec.name, ["python3", "-c", PROBE, json.dumps(targets)], timeout=100)
        assert result.exit_code == 0, result.stderr.decode()
        return dict(json.loads(result.stdout))

    return run


Probe = Callable[[DockerEngine, Sequence[Target]], dict[str, bool]]


@pytest.fixture
def neighbours(
    docker_engine: DockerEngine,
    docker_client: APIClient,
    make_engine: Callable[..., DockerEngine],
    sleeper: Sleeper,
) -> list[str]:
    """Return the addresses of listening containers: one on our network, one on another."""
    other = make_engine("other", enforce_egress=False)
    answer = (
        "python3",
        "-c",
        "import socketserver\n"
        "class Hello(socketserver.BaseRequestHandler):\n"
        "    def handle(self): self.request.sendall(b'hello')\n"
        f"socketserver.ThreadingTCPServer(('', {PORT}), Hello).serve_forever()\n",
    )
    found = []
    for engine, name in ((docker_engine, "same"), (other, "other")):
        spec = sleeper(name, entrypoint=answer)
        engine.run(spec)
        engine.dial(spec.name, PORT).close()
        networks = docker_client.inspect_container(spec.name)["NetworkSettings"]["Networks"]
        found.append(next(iter(networks.values()))["IPAddress"])
    return found


def test_private_places_are_out_of_reach(
    docker_engine: DockerEngine,
    make_engine: Callable[..., DockerEngine],
    addresses: Lab,
    neighbours: list[str],
    probe: Probe,
) -> None:
    hosts = host_addresses()
    assert bridge_name(docker_engine._instance) in hosts, "the workspace's own gateway"
    assert len(hosts) >= 2, "and another address of the machine"
    blocked = [
        *hosts.values(),
        *neighbours,
        addresses.private,
        addresses.resolver,
        addresses.carrier,
        addresses.metadata,
    ]
    targets = [(protocol, host, PORT) for host in blocked for protocol in ("tcp", "udp")]
    found = probe(docker_engine, targets)
    assert [target for target, answered in found.items() if answered] == []

    open_engine = make_engine("open", enforce_egress=False)
    control = [
        ("tcp", host, PORT)
        for host in (
            *hosts.values(),
            addresses.private,
            addresses.carrier,
            addresses.metadata,
        )
    ]
    found = probe(open_engine, control)
    assert [target for target, answered in found.items() if not answered] == []


def test_refusals_are_quick(docker_engine: DockerEngine, addresses: Lab, sleeper: Sleeper) -> None:
    spec = sleeper()
    docker_engine.run(spec)
    script = (
        "import socket, time\n"
        "began = time.monotonic()\n"
        "for host in ('10.255.1.1', '169.254.169.254', '100.64.1.1'):\n"
        f"    assert socket.socket().connect_ex((host, {PORT})) != 0\n"
        "print(time.monotonic() - began)\n"
    )
    assert float(docker_engine.exec(spec.name, ["python3", "-c", script]).stdout) < 1


def test_the_internet_is_within_reach(
    docker_engine: DockerEngine, addresses: Lab, probe: Probe
) -> None:
    targets = [("tcp", addresses.public, PORT), ("udp", addresses.public, PORT)]
    assert set(probe(docker_engine, targets).values()) == {True}


def test_a_private_resolver_is_within_reach_but_nothing_else_of_it(
    make_engine: Callable[..., DockerEngine],
    docker_engine: DockerEngine,
    addresses: Lab,
    probe: Probe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(egress_module, "resolvers", lambda: [addresses.resolver])
    engine = make_engine("dns")
    found = probe(
        engine,
        [
            ("udp", addresses.resolver, DNS_PORT),
            ("tcp", addresses.resolver, DNS_PORT),
            ("tcp", addresses.resolver, PORT),
            ("udp", addresses.resolver, PORT),
            ("tcp", addresses.private, DNS_PORT),
        ],
    )
    assert list(found.values()) == [True, True, False, False, False]


def test_an_allowed_range_is_within_reach(
    make_engine: Callable[..., DockerEngine],
    docker_engine: DockerEngine,
    addresses: Lab,
    probe: Probe,
) -> None:
    allowed = addresses.carrier.rsplit(".", 1)[0] + ".0/24"
    engine = make_engine("allow", egress_allow=(allowed,))
    targets = [("tcp", addresses.carrier, PORT), ("tcp", addresses.private, PORT)]
    assert list(probe(engine, targets).values()) == [True, False]


def test_an_allowed_range_does_not_open_the_host(
    make_engine: Callable[..., DockerEngine],
    docker_engine: DockerEngine,
    addresses: Lab,
    probe: Probe,
) -> None:
    engine = make_engine("wide", egress_allow=("0.0.0.0/0",))
    engine.prepare()
    gateway = host_addresses()[bridge_name(engine._instance)]
    targets = [("tcp", gateway, PORT), ("tcp", addresses.private, PORT)]
    assert list(probe(engine, targets).values()) == [False, True]


def test_a_linked_socket_is_not_followed(
    docker_engine: DockerEngine, sleeper: Sleeper, tmp_path: Path
) -> None:
    """The attack from inside; ``test_run_dirs.py`` has its variants."""
    spec = replace(sleeper(), sockets=((7681, "ttyd.sock"),))
    docker_engine.run(spec)
    link = ["ln", "-sf", "/var/run/docker.sock", "/run/rootblood/ttyd.sock"]
    assert docker_engine.exec(spec.name, link).exit_code == 0
    with pytest.raises(OSError, match="not a socket of") as told:
        docker_engine._run_dirs.connect(spec.name, "ttyd.sock", OWNER[0])
    assert told.value
