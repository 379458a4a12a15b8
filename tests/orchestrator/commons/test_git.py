"""How git runs: as whom, with what, how long and how much."""

import os
import struct
import subprocess
import time
import zlib
from hashlib import sha1
from pathlib import Path

import pytest

from orchestrator.commons.git import Git, GitFailed, TookTooLong, TooLarge
from orchestrator.commons.store import Store
from tests.orchestrator.commons.conftest import HELLO, UID

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs git as another user")


@pytest.fixture
def repository(store: Store) -> Path:
    return store.create(HELLO, private=False)


def alias(program: str) -> tuple[str, ...]:
    """Arguments that make git run a shell command in its own confinement."""
    return "-c", f"alias.try=!{program}", "try"


@as_root
def test_git_runs_as_its_own_user_without_groups_or_new_privileges(
    store: Store, repository: Path
) -> None:
    status = store.git.text(repository, *alias("cat /proc/self/status"))
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(fields["Uid"].split()) == set(fields["Gid"].split()) == {str(UID)}
    assert fields["Groups"].strip() == ""
    assert fields["NoNewPrivs"] == "1"
    assert int(fields["CapEff"], 16) == 0


def test_nobodys_environment_or_configuration_reaches_git(
    store: Store, repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Mallory\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("ROOTBLOOD_SECRET", "x")
    with pytest.raises(GitFailed):
        store.git.run(repository, "config", "user.name")
    assert "ROOTBLOOD" not in store.git.text(repository, *alias("env"))


def test_no_transport_but_the_named_ones_is_used(store: Store, repository: Path) -> None:
    for url in ("ext::sh -c id", "file:///etc", "http://127.0.0.1:1/", "ssh://x/y"):
        with pytest.raises(GitFailed, match="not allowed"):
            store.git.run(repository, "ls-remote", "--", url)


def test_hooks_of_a_repository_never_run(store: Store, repository: Path, tmp_path: Path) -> None:
    hook = repository / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    mark = repository / "ran"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    tree = store.git.text(repository, "mktree")
    made = store.git.run(
        repository, "commit-tree", tree, "-m", "x",
        environment={f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER")
                     for what in ("NAME", "EMAIL")},
    )  # fmt: skip
    store.git.run(repository, "update-ref", "refs/heads/main", made.decode().strip())
    assert not mark.exists()


def test_git_runs_in_no_folder_of_ours_and_others_may_read_what_it_makes(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    mask = os.umask(0o077)
    try:
        assert store.git.text(None, *alias("pwd; umask")) == "/\n0022"
        assert str(tmp_path) not in store.git.text(None, *alias("env"))
    finally:
        os.umask(mask)


def test_a_failure_carries_what_git_said(store: Store, repository: Path) -> None:
    with pytest.raises(GitFailed) as failed:
        store.git.run(repository, "rev-parse", "--verify", "--end-of-options", "nowhere")
    assert failed.value.code == 128
    assert "fatal" in failed.value.stderr


def test_output_is_bounded(store: Store, repository: Path) -> None:
    with pytest.raises(TooLarge):
        store.git.run(repository, *alias("head -c 100000 /dev/zero"), most=99_999)


def test_time_is_bounded(store: Store, repository: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(TookTooLong):
        store.git.run(repository, *alias("sleep 60"), seconds=0.2)
    assert time.monotonic() - begin < 10


def test_a_large_input_and_a_large_output_do_not_wait_for_each_other(
    store: Store, repository: Path
) -> None:
    data = b"x" * (4 << 20)
    assert store.git.run(repository, *alias("cat"), stdin=data) == data


def test_closing_a_stream_ends_git_and_its_children(store: Store, repository: Path) -> None:
    stream = store.git.stream(repository, *alias("echo $$; sleep 600"))
    pid = int(next(stream))
    stream.close()
    assert not Path(f"/proc/{pid}").exists() or _is_dead(pid)


def _is_dead(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return state.strip()[:1] in ("", "Z")


def test_a_server_without_root_runs_git_as_itself(tmp_path: Path) -> None:
    git = Git()
    git.run(None, "init", "--bare", "--quiet", str(tmp_path / "x.git"))
    assert git.text(tmp_path / "x.git", "rev-parse", "--is-bare-repository") == "true"


def bomb(unfolded: int) -> bytes:
    """Return a pack of some KiB whose one delta unfolds to so many MiB."""

    def size(number: int) -> bytes:
        low = bytes([number & 127 | (128 if number > 127 else 0)])
        return low + (size(number >> 7) if number > 127 else b"")

    def head(kind: int, number: int) -> bytes:
        more = number >> 4
        return bytes([kind << 4 | number & 15 | (128 if more else 0)]) + (
            size(more) if more else b""
        )

    base = bytes(1 << 20)
    copy = b"\xc0\x10"  # of 0x100000 bytes from the beginning: gitformat-pack(5)
    delta = size(len(base)) + size(unfolded << 20) + copy * unfolded
    base_id = sha1(b"blob %d\0" % len(base) + base, usedforsecurity=False).digest()
    pack = (
        b"PACK" + struct.pack(">II", 2, 2) + head(3, len(base)) + zlib.compress(base)
        + head(7, len(delta)) + base_id + zlib.compress(delta)
    )  # fmt: skip
    return pack + sha1(pack, usedforsecurity=False).digest()


def test_what_unfolds_to_more_than_its_memory_ends_git(store: Store, repository: Path) -> None:
    assert len(bomb(4096)) < 4096
    store.git.run(repository, "unpack-objects", "-q", stdin=bomb(2))
    for program in (("unpack-objects", "-q"), ("index-pack", "--stdin")):
        with pytest.raises(GitFailed, match="emory"):
            store.git.run(repository, *program, stdin=bomb(4096))


def test_a_stream_ends_in_time(store: Store, repository: Path) -> None:
    stream = store.git.stream(repository, *alias("echo begun; sleep 1000"), seconds=0.5)
    assert next(stream) == b"begun\n"
    with pytest.raises(GitFailed):
        next(stream)
