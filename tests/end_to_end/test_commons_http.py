"""git over HTTP against the real server: from anywhere, with an API token as the password."""

import os
import secrets
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.person import Person
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until
from tests.orchestrator.commons.git_client import Client

pytestmark = pytest.mark.engine


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


def url(person: Person, name: str, owner: str = "") -> str:
    """Where a person finds a repository, with the token in it."""
    secret = person.header["Authorization"].removeprefix("Bearer ")
    host = person.server.host
    return f"http://{person.username}:{secret}@{host}/git/{owner or person.username}/{name}.git"


def holders(bare: Path) -> list[str]:
    """Return the processes of git that work on a repository."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if process.resolve() in (bare, bare / "objects"):
                found.append(process.parent.name)
    return found


def published(person: Person, client: Client, name: str = "hello") -> tuple[Client, str]:
    """A work tree whose ``main`` is pushed to a repository that the push made."""
    tree = client.init(f"{person.username}-{name}")
    pushed = tree.commit(README_md="hello\n")
    tree.ok("push", "--quiet", url(person, name), "main")
    return tree, pushed


def test_a_push_creates_a_repository_under_ones_own_name(person: Person, client: Client) -> None:
    _, pushed = published(person, client)
    client.ok("clone", "--quiet", url(person, "hello"), "copy")
    assert client.inside("copy").head() == pushed
    row = person.ok("GET", f"/api/v1/repos/{person.username}/hello")
    assert (row["visibility"], row["default_branch"]) == ("public", "main")


def test_a_refused_first_push_leaves_no_repository(person: Person, client: Client) -> None:
    tree = client.init("tree")
    tree.commit(a="1")
    said = tree.refused("push", url(person, "never"), "main:refs/elsewhere/main")
    assert "cannot be pushed" in said
    assert person.call("GET", f"/api/v1/repos/{person.username}/never").status == 404


def test_nobody_creates_under_anothers_name(
    server: Server, people: Callable[..., Person], client: Client
) -> None:
    ann, bob = people(server), people(server)
    tree = client.init("tree")
    tree.commit(a="1")
    assert "not found" in tree.refused("push", url(bob, "new", ann.username), "main").lower()


def test_a_stranger_is_asked_for_a_password(person: Person, client: Client) -> None:
    published(person, client)
    bare = f"{person.server.url}/git/{person.username}/hello.git"
    assert "could not read Username" in client.refused("clone", bare, "copy")
    wrong = bare.replace("http://", "http://ann:wrong@")
    assert "Authentication failed" in client.refused("clone", wrong, "copy")


def test_a_reader_is_told_why_the_push_is_refused(
    server: Server, people: Callable[..., Person], client: Client
) -> None:
    ann, bob = people(server), people(server)
    tree, _ = published(ann, client)
    client.ok("clone", "--quiet", url(bob, "hello", ann.username), "copy")
    tree.commit(b="2")
    said = tree.refused("push", url(bob, "hello", ann.username), "main")
    assert "403" in said


def test_the_protected_branch_is_not_rewritten(person: Person, client: Client) -> None:
    tree, _ = published(person, client)
    tree.ok("commit", "--quiet", "--amend", "-m", "another past")
    said = tree.refused("push", "--force", url(person, "hello"), "main")
    assert "'main' is protected" in said
    tree.ok("push", "--quiet", "--force", url(person, "hello"), "main:free")


def test_a_push_of_many_megabytes_leaves_the_servers_memory_alone(
    server: Server, person: Person, client: Client
) -> None:
    tree, _ = published(person, client)
    for number in range(4):
        (tree.where / f"noise{number}").write_bytes(secrets.token_bytes(40 << 20))
    tree.commit("Add noise")
    before = server.resident_bytes()
    tree.ok("push", "--quiet", url(person, "hello"), "main")
    client.ok("clone", "--quiet", url(person, "hello"), "copy")
    assert server.resident_bytes() - before < 40 << 20
    assert client.inside("copy").head() == tree.head()


def test_many_push_and_clone_at_once(person: Person, client: Client) -> None:
    published(person, client)

    def work(number: int) -> None:
        client.ok("clone", "--quiet", url(person, "hello"), f"copy{number}")
        tree = client.inside(f"copy{number}")
        tree.commit(**{f"file{number}": "x" * 1000})
        tree.ok("push", "--quiet", url(person, "hello"), f"HEAD:branch{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    heads = client.ok("ls-remote", "--heads", url(person, "hello")).splitlines()
    assert len(heads) == 9


def test_racing_pushes_to_one_branch_let_one_win(person: Person, client: Client) -> None:
    published(person, client)
    trees = []
    for number in range(4):
        client.ok("clone", "--quiet", url(person, "hello"), f"racer{number}")
        trees.append(client.inside(f"racer{number}"))
        trees[-1].commit(**{f"file{number}": f"{number}"})
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda tree: tree.run("push", "origin", "main").returncode, trees))
    assert done.count(0) == 1
    winner = trees[done.index(0)].head()
    assert client.ok("ls-remote", url(person, "hello"), "main").split()[0] == winner


def test_a_server_killed_in_mid_push_corrupts_nothing(
    make_server: Callable[..., Server], people: Callable[..., Person], client: Client
) -> None:
    server = make_server().start()
    person = people(server)
    tree, kept = published(person, client)
    (tree.where / "noise").write_bytes(secrets.token_bytes(150 << 20))
    tree.commit("Add noise")
    bare = server.data_dir / "commons" / "global" / person.username / "hello.git"
    pushing = subprocess.Popen(
        ["git", "push", url(person, "hello"), "main"], cwd=tree.where, stderr=subprocess.DEVNULL
    )
    until(lambda: any(bare.glob("objects/*incoming*")), "objects arrive")
    server.kill()
    assert pushing.wait(60) != 0
    until(lambda: not holders(bare), "git has ended, too")
    check = subprocess.run(
        ["git", "-c", "safe.directory=*", f"--git-dir={bare}", "fsck", "--full", "--strict"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert check.returncode == 0, check.stderr
    assert not list(bare.rglob("*.lock"))
    server.start()
    assert client.ok("ls-remote", url(person, "hello"), "main").split()[0] == kept
    tree.ok("push", "--quiet", url(person, "hello"), "main")


def test_a_crash_in_mid_rename_is_mended_by_the_next_start(
    make_server: Callable[..., Server], people: Callable[..., Person], client: Client
) -> None:
    server = make_server().start()
    person = people(server)
    _, kept = published(person, client)
    server.kill()
    bare = server.data_dir / "commons" / "global" / person.username / "hello.git"
    bare.rename(bare.with_name("renamed.git"))
    server.start()
    assert client.ok("ls-remote", url(person, "hello"), "main").split()[0] == kept
    assert not bare.with_name("renamed.git").exists()


def test_a_client_that_hangs_up_ends_git(person: Person, client: Client) -> None:
    tree, kept = published(person, client)
    (tree.where / "noise").write_bytes(secrets.token_bytes(100 << 20))
    tree.commit("Add noise")
    bare = person.server.data_dir / "commons" / "global" / person.username / "hello.git"
    pushing = subprocess.Popen(
        ["git", "push", url(person, "hello"), "main"], cwd=tree.where, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    until(lambda: any(bare.glob("objects/*incoming*")), "objects arrive")
    os.killpg(pushing.pid, signal.SIGKILL)
    pushing.wait()
    until(lambda: not any(bare.glob("objects/*incoming*")), "git has ended, too")
    assert client.ok("ls-remote", url(person, "hello"), "main").split()[0] == kept
