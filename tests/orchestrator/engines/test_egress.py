import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker import APIClient
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engines import egress
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_network import bridge_name
from orchestrator.engines.egress import Egress, chains, resolvers
from orchestrator.errors import EgressUnprotected


@settings(deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_names_fit_the_kernel_whatever_the_instance(instance: str) -> None:
    names = [chain.name for chain in chains(instance, "br", resolvers=(), allow=())]
    assert all(re.fullmatch(r"[\w.-]{1,28}", name) for name in names)
    assert len(set(names)) == 2
    assert 1 <= len(bridge_name(instance)) <= 15


def test_two_instances_share_no_names() -> None:
    long = "an-instance-with-quite-a-long-name"
    for first, second in (("a", "b"), (long + "1", long + "2")):
        one, two = (chains(name, "br", resolvers=(), allow=()) for name in (first, second))
        assert {chain.name for chain in one}.isdisjoint(chain.name for chain in two)
        assert bridge_name(first) != bridge_name(second)


def test_exceptions_come_before_refusals_and_everything_else_goes_out() -> None:
    forward, local = chains("x", "rb-x", resolvers=["10.0.0.53"], allow=["10.1.2.3/16"])
    refusals = [number for number, rule in enumerate(forward.rules) if "REJECT" in rule]
    exceptions = [number for number, rule in enumerate(forward.rules) if "RETURN" in rule]
    assert max(exceptions) < min(refusals)
    assert "-d 10.1.0.0/16 -j RETURN" in forward.rules
    assert "-d 10.0.0.53/32 -p udp -m udp --dport 53 -j RETURN" in forward.rules
    for blocked in egress.BLOCKED:
        assert f"-d {blocked} -j REJECT --reject-with icmp-admin-prohibited" in forward.rules
    # To the host everything is refused, an allowed range or not.
    assert not any("10.1.0.0" in rule for rule in local.rules)
    assert local.rules[-1] == "-j REJECT --reject-with icmp-admin-prohibited"
    assert (forward.hook, local.hook) == ("DOCKER-USER", "INPUT")


def test_documentation_ranges_stay_open() -> None:
    text = " ".join(egress.BLOCKED)
    for network in ("192.0.2.", "198.51.100.", "203.0.113."):
        assert network not in text


@pytest.mark.parametrize("bad", ["10.0.0.0/33", "everything", "fd00::/8", "1.2.3.4/8; -j ACCEPT"])
def test_an_allowed_range_is_a_range(bad: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        chains("x", "br", resolvers=(), allow=[bad])


class TestResolvers:
    @pytest.fixture
    def write(self, tmp_path: Path) -> Callable[[str, str], None]:
        def write(name: str, text: str) -> None:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

        return write

    def found(self, root: Path) -> list[str]:
        return resolvers(root / "etc", root / "run")

    def test_are_the_hosts(self, tmp_path: Path, write: Callable[[str, str], None]) -> None:
        write("etc/resolv.conf", "search x\n# nameserver 9.9.9.9\nnameserver 10.0.0.2\n")
        assert self.found(tmp_path) == ["10.0.0.2"]

    def test_are_those_behind_systemds_stub(
        self, tmp_path: Path, write: Callable[[str, str], None]
    ) -> None:
        write("etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0\n")
        write("run/systemd/resolve/resolv.conf", "nameserver 192.168.1.1\nnameserver fd00::1\n")
        assert self.found(tmp_path) == ["192.168.1.1"]

    def test_are_the_engines_own_where_it_has_some(
        self, tmp_path: Path, write: Callable[[str, str], None]
    ) -> None:
        write("etc/resolv.conf", "nameserver 10.0.0.2\n")
        write("etc/docker/daemon.json", '{"dns": ["10.9.9.9", "10.9.9.9"]}')
        assert self.found(tmp_path) == ["10.9.9.9"]

    def test_are_none_where_nothing_can_be_read(
        self, tmp_path: Path, write: Callable[[str, str], None]
    ) -> None:
        assert self.found(tmp_path) == []
        write("etc/resolv.conf", "nameserver 127.0.0.1\nnameserver not-an-address\n")
        write("etc/docker/daemon.json", "[broken")
        assert self.found(tmp_path) == []


def iptables(*arguments: str) -> str:
    command = ["iptables", "-w", "5", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.engine
class TestInTheKernel:
    @pytest.fixture
    def rules(
        self, docker_engine: DockerEngine, docker_client: APIClient, run_id: str
    ) -> Iterator[Egress]:
        """Rules for a bridge that does not exist: they need none to be in the kernel."""
        made = Egress(f"rb-test-{run_id}-rules", "rb-nowhere", ("10.5.0.0/16",))
        yield made
        made.remove()

    def snapshot(self) -> str:
        return "\n".join(line for line in iptables("-S").splitlines() if "rb-nowhere" in line)

    def test_are_installed_once(self, rules: Egress) -> None:
        rules.ensure()
        first = self.snapshot()
        assert "-A INPUT -i rb-nowhere" in first
        assert "-A DOCKER-USER -i rb-nowhere" in first
        rules.ensure()
        assert self.snapshot() == first

    def test_are_looked_at_without_being_touched(self, rules: Egress) -> None:
        with pytest.raises(EgressUnprotected):
            rules.verify()
        assert self.snapshot() == ""
        rules.ensure()
        rules.verify()

    def test_are_put_back_after_a_flush(self, rules: Egress) -> None:
        rules.ensure()
        first = self.snapshot()
        chain = chains(rules._instance, "rb-nowhere", resolvers=(), allow=())[0]
        for damage in (
            ("-F", chain.name),
            ("-D", chain.name, "1"),
            ("-D", "DOCKER-USER", *chain.jump.split()),
            ("-I", chain.name, "1", "-d", "10.0.0.0/8", "-j", "ACCEPT"),
        ):
            iptables(*damage)
            rules.ensure()
            assert self.snapshot() == first, damage

    def test_go_before_a_rule_that_would_let_packets_by(self, rules: Egress) -> None:
        rules.ensure()
        # Of no effect on anybody: no packet comes in from an interface that does not exist.
        intruder = ("INPUT", "-i", "rb-nowhere", "-j", "ACCEPT")
        iptables("-I", *intruder)
        try:
            rules.ensure()
            shown = iptables("-S", "INPUT").splitlines()
            jump = next(n for n, line in enumerate(shown) if "-i rb-nowhere -j RB-" in line)
            assert jump < shown.index("-A INPUT -i rb-nowhere -j ACCEPT")
            assert len([line for line in shown if "-i rb-nowhere -j RB-" in line]) == 1
        finally:
            iptables("-D", *intruder)

    def test_leave_nothing_when_removed(self, rules: Egress) -> None:
        rules.ensure()
        rules.remove()
        assert self.snapshot() == ""
        rules.remove()

    def test_without_a_firewall_nothing_starts_and_the_hint_names_the_setting(
        self, rules: Egress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(EgressUnprotected) as told:
            rules.ensure()
        assert "ROOTBLOOD_EGRESS=off" in told.value.hint
        monkeypatch.undo()

    def test_traffic_between_workspaces_must_pass_the_rules(
        self, rules: Egress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for state in ("0\n", None):
            switch = tmp_path / "bridge-nf-call-iptables"
            if state:
                switch.write_text(state)
            else:
                switch.unlink()
            monkeypatch.setattr(egress, "_BRIDGE_FILTER", switch)
            with pytest.raises(EgressUnprotected, match="bridge-nf-call-iptables"):
                rules.ensure()
