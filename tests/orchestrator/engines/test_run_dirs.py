import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.engines.run_dirs import RunDirs, UnsafeSocketError
from orchestrator.errors import EngineError
from tests.orchestrator.engines.containers import OWNER

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts and changes owners: needs root"),
]
NAME = "rb-x-main"


@pytest.fixture
def run_dirs(tmp_path: Path) -> Iterator[RunDirs]:
    made = RunDirs(tmp_path / "run")
    made.make(NAME, OWNER)
    yield made
    for path in (tmp_path / "run").glob("rb-*"):
        made.remove(path.name)


@contextmanager
def serving(path: Path, *, owner: tuple[int, int] = OWNER) -> Iterator[socket.socket]:
    """Listen on a unix socket that belongs to ``owner``."""
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(path.parent, os.O_PATH)
        try:
            listener.bind(f"/proc/self/fd/{here}/{path.name}")  # however long the path is
        finally:
            os.close(here)
        listener.listen()
        listener.settimeout(5)
        os.chown(path, *owner)
        yield listener


def mounts_on(path: Path) -> list[list[str]]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split() for line in lines if line.split()[4] == str(path)]


def test_the_directory_is_its_owners_alone(run_dirs: RunDirs) -> None:
    found = run_dirs.path(NAME).stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (*OWNER, 0o700)


def test_it_is_a_small_filesystem_of_its_own(run_dirs: RunDirs) -> None:
    ((*_, options, kind, _, limits),) = [
        [*line[5:6], line[-3], line[-2], line[-1]] for line in mounts_on(run_dirs.path(NAME))
    ]
    assert kind == "tmpfs"
    assert {"nosuid", "nodev", "noexec"} <= set(options.split(","))
    assert {"size=256k", "nr_inodes=64"} <= set(limits.split(","))


def test_making_it_again_keeps_what_is_in_it(run_dirs: RunDirs) -> None:
    (run_dirs.path(NAME) / "kept").touch()
    run_dirs.make(NAME, OWNER)
    assert (run_dirs.path(NAME) / "kept").exists()


def test_making_it_at_once_mounts_once(run_dirs: RunDirs, tmp_path: Path) -> None:
    others = [RunDirs(tmp_path / "run") for _ in range(20)]
    threads = [threading.Thread(target=one.make, args=("rb-y", OWNER)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mounts_on(run_dirs.path("rb-y"))) == 1


def test_making_it_after_a_reboot_mounts_again(run_dirs: RunDirs, tmp_path: Path) -> None:
    (tmp_path / "run" / "rb-left").mkdir()  # the directory outlived its mount
    run_dirs.make("rb-left", OWNER)
    assert len(mounts_on(tmp_path / "run" / "rb-left")) == 1


def test_a_new_owner_takes_over(run_dirs: RunDirs) -> None:
    run_dirs.make(NAME, (30001, 30002))
    found = run_dirs.path(NAME).stat()
    assert (found.st_uid, found.st_gid) == (30001, 30002)


def test_removing_unmounts_and_absent_is_success(run_dirs: RunDirs) -> None:
    path = run_dirs.path(NAME)
    (path / "file").touch()
    run_dirs.remove(NAME)
    assert not path.exists()
    assert mounts_on(path) == []
    run_dirs.remove(NAME)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", ".lock"])
def test_a_name_is_one_path_component(run_dirs: RunDirs, name: str) -> None:
    with pytest.raises(EngineError):
        run_dirs.make(name, OWNER)
    with pytest.raises(EngineError):
        run_dirs.remove(name)


class TestConnect:
    def test_reaches_the_owners_socket(self, run_dirs: RunDirs) -> None:
        with serving(run_dirs.path(NAME) / "a.sock") as listener:
            client = run_dirs.connect(NAME, "a.sock", OWNER[0])
            server, _ = listener.accept()
            with client, server:
                client.sendall(b"hello")
                assert server.recv(10) == b"hello"
                assert client.gettimeout() is None

    def test_reaches_beyond_the_limit_on_a_sockets_path(self, tmp_path: Path) -> None:
        deep = RunDirs(tmp_path / ("d" * 120))
        path = deep.make(NAME, OWNER)
        try:
            assert len(str(path / "a.sock")) > 108
            with serving(path / "a.sock"):
                deep.connect(NAME, "a.sock", OWNER[0]).close()
        finally:
            deep.remove(NAME)

    def test_does_not_follow_a_link(self, run_dirs: RunDirs, tmp_path: Path) -> None:
        # The engine's own socket in miniature: even one of the very owner is out of bounds.
        with serving(tmp_path / "engine.sock") as listener:
            (run_dirs.path(NAME) / "a.sock").symlink_to(tmp_path / "engine.sock")
            listener.settimeout(0)
            with pytest.raises(UnsafeSocketError):
                run_dirs.connect(NAME, "a.sock", OWNER[0])
            with pytest.raises(BlockingIOError):
                listener.accept()

    def test_does_not_follow_a_linked_directory(self, run_dirs: RunDirs, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        with serving(elsewhere / "a.sock"):
            (tmp_path / "run" / "rb-link").symlink_to(elsewhere)
            with pytest.raises(NotADirectoryError):
                run_dirs.connect("rb-link", "a.sock", OWNER[0])
            (tmp_path / "run" / "rb-link").unlink()

    def test_refuses_a_file_name_with_a_way_out(self, run_dirs: RunDirs) -> None:
        outside = run_dirs.path(NAME).parent / "out.sock"
        with serving(outside), pytest.raises(FileNotFoundError):
            run_dirs.connect(NAME, "../out.sock", OWNER[0])
        outside.unlink()

    @pytest.mark.parametrize("kind", ["fifo", "file", "directory", "device"])
    @pytest.mark.timeout(10)
    def test_refuses_what_is_no_socket_without_waiting(self, run_dirs: RunDirs, kind: str) -> None:
        path = run_dirs.path(NAME) / "a.sock"
        match kind:
            case "fifo":
                os.mkfifo(path)
            case "file":
                path.touch()
            case "directory":
                path.mkdir()
            case "device":
                os.mknod(path, 0o20666, os.makedev(1, 3))
        os.chown(path, *OWNER)
        with pytest.raises(UnsafeSocketError):
            run_dirs.connect(NAME, "a.sock", OWNER[0])

    def test_refuses_somebody_elses_socket(self, run_dirs: RunDirs) -> None:
        path = run_dirs.path(NAME) / "a.sock"
        with serving(path, owner=(0, 0)), pytest.raises(UnsafeSocketError):
            run_dirs.connect(NAME, "a.sock", OWNER[0])

    def test_connects_to_what_it_checked_though_the_name_is_swapped(
        self, run_dirs: RunDirs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = run_dirs.path(NAME) / "a.sock"
        with serving(tmp_path / "engine.sock") as forbidden, serving(path) as listener:
            forbidden.settimeout(0)
            check = os.fstat

            def check_then_swap(descriptor: int) -> os.stat_result:
                found = check(descriptor)
                path.unlink()
                path.symlink_to(tmp_path / "engine.sock")
                return found

            monkeypatch.setattr(os, "fstat", check_then_swap)
            client = run_dirs.connect(NAME, "a.sock", OWNER[0])
            monkeypatch.undo()
            server, _ = listener.accept()
            with client, server, pytest.raises(BlockingIOError):
                forbidden.accept()

    def test_a_swapping_user_never_gets_through(self, run_dirs: RunDirs, tmp_path: Path) -> None:
        """The race itself, thousands of times: the name is a socket, a link, a socket, ..."""
        directory = run_dirs.path(NAME)
        (directory / "link").symlink_to(tmp_path / "engine.sock")
        with (
            serving(tmp_path / "engine.sock") as forbidden,
            serving(directory / "good") as good,
        ):
            forbidden.settimeout(0)
            good.settimeout(0)
            stop = threading.Event()

            def swap() -> None:
                while not stop.is_set():
                    for source in ("link", "good"):
                        os.link(directory / source, directory / "next", follow_symlinks=False)
                        os.replace(directory / "next", directory / "a.sock")

            swapper = threading.Thread(target=swap)
            swapper.start()
            outcomes = set()
            try:
                for _ in range(3000):
                    try:
                        run_dirs.connect(NAME, "a.sock", OWNER[0]).close()
                        good.accept()[0].close()
                        outcomes.add("connected")
                    except UnsafeSocketError:
                        outcomes.add("refused")
                    except FileNotFoundError:
                        pass
            finally:
                stop.set()
                swapper.join()
            assert outcomes == {"connected", "refused"}, "the race took place"
            with pytest.raises(BlockingIOError):
                forbidden.accept()


class TestListen:
    def test_the_socket_is_the_owners_and_is_ours_to_accept_on(self, run_dirs: RunDirs) -> None:
        with run_dirs.listen(NAME, "door.sock", OWNER) as listener:
            found = (run_dirs.path(NAME) / "door.sock").stat()
            assert (found.st_uid, found.st_gid) == OWNER
            assert found.st_mode & 0o777 == 0o600
            with run_dirs.connect(NAME, "door.sock", OWNER[0]) as client:
                accepted, _ = listener.accept()
                accepted.sendall(b"x")
                accepted.close()
                assert client.recv(1) == b"x"

    def test_a_link_in_its_place_is_replaced_and_not_followed(
        self, run_dirs: RunDirs, tmp_path: Path
    ) -> None:
        precious = tmp_path / "precious"
        precious.write_text("kept")
        before = precious.stat()
        (run_dirs.path(NAME) / "door.sock").symlink_to(precious)
        (run_dirs.path(NAME) / "secret").symlink_to(precious)
        run_dirs.listen(NAME, "door.sock", OWNER).close()
        run_dirs.write(NAME, "secret", b"s", OWNER)
        assert precious.read_text() == "kept"
        assert precious.stat() == before
        assert not (run_dirs.path(NAME) / "secret").is_symlink()

    def test_a_written_file_is_the_owners_alone_and_leaves_nothing_beside_it(
        self, run_dirs: RunDirs
    ) -> None:
        run_dirs.write(NAME, "secret", b"one", OWNER)
        run_dirs.write(NAME, "secret", b"two", OWNER)
        path = run_dirs.path(NAME) / "secret"
        assert path.read_bytes() == b"two"
        assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (OWNER[0], 0o600)
        assert [entry.name for entry in path.parent.iterdir()] == ["secret"]

    def test_a_full_directory_is_an_error_that_leaves_nothing(self, run_dirs: RunDirs) -> None:
        with pytest.raises(OSError, match="No space"):
            run_dirs.write(NAME, "secret", b"x" * (1 << 20), OWNER)
        assert not any(run_dirs.path(NAME).iterdir())

    def test_what_lies_there_is_told_apart(self, run_dirs: RunDirs) -> None:
        assert run_dirs.identity(NAME, "door.sock") is None
        with run_dirs.listen(NAME, "door.sock", OWNER):
            first = run_dirs.identity(NAME, "door.sock")
            with run_dirs.listen(NAME, "door.sock", OWNER):
                assert run_dirs.identity(NAME, "door.sock") not in (None, first)
        assert run_dirs.identity("rb-absent-main", "door.sock") is None
