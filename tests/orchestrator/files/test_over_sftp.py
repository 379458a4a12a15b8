"""Files of a container: what one can do with them, and that it is what the user's shell can."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.engines.docker import DockerEngine
from orchestrator.errors import (
    AlreadyExists,
    BadInput,
    Changed,
    Conflict,
    EngineError,
    Forbidden,
    NotAFile,
    NotAFolder,
    NotFound,
    WorkspaceStopped,
)
from orchestrator.files import Entry, Type
from orchestrator.files.over_sftp import LEFT_SECONDS, TEMPORARY, SftpFiles
from orchestrator.files.pool import Pool
from orchestrator.files.reading import HASHED_BYTES_MAX
from orchestrator.files.sftp import Client
from tests.orchestrator.engines.containers import eventually
from tests.orchestrator.files.conftest import HOME, Shell

pytestmark = pytest.mark.engine

LARGE = HASHED_BYTES_MAX + (1 << 20) + 7


def content(files: SftpFiles, path: str) -> bytes:
    opened = files.open(f"{HOME}/{path}")
    try:
        return b"".join(opened.read(0, opened.size))
    finally:
        opened.close()


def etag(files: SftpFiles, path: str) -> str:
    opened = files.open(f"{HOME}/{path}")
    opened.close()
    return opened.etag


def listed(files: SftpFiles, path: str = HOME) -> dict[str, Entry]:
    return {one.name: one for one in files.listed(path, most=1000).entries}


def test_a_folder_is_listed_as_it_is(files: SftpFiles, shell: Shell) -> None:
    shell("echo hello > file; chmod 640 file; mkdir -m 750 folder; mkfifo pipe; "
          "ln -s folder link; ln -s nowhere dangling; ln -s loop loop; ln -s pipe piped; "
          "touch -d @1000 file")  # fmt: skip
    found = listed(files)
    assert found["file"] == Entry("file", Type.FILE, 6, 1000, 0o640)
    assert (found["folder"].type, found["folder"].mode) == (Type.FOLDER, 0o750)
    assert found["pipe"].type is Type.OTHER
    links = {name: one.target for name, one in found.items() if one.type is Type.LINK}
    assert links == {"link": Type.FOLDER, "dangling": None, "loop": None, "piped": Type.OTHER}
    assert files.look(f"{HOME}/link").target is Type.FOLDER
    assert listed(files, f"{HOME}/link") == {}


def test_a_folder_with_very_many_entries_is_cut_off(files: SftpFiles, shell: Shell) -> None:
    shell("seq -f 'n%g' 2345 | xargs touch")
    whole = files.listed(HOME, most=2345)
    assert (len({one.name for one in whole.entries}), whole.truncated) == (2345, False)
    cut = files.listed(HOME, most=2344)
    assert (len(cut.entries), cut.truncated) == (2344, True)


def test_only_folders_are_listed(files: SftpFiles, shell: Shell) -> None:
    shell("touch file; mkfifo pipe; mkdir -m 000 sealed")
    for name, error in (("file", NotAFolder), ("pipe", NotAFolder), ("absent", NotFound),
                        ("sealed", Forbidden), ("file/below", NotFound)):  # fmt: skip
        with pytest.raises(error):
            files.listed(f"{HOME}/{name}", most=10)


@pytest.mark.parametrize("size", [0, 1, 261_120, (1 << 20) + 1, LARGE])
def test_what_is_written_is_what_is_read(files: SftpFiles, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    written = files.write(f"{HOME}/file", [data[: size // 3], b"", data[size // 3 : size]])
    assert (written.created, written.entry.size) == (True, size)
    assert content(files, "file") == data[:size]
    assert etag(files, "file") == written.etag
    opened = files.open(f"{HOME}/file")
    assert b"".join(opened.read(size // 2, size // 4)) == data[:size][size // 2 :][: size // 4]
    opened.close()


def test_what_proc_has_is_read_though_it_says_that_it_is_empty(files: SftpFiles) -> None:
    opened = files.open("/proc/self/status")
    assert b"sftp-server" in b"".join(opened.read(0, opened.size))


def test_etags_follow_the_content(files: SftpFiles, shell: Shell) -> None:
    """Also where the size and the second stay the same."""
    shell("echo one > file; touch -d @1000 file")
    first = etag(files, "file")
    shell("echo two > file; touch -d @1000 file")
    assert etag(files, "file") != first
    shell("echo one > file")
    assert etag(files, "file") == first


def test_a_file_keeps_its_mode_and_owner(files: SftpFiles, shell: Shell) -> None:
    shell("touch program plain; chmod 4751 program; umask 027; touch ours")
    for name in ("program", "new"):
        files.write(f"{HOME}/{name}", [b"x"])
    assert shell("stat -c '%n %a %u' program new") == "program 4751 20001\nnew 644 20001\n"


def test_a_link_is_written_through(files: SftpFiles, shell: Shell) -> None:
    shell("mkdir other; echo old > other/target; ln -s other/target link; ln -s other/new fresh")
    assert not files.write(f"{HOME}/link", [b"new"]).created
    assert files.write(f"{HOME}/fresh", [b"fresh"]).created
    assert shell("readlink link fresh; cat other/target other/new") == (
        "other/target\nother/new\nnewfresh"
    )


def test_what_the_shell_may_not_the_files_may_not(files: SftpFiles, shell: Shell) -> None:
    shell("echo secret > closed; chmod 000 closed; echo x > fixed; chmod 444 fixed; "
          "mkdir sealed; echo x > sealed/in; chmod 500 sealed; ln -s /etc/shadow shadow; "
          "ln -s /etc/passwd passwd")  # fmt: skip
    for path in ("closed", "shadow"):
        with pytest.raises(Forbidden):
            files.open(f"{HOME}/{path}")
    assert b"root:" in content(files, "passwd")  # which a shell may read, too
    for path in ("fixed", "closed", "sealed/new", "passwd", "shadow"):
        with pytest.raises((Forbidden, EngineError)):
            files.write(f"{HOME}/{path}", [b"x"])
    for path in ("sealed/in", "/etc/passwd", "/"):
        with pytest.raises((Forbidden, Conflict, BadInput)):
            files.remove(path if path.startswith("/") else f"{HOME}/{path}")
    assert shell("cat fixed sealed/in; ls -A | grep -c '^.rootblood' || true") == "x\nx\n0\n"


def test_writing_needs_the_etag_of_what_is_there(files: SftpFiles) -> None:
    first = files.write(f"{HOME}/file", [b"one"]).etag
    second = files.write(f"{HOME}/file", [b"two"], if_match=[first]).etag
    with pytest.raises(Changed) as caught:
        files.write(f"{HOME}/file", [b"three"], if_match=[first])
    assert caught.value.etag == second
    with pytest.raises(Changed) as caught:
        files.write(f"{HOME}/file", [b"three"], only_new=True)
    assert caught.value.etag == second
    for tags in (["*"], [first]):
        with pytest.raises(Changed) as caught:
            files.write(f"{HOME}/absent", [b"three"], if_match=tags)
        assert caught.value.etag == ""
    files.write(f"{HOME}/file", [b"three"], if_match=["*"])
    files.write(f"{HOME}/new", [b"new"], only_new=True)
    assert set(listed(files)) == {"file", "new"}
    assert content(files, "file") == b"three"


def test_a_change_while_the_body_comes_is_noticed(files: SftpFiles, shell: Shell) -> None:
    before = files.write(f"{HOME}/file", [b"before"]).etag

    def body(script: str) -> Iterator[bytes]:
        yield b"mine"
        shell(script)

    with pytest.raises(Changed):
        files.write(f"{HOME}/file", body("echo theirs > file"), if_match=[before])
    with pytest.raises(Changed):
        files.write(f"{HOME}/new", body("echo theirs > new"), only_new=True)
    assert shell("cat file new") == "theirs\ntheirs\n"
    assert set(listed(files)) == {"file", "new"}


def test_a_body_that_breaks_off_changes_nothing(files: SftpFiles) -> None:
    files.write(f"{HOME}/file", [b"before"])

    def body() -> Iterator[bytes]:
        yield b"x" * (2 << 20)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        files.write(f"{HOME}/file", body())
    assert content(files, "file") == b"before"
    assert list(listed(files)) == ["file"]


def test_folders_are_made(files: SftpFiles, shell: Shell) -> None:
    files.make_folder(f"{HOME}/a/b/c", parents=True)
    files.make_folder(f"{HOME}/a/b/c", parents=True)
    shell("echo > file")
    for path, error in (("a", AlreadyExists), ("file", AlreadyExists), ("no/where", NotFound)):
        with pytest.raises(error):
            files.make_folder(f"{HOME}/{path}")
    with pytest.raises((AlreadyExists, NotFound)):
        files.make_folder(f"{HOME}/file/below", parents=True)
    with pytest.raises(Conflict, match="read-only"):
        files.make_folder("/etc/mine")


def test_moving_and_copying(files: SftpFiles, shell: Shell) -> None:
    shell("mkdir -p tree/deep; echo 1 > tree/deep/one; ln -s deep tree/link; mkfifo tree/pipe; "
          "chmod 751 tree/deep; echo old > old; echo new > new")  # fmt: skip
    files.move(f"{HOME}/tree", f"{HOME}/moved")
    files.copy(f"{HOME}/moved", f"{HOME}/copied")
    assert shell("readlink copied/link; cat copied/deep/one; stat -c %a copied/deep; "
                 "test -p copied/pipe; ls") == (
        "deep\n1\n751\ncopied\nmoved\nnew\nold\n"
    )  # fmt: skip
    for change in (files.move, files.copy):
        with pytest.raises(AlreadyExists):
            change(f"{HOME}/new", f"{HOME}/old")
        with pytest.raises(AlreadyExists):
            change(f"{HOME}/moved", f"{HOME}/copied")
        with pytest.raises(NotFound):
            change(f"{HOME}/absent", f"{HOME}/x")
        with pytest.raises(NotFound):
            change(f"{HOME}/new", f"{HOME}/no/where")
        with pytest.raises(BadInput):
            change(f"{HOME}/moved", f"{HOME}/moved/inside")
        with pytest.raises(Forbidden):
            change(f"{HOME}/new", "/etc/mine")
        change(f"{HOME}/new", f"{HOME}/new")
    with pytest.raises(Conflict):
        files.move(f"{HOME}/moved", f"{HOME}/copied", overwrite=True)
    files.copy(f"{HOME}/new", f"{HOME}/old", overwrite=True)
    assert content(files, "old") == b"new\n"
    files.move(f"{HOME}/new", f"{HOME}/old", overwrite=True)
    assert set(listed(files)) == {"copied", "moved", "old"}


def test_a_move_reaches_another_file_system(files: SftpFiles, shell: Shell) -> None:
    shell("mkdir tree; echo 1 > tree/one; echo 2 > /dev/shm/there")
    files.move(f"{HOME}/tree", "/dev/shm/tree")
    assert shell("cat /dev/shm/tree/one; ls") == "1\n"
    with pytest.raises(AlreadyExists):
        files.move("/dev/shm/tree/one", "/dev/shm/there")


def test_removing(files: SftpFiles, shell: Shell) -> None:
    shell("mkdir -p full/deep empty kept; echo 1 > full/deep/one; echo 1 > kept/one; "
          "ln -s ../kept full/link; ln -s kept link; ln -s loop loop; mkfifo pipe")  # fmt: skip
    with pytest.raises(Conflict):
        files.remove(f"{HOME}/full")
    for name in ("empty", "link", "loop", "pipe"):
        files.remove(f"{HOME}/{name}")
    files.remove(f"{HOME}/full", recursive=True)
    assert shell("ls; cat kept/one") == "kept\n1\n"
    with pytest.raises(NotFound):
        files.remove(f"{HOME}/full", recursive=True)
    for path in (HOME, "/tmp", "/"):
        with pytest.raises(BadInput):
            files.remove(path, recursive=True)


def test_a_workspace_that_stops_is_no_place_any_more(
    files: SftpFiles, pool: Pool, docker_engine: DockerEngine
) -> None:
    files.write(f"{HOME}/file", [b"x"])
    docker_engine.stop(pool.container, grace=0.0)
    with pytest.raises(WorkspaceStopped):
        files.listed(HOME, most=10)
    assert not pool.live


def test_only_ordinary_files_are_read_and_written(files: SftpFiles, shell: Shell) -> None:
    shell("mkfifo pipe; mkdir folder; ln -s pipe piped; "
          "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")'")  # fmt: skip
    odd = ["pipe", "piped", "folder", "socket"]
    for path in [*(f"{HOME}/{name}" for name in odd), "/dev/zero", "/dev/tty", "/dev/stdin"]:
        with pytest.raises(NotAFile):
            files.open(path)
        with pytest.raises(NotAFile):
            files.write(path, [b"x"])
    assert not [name for name in listed(files) if name.startswith(TEMPORARY)]


def test_what_a_cut_off_write_has_left_is_removed(files: SftpFiles, shell: Shell) -> None:
    """Whoever wrote it may have been killed; what is still written to, and all else, stays."""
    left, fresh = (f"{TEMPORARY}{digit * 16}" for digit in "ab")
    kept = [fresh, f"{TEMPORARY}notes", f"x{left}", left + "0"]
    long_ago = int(time.time()) - LEFT_SECONDS - 60
    shell(f"touch {fresh}; mkdir {TEMPORARY}{'c' * 16}; "
          f"touch -d @{long_ago} {left} {' '.join(kept[1:])}")  # fmt: skip
    assert left in listed(files)
    eventually(lambda: left not in listed(files))
    assert set(listed(files)) == {*kept, f"{TEMPORARY}{'c' * 16}"}


def test_what_was_written_is_on_the_disk(files: SftpFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content before it has its name, and the name a moment later."""
    done: list[str] = []
    for what in ("sync", "replace"):
        real = getattr(Client, what)

        def noted(self: Client, *given: object, real: Any = real, what: str = what) -> None:
            real(self, *given)
            done.append(what)

        monkeypatch.setattr(Client, what, noted)
    files.write(f"{HOME}/file", [b"x"])
    eventually(lambda: done == ["sync", "replace", "sync"])
