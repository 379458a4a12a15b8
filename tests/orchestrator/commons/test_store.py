"""Where repositories lie, and that they come and go whole."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from orchestrator.commons.names import RepoName
from orchestrator.commons.space import prepare, unmount
from orchestrator.commons.store import STALE_SECONDS, Store
from tests.orchestrator.commons.conftest import HELLO, UID

COPY = RepoName("bob", "copy")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_public_repository_can_be_read_by_everybody(store: Store) -> None:
    path = store.create(HELLO, private=False)
    assert path == store.public / "alice" / "hello.git"
    for directory in (store.root, store.public, path.parent, path, path / "objects"):
        assert mode(directory) & 0o001, directory
    assert mode(path / "HEAD") & 0o004


def test_a_private_repository_lies_where_nobody_else_reaches_it(store: Store) -> None:
    path = store.create(HELLO, private=True)
    assert path == store.private / "alice" / "hello.git"
    assert mode(path.parent) == 0o700
    assert not store.path(HELLO, private=False).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_all_of_it_is_gits(store: Store) -> None:
    path = store.create(HELLO, private=False)
    owners = {file.stat().st_uid for file in (path.parent, path, *path.rglob("*"))}
    assert owners == {UID}


def test_changing_who_may_see_it_moves_it_with_all_it_holds(store: Store) -> None:
    path = store.create(HELLO, private=False)
    (path / "description").write_text("kept")
    moved = store.move(HELLO, private=False, to_private=True)
    assert (moved / "description").read_text() == "kept"
    assert not path.exists()
    assert store.move(HELLO, private=False, to_private=True) == moved, "once more changes nothing"


def test_who_stands_in_a_repository_that_is_hidden_gets_no_further(store: Store) -> None:
    path = store.create(HELLO, private=False)
    (path / "objects" / "ab").mkdir()
    hidden = store.move(HELLO, private=False, to_private=True)
    directories = [hidden, *(found for found in hidden.rglob("*") if found.is_dir())]
    assert {mode(directory) for directory in directories} == {0o700}
    shown = store.move(HELLO, private=True, to_private=False)
    directories = [shown, *(found for found in shown.rglob("*") if found.is_dir())]
    assert {mode(directory) for directory in directories} == {0o755}


def test_a_fork_shares_objects_and_remembers_no_origin(store: Store) -> None:
    origin = store.create(HELLO, private=False)
    tree = store.git.text(origin, "mktree")  # of nothing
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    commit = store.git.text(origin, *identity, "commit-tree", "-m", "Begin", tree)
    store.git.run(origin, "update-ref", "refs/heads/main", commit)
    fork = store.fork(HELLO, COPY, source_private=False, private=False)
    ids = {file.stat().st_ino for file in origin.glob("objects/??/*")}
    assert ids
    assert {file.stat().st_ino for file in fork.glob("objects/??/*")} == ids
    assert "origin" not in (fork / "config").read_text()
    assert not (fork / "objects" / "info" / "alternates").exists()
    store.delete(HELLO, private=False)
    assert store.git.text(fork, "fsck", "--strict") == ""


def test_a_leftover_of_the_name_is_replaced(store: Store) -> None:
    left = store.public / "alice" / "hello.git"
    left.mkdir(parents=True)
    (left / "rubbish").touch()
    assert not (store.create(HELLO, private=False) / "rubbish").exists()


def test_what_is_deleted_or_given_up_leaves_nothing(store: Store) -> None:
    store.create(HELLO, private=False)
    store.delete(HELLO, private=False)
    store.delete(HELLO, private=False)
    with pytest.raises(ZeroDivisionError), store.workplace():
        _ = 1 / 0
    assert [*store.public.glob("alice/*"), *store.private.glob(".*")] == []


def test_size_counts_every_file(store: Store) -> None:
    path = store.create(HELLO, private=False)
    before = store.size(HELLO, private=False)
    (path / "more").write_bytes(b"x" * 12345)
    assert store.size(HELLO, private=False) == before + 12345


def test_what_a_killed_git_left_is_tidied_once_it_is_old(store: Store) -> None:
    path = store.create(HELLO, private=False)
    arrived = path / "objects" / "tmp_objdir-incoming-x" / "pack"
    arrived.mkdir(parents=True)
    locks = [path / "HEAD.lock", path / "refs" / "heads" / "main.lock"]
    for lock in locks:
        lock.touch()
    store.tidy(path)
    assert all(left.exists() for left in (arrived, *locks)), "somebody may be at work"
    old = path.stat().st_mtime - 2 * STALE_SECONDS
    for left in (arrived, arrived.parent, *locks):
        os.utime(left, (old, old))
    store.tidy(path)
    assert not arrived.parent.exists()
    assert not any(lock.exists() for lock in locks)


def test_shared_files_appear_whole_and_vanish_with_their_directories(store: Store) -> None:
    for content in ("one", "two"):
        fresh = store.private / ".new-file"
        fresh.write_text(content)
        store.publish(fresh, "alice", Path("a/b/c.txt"))
    shared = store.share("alice") / "a" / "b" / "c.txt"
    assert (shared.read_text(), mode(shared)) == ("two", 0o644)
    assert store.withdraw("alice", Path("a/b/c.txt"))
    assert not store.withdraw("alice", Path("a/b/c.txt"))
    assert not store.share("alice").exists()


def test_the_commons_of_an_older_server_is_taken_over(tmp_path: Path) -> None:
    old = tmp_path / "global" / "rootblood"
    old.mkdir(parents=True)
    (old / "mark").touch()
    store = prepare(tmp_path / "commons", uid=None, run_root=tmp_path)
    assert (store.public / "rootblood" / "mark").exists()


def test_nothing_is_published_at_first(store: Store) -> None:
    assert [*store.public.iterdir(), *store.private.iterdir()] == []


def test_preparing_again_keeps_everything(store: Store, tmp_path: Path) -> None:
    path = store.create(HELLO, private=False)
    again = prepare(tmp_path / "commons", uid=store.git.uid, run_root=store.root.parent)
    assert again == store
    assert path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_commons_that_was_deleted_under_its_mount_is_made_anew(
    store: Store, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "commons")
    again = prepare(tmp_path / "commons", uid=store.git.uid, run_root=store.root.parent)
    assert again.public.is_dir()
    assert again.root.samefile(tmp_path / "commons")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_the_way_to_the_commons_is_taken_away(store: Store) -> None:
    unmount(store)
    assert not store.root.exists()
    assert (store.origin / "global").is_dir()


def test_no_link_inside_a_repository_leads_the_server_elsewhere(
    store: Store, tmp_path: Path
) -> None:
    path = store.create(HELLO, private=False)
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o751)
    (outside / "file").write_text("kept")
    (path / "objects" / "link").symlink_to(outside)
    (path / "rootblood-id").symlink_to(outside / "file")
    store.mark(path, 7)
    store.move(HELLO, private=False, to_private=True)
    assert outside.stat().st_mode & 0o777 == 0o751
    assert (outside / "file").read_text() == "kept"
    assert [mark for _, _, mark in store.places()] == [7]
