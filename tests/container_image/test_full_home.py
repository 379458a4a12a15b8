"""The real image in a home of a few MiB: what people read in it, and that it serves when full."""

import re
from collections.abc import Callable, Iterator

import pytest
from docker import APIClient

from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.docker_spec import INSTANCE_LABEL
from orchestrator.policy import SOCKETS, TERMINAL_PORT
from orchestrator.spec import Limits, Mount, Spec
from tests.conftest import PREFIX

pytestmark = pytest.mark.engine
OWNER = (20001, 20001)
LIMITS = Limits(cpus=1.0, memory_bytes=256 << 20, pids=128)
SIZE_MIB = 10
FILL = "head -c {bytes} /dev/zero > {name} 2> /dev/null"
NOTICE = re.compile(r"Your home is (\d+) % full \((\S+) of (\S+) MiB\)")
AGAIN = "_rootblood_look_at=0\n"
"""Lets the next prompt look at once rather than half a minute later."""
Shell = Callable[..., str]


@pytest.fixture
def home(
    docker_client: APIClient, docker_engine: DockerEngine, image: str, run_id: str
) -> Iterator[str]:
    """The name of a volume that holds ``SIZE_MIB`` and no more.

    Another container keeps it: it is memory, and gone with the last one that has it.
    """
    name = f"rb-test-{run_id}-small"
    options = f"size={SIZE_MIB}m,uid={OWNER[0]},gid={OWNER[1]},mode=0700"
    docker_client.create_volume(
        name, driver_opts={"type": "tmpfs", "device": "tmpfs", "o": options},
        labels={INSTANCE_LABEL: f"{PREFIX}{run_id}"},
    )  # fmt: skip
    mounted = (Mount(name, "/home/ann", volume=True),)
    keeper = Spec(
        f"rb-{run_id}-keeper", image, OWNER, LIMITS, mounts=mounted, entrypoint=("sleep", "600")
    )
    docker_engine.run(keeper)
    yield name
    for container in (f"rb-{run_id}-small", keeper.name):
        docker_engine.remove(container)
    docker_client.remove_volume(name)


@pytest.fixture
def spec(home: str, image: str, run_id: str) -> Spec:
    return Spec(
        name=f"rb-{run_id}-small",
        image=image,
        user=OWNER,
        limits=LIMITS,
        environment=(
            ("HOME", "/home/ann"), ("ROOTBLOOD_HOME_CAPPED", "1"), ("ROOTBLOOD_USER", "ann"),
            ("ROOTBLOOD_WORKSPACE", "main"), ("TMUX_TMPDIR", "/tmp"), ("USER", "ann"),
        ),
        mounts=(Mount(home, "/home/ann", volume=True),),
        working_dir="/home/ann",
        read_only_root=True,
        network=False,
        sockets=SOCKETS,
    )  # fmt: skip


@pytest.fixture
def shell(docker_engine: DockerEngine, spec: Spec) -> Shell:
    """Return ``shell(lines)``: what an interactive login shell of a workspace says to them."""
    docker_engine.run(spec)
    docker_engine.dial(spec.name, TERMINAL_PORT, timeout=20.0).close()

    def run(lines: str) -> str:
        given = ("env", "HISTFILE=/home/ann/.bash_history", "bash", "-il")
        result = docker_engine.exec(spec.name, given, stdin=lines.encode(), timeout=20.0)
        return result.stdout.decode() + result.stderr.decode()

    return run


def notices(text: str) -> list[int]:
    return [int(match[1]) for match in NOTICE.finditer(text)]


def fill(percent: int, name: str) -> str:
    """Return the command that lets the file ``name`` take that much of the home."""
    return FILL.format(bytes=(SIZE_MIB << 20) * percent // 100, name=name) + "\n"


def test_a_home_with_room_is_not_worth_a_word(shell: Shell) -> None:
    assert notices(shell(fill(50, "half") + AGAIN + "true\n")) == []


def test_people_are_told_at_90_95_and_99_percent_and_once_each(shell: Shell) -> None:
    said = shell(
        fill(90, "a") + AGAIN + "true\n" + AGAIN + "true\n"
        + fill(6, "b") + AGAIN + "true\n" + AGAIN
        + fill(9, "c") + AGAIN + "true\n" + AGAIN + "true\n"
    )  # fmt: skip
    found = notices(said)
    assert len(found) == 3, said
    assert 90 <= found[0] < 95 <= found[1] < 99 <= found[2]
    assert NOTICE.search(said)[3] == f"{SIZE_MIB}.0"


def test_the_first_prompt_tells_and_after_making_room_it_tells_again(shell: Shell) -> None:
    shell(fill(93, "a"))
    said = shell("rm a\n" + AGAIN + fill(92, "a") + AGAIN + "true\n")
    assert len(notices(said)) == 2, said


def test_the_prompt_looks_every_half_minute_at_most(shell: Shell) -> None:
    said = shell('stat() { echo LOOKED >&2; command stat "$@"; }\n' + AGAIN + "true\n" * 20)
    assert said.count("LOOKED") <= 1


def test_without_a_cap_nothing_is_said(
    docker_engine: DockerEngine, shell: Shell, spec: Spec
) -> None:
    shell(fill(95, "a"))
    bare = ("env", "-u", "ROOTBLOOD_HOME_CAPPED", "bash", "-il")
    result = docker_engine.exec(spec.name, bare, stdin=b"true\n", timeout=20.0)
    assert notices(result.stderr.decode()) == []


def test_a_full_home_still_starts_serves_and_can_be_tidied(
    docker_engine: DockerEngine, shell: Shell, spec: Spec
) -> None:
    shell(fill(200, "all"))
    docker_engine.stop(spec.name, grace=5.0)
    docker_engine.run(spec)
    docker_engine.dial(spec.name, TERMINAL_PORT, timeout=20.0).close()
    said = shell("echo one\necho two > two\necho three\nexit\n")
    assert notices(said) == [100]
    assert "three" in said
    assert said.count("No space left on device") == 1, "of what was asked for, not at every prompt"
    made = docker_engine.exec(
        spec.name, ("tmux", "new-session", "-d", "-s", "full", "sleep 60"), timeout=20.0
    )
    assert made.exit_code == 0, made.stderr
    assert "tidied" in shell("rm all && echo kept > kept && cat kept && echo tidied\n")
    assert (
        docker_engine.exec(spec.name, ("cat", "/home/ann/kept"), timeout=20.0).stdout == b"kept\n"
    )


def test_a_first_start_in_a_full_home_leaves_no_halves(
    docker_engine: DockerEngine, shell: Shell, spec: Spec
) -> None:
    shell("rm .bashrc .profile\n" + fill(200, "all"))
    docker_engine.stop(spec.name, grace=5.0)
    docker_engine.run(spec)
    docker_engine.dial(spec.name, TERMINAL_PORT, timeout=20.0).close()
    listed = docker_engine.exec(spec.name, ("ls", "-A", "/home/ann"), timeout=20.0).stdout
    assert b".profile" not in listed
    assert "could not be given its first files" in docker_engine.logs(spec.name)
