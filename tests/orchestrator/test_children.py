"""How programs are started beside the server: what they get, and how they end."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL

import pytest

from orchestrator import children
from orchestrator.children import Child
from tests.wire import wait_for

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "GREETING": "hello"}


@contextmanager
def shell(program: str, **where: object) -> Iterator[Child]:
    child = children.start(["sh", "-c", program], ENVIRONMENT, **where)  # type: ignore[arg-type]
    try:
        yield child
    finally:
        child.end()


def everything(child: Child) -> bytes:
    return b"".join(iter(lambda: child.stdout.read(4096), b""))


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    ("program", "code"),
    [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", -signal.SIGKILL)],
)
def test_the_exit_code_is_learned(program: str, code: int) -> None:
    with shell(program) as child:
        assert (child.wait(), child.returncode, child.has_ended()) == (code, code, True)


def test_what_goes_in_comes_out() -> None:
    with shell("cat; echo $GREETING $HOME") as child:
        assert child.stdin is not None
        child.stdin.write(b"one ")
        child.stdin.close()
        assert everything(child) == b"one hello\n"


def test_a_child_leads_a_session_and_heeds_broken_pipes() -> None:
    with shell("cat /proc/$$/stat /proc/$$/status", stdin=DEVNULL) as child:
        said = everything(child).decode()
    assert said.rpartition(")")[0]
    assert said.split(") ")[1].split()[3] == str(child.pid)
    ignored = next(line for line in said.splitlines() if line.startswith("SigIgn:"))
    assert not int(ignored.split()[1], 16) & 1 << (signal.SIGPIPE - 1)


def test_a_child_gets_the_descriptors_it_is_given_and_no_other() -> None:
    read, write = os.pipe()
    other = os.open("/dev/null", os.O_RDONLY)
    try:
        with shell("ls /proc/$$/fd", inherited=[write]) as child:
            found = {int(number) for number in everything(child).split()}
        assert found >= {0, 1, 2, write}
        assert not found & {read, other}
        assert not os.get_inheritable(write)
    finally:
        for descriptor in (read, write, other):
            os.close(descriptor)


def test_nothing_stays_open_or_undead_afterwards() -> None:
    before = descriptors()
    with shell("cat >/dev/null"):
        pass
    with shell("exit 3") as ended:
        ended.wait()
    with pytest.raises(FileNotFoundError):
        children.start(["no-such-program"], ENVIRONMENT)
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(ended.pid, os.WNOHANG)


def test_a_program_that_cannot_be_run_leaves_nothing_open(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF, not really")
    broken.chmod(0o755)
    before = descriptors()
    with pytest.raises(OSError, match="Exec format"):
        children.start(["broken"], {"PATH": str(tmp_path)})
    assert descriptors() == before


def test_waiting_is_bounded() -> None:
    with shell("exec sleep 600") as child:
        assert not child.has_ended(0.01)
        with pytest.raises(TimeoutError):
            child.stdout.read(1, 0.01)


def test_to_end_a_child_is_to_end_what_it_started() -> None:
    with shell("trap '' TERM; sleep 600 & echo $!; wait") as child:
        grandchild = int(child.stdout.read(100))
        assert Path(f"/proc/{grandchild}").exists()
    assert child.returncode is not None
    wait_for(lambda: not _alive(grandchild), "the end of the grandchild")


def _alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_the_end_wakes_who_writes_and_closes_the_pipe_after_that() -> None:
    failed = list[Exception]()

    def fill(child: Child) -> None:
        assert child.stdin is not None
        try:
            while True:
                child.stdin.write(b"x" * 65536)
        except (OSError, ValueError) as error:
            failed.append(error)

    with shell("exec sleep 600") as child:
        writer = threading.Thread(target=fill, args=(child,))
        writer.start()
        assert child.stdin is not None
        descriptor = child.stdin.fileno()
        wait_for(lambda: _is_full(descriptor), "a full pipe")
        child.stdin.close()
    writer.join(10)
    assert failed
    assert str(descriptor) not in descriptors()


def _is_full(descriptor: int) -> bool:
    try:
        os.write(descriptor, b"x" * 65536)
    except BlockingIOError:
        return True
    return False


def test_a_loop_that_reaps_everything_tells_how_each_ended() -> None:
    # As the server is: its other children make libev wait for whatever ends.
    program = textwrap.dedent(
        """
        from gevent import monkey; monkey.patch_all()
        import subprocess
        import gevent
        from orchestrator import children
        children.use(gevent.get_hub().loop)
        beside = [subprocess.Popen(["sh", "-c", "exit 9"]) for _ in range(5)]
        def code(number):
            argv = ["sh", "-c", f"cat; exit {number}"]
            child = children.start(argv, {"PATH": "/bin:/usr/bin"})
            child.stdin.write(b"x" * 10)
            child.stdin.close()
            said = child.stdout.read(100, 10.0)
            found = child.wait() if number % 2 else child.has_ended(10.0) and child.returncode
            child.end()
            return said == b"x" * 10 and found == number
        sleeping = children.start(["sleep", "600"], {"PATH": "/bin:/usr/bin"})
        gone = [children.start(["true"], {"PATH": "/bin:/usr/bin"}) for _ in range(5)]
        jobs = [gevent.spawn(code, number) for number in range(1, 41)]
        gevent.joinall(jobs, timeout=30)
        print(all(job.value for job in jobs), {one.wait() for one in gone})
        print({one.wait() for one in beside}, sleeping.has_ended(0.01))
        sleeping.end()
        print(sleeping.returncode)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60,
        cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("True {0}\n{9} False\n-15\n", "")
