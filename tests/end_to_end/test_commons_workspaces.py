"""The commons from inside workspaces: read at /global, written through the workspace's own door."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from docker import APIClient

from tests.conftest import missing
from tests.end_to_end.person import Person
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine
Shell = Callable[..., str]
Make = Callable[[str], str]


@pytest.fixture
def shell(docker_client: APIClient) -> Callable[[Person, str], str]:
    """Return ``shell(person, script)``: run it in the person's ``main``; fail where it fails."""

    def run(person: Person, script: str, *, fails: bool = False) -> str:
        made = docker_client.exec_create(
            person.container(), ["bash", "-lc", f"set -e\n{script}"], workdir="/tmp"
        )
        output = docker_client.exec_start(made["Id"]).decode(errors="replace")
        code = docker_client.exec_inspect(made["Id"])["ExitCode"]
        assert bool(code) == fails, f"{script}: {code}: {output}"
        return str(output)

    return run


@pytest.fixture
def ann(server: Server, people: Callable[..., Person], shell: Shell) -> Person:
    person = people(server)
    person.open()
    if "no" in shell(person, "command -v git-remote-commons || echo no"):
        missing("the workspace image has no git-remote-commons: run script/setup")
    return person


@pytest.fixture
def bob(server: Server, people: Callable[..., Person]) -> Person:
    person = people(server)
    person.open()
    return person


def publish(shell: Shell, person: Person, name: str = "hello") -> str:
    """Publish a repository by a plain push and return its path."""
    path = f"/global/{person.username}/{name}"
    shell(
        person,
        f"""
        git init -q {name} && cd {name}
        echo hello > README.md && git add . && git commit -qm 'Say hello'
        git remote add origin {path} && git push -q -u origin main
    """,
    )
    return path


def test_a_plain_push_publishes_to_everybody(shell: Shell, ann: Person, bob: Person) -> None:
    path = publish(shell, ann)
    assert shell(bob, f"git clone -q {path} copy && cat copy/README.md") == "hello\n"


def test_what_is_pushed_later_is_pulled(shell: Shell, ann: Person, bob: Person) -> None:
    path = publish(shell, ann)
    shell(bob, f"git clone -q {path} copy")
    shell(ann, "cd hello && echo more >> README.md && git commit -qam More && git push -q")
    assert shell(bob, "cd copy && git pull -q && cat README.md") == "hello\nmore\n"


def test_nobody_writes_to_anothers_but_by_proposal(shell: Shell, ann: Person, bob: Person) -> None:
    path = publish(shell, ann)
    script = f"git clone -q {path} copy && cd copy && git commit -q --allow-empty -m x && git push"
    assert "403" in shell(bob, script, fails=True)
    assert "Read-only" in shell(ann, f"touch {path}.git/x 2>&1", fails=True)


def test_a_private_repository_is_reached_by_git_alone(
    shell: Shell, ann: Person, bob: Person
) -> None:
    path = publish(shell, ann)
    ann.ok("PATCH", f"/api/v1/repos/{ann.username}/hello", {"visibility": "private"})
    shell(ann, f"test ! -e {path}.git")
    assert shell(ann, f"git clone -q commons::{path} again && cat again/README.md") == "hello\n"
    assert "not found" in shell(bob, f"git clone commons::{path} copy", fails=True).lower()
    shell(ann, "cd again && git commit -q --allow-empty -m x && git push -q")


def test_the_door_asks_for_the_workspaces_own_secret(shell: Shell, ann: Person) -> None:
    publish(shell, ann)
    ask = (
        "curl -s -o /dev/null -w '%{http_code}' --unix-socket /run/rootblood/commons.sock "
        "-H \"Authorization: Bearer $1\" 'http://localhost$2'"
    )
    refs = f"/git/{ann.username}/hello.git/info/refs?service=git-upload-pack"

    def status(secret: str, target: str) -> str:
        ready = ask.replace("$1", secret).replace("$2", target)
        return shell(ann, ready)

    assert status("$(cat /run/rootblood/commons.token)", refs) == "200"
    assert status("wrong", refs) == "401"
    assert status("", refs) == "401"
    assert status("$(cat /run/rootblood/commons.token)", "/api/v1/me") == "404"


def test_only_the_owner_can_use_a_door(shell: Shell, ann: Person, docker_client: APIClient) -> None:
    there = "cd /run/rootblood; [ ! -e commons.sock ] || [ ! -e commons.token ] || echo yes"
    until(lambda: shell(ann, there).strip() == "yes", "the door is there")
    modes = shell(ann, "stat -c '%a %U' /run/rootblood/commons.sock /run/rootblood/commons.token")
    assert modes == f"600 {ann.username}\n" * 2
    info = docker_client.inspect_container(ann.container())
    assert shell(ann, "cat /run/rootblood/commons.token") not in str(info["Config"])


def test_a_door_that_was_removed_or_faked_is_made_anew(shell: Shell, ann: Person) -> None:
    publish(shell, ann)
    before = shell(ann, "cat /run/rootblood/commons.token")
    shell(ann, "ln -sf /etc/passwd /run/rootblood/commons.sock")

    def renewed() -> bool:
        return shell(ann, "cat /run/rootblood/commons.token") != before

    until(renewed, "there is a fresh door")
    shell(ann, "cd hello && git commit -q --allow-empty -m x && git push -q")


def test_doors_come_back_with_the_server(
    make_server: Callable[..., Server], people: Callable[..., Person], shell: Shell
) -> None:
    server = make_server().start()
    person = people(server)
    person.open()
    publish(shell, person)
    server.kill()
    server.start()
    shell(person, "cd hello && git commit -q --allow-empty -m x && git push -q")


def test_a_stopped_workspace_gets_a_door_when_it_wakes(shell: Shell, ann: Person) -> None:
    publish(shell, ann)
    ann.ok("POST", "/api/v1/workspaces/main/stop")
    ann.open()
    shell(ann, f"git clone -q /global/{ann.username}/hello w && cd w && "
               "git commit -q --allow-empty -m x && git push -q")  # fmt: skip


def test_shared_files_are_everybodys_to_read(shell: Shell, ann: Person, bob: Person) -> None:
    said = shell(ann, "echo data > table.csv && rootblood-share table.csv --as numbers/table.csv"
                      " 2>&1 || rootblood-share --as numbers/table.csv table.csv")  # fmt: skip
    path = f"/global/{ann.username}/share/numbers/table.csv"
    assert path in said
    assert shell(bob, f"cat {path}") == "data\n"
    assert "  numbers/table.csv\n" in shell(ann, "rootblood-share --list")
    shell(ann, "rootblood-share --delete numbers/table.csv")
    shell(bob, f"test ! -e {path}")
    for name in ("../x", ".hidden", "a/../../x"):
        assert "name for a shared file" in shell(
            ann, f"rootblood-share --as {shlex.quote(name)} table.csv 2>&1", fails=True
        )


def test_no_way_leads_from_a_workspace_to_the_servers_port(
    shell: Shell, ann: Person, server: Server
) -> None:
    script = f"curl -s -m 3 http://$(ip route | awk '/default/ {{print $3}}'):{server.port}/healthz"
    shell(ann, script, fails=True)


def test_the_servers_git_reads_nothing_of_a_workspace(
    shell: Shell, ann: Person, server: Server
) -> None:
    publish(shell, ann)
    owners = {path.stat().st_uid for path in (server.data_dir / "commons" / "global").rglob("*")}
    assert len(owners) == 1
    assert Path(server.data_dir / "commons").stat().st_uid == 0
