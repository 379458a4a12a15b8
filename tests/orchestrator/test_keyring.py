"""One suite over both keyrings, and what only the kernel's does."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator import keyring
from orchestrator.keyring import KernelKeyring, Keyring, MemoryKeyring, best_keyring
from tests.conftest import missing
from tests.wire import wait_for

KEY, OTHER = bytes(range(32)), bytes(32)
HOMES = [f"home_{number:016x}" for number in range(3)]
ROOT = Path(__file__).resolve().parents[2]
READ = """
import ctypes, os, sys
from orchestrator.keyring import KernelKeyring
if sys.argv[2] == "apart":  # a session of its own, as systemd gives to a service
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall({"x86_64": 250}.get(__import__("platform").machine(), 219), 1, None) > 0
if sys.argv[2] == "other":
    os.setgid(60999), os.setuid(60999)
print(KernelKeyring(sys.argv[1]).get(sys.argv[3]))
"""


def works() -> bool:
    with suppress(KeyError):
        return isinstance(best_keyring("probe"), KernelKeyring)
    return False


@pytest.fixture
def instance(run_id: str) -> str:
    return f"rb-test-{run_id}"


@pytest.fixture(params=["kernel", "memory"])
def ring(request: pytest.FixtureRequest, instance: str) -> Iterator[Keyring]:
    if request.param == "kernel" and not works():
        missing("needs a kernel that keeps keys for this process")
    made: Keyring = KernelKeyring(instance) if request.param == "kernel" else MemoryKeyring()
    yield made
    for home in HOMES:
        made.drop(home)


def test_a_key_is_kept_until_it_is_dropped(ring: Keyring) -> None:
    assert ring.get(HOMES[0]) is None
    ring.put(HOMES[0], KEY)
    assert ring.get(HOMES[0]) == KEY
    ring.drop(HOMES[0])
    assert ring.get(HOMES[0]) is None
    ring.drop(HOMES[0])  # absent is success


def test_each_home_has_its_own(ring: Keyring) -> None:
    ring.put(HOMES[0], KEY)
    ring.put(HOMES[1], OTHER)
    ring.drop(HOMES[0])
    assert [ring.get(home) for home in HOMES] == [None, OTHER, None]


def test_the_last_one_put_holds(ring: Keyring) -> None:
    for key in (KEY, OTHER, KEY, KEY):
        ring.put(HOMES[0], key)
    assert ring.get(HOMES[0]) == KEY
    ring.drop(HOMES[0])
    assert ring.get(HOMES[0]) is None


@pytest.fixture
def kernel(instance: str) -> Iterator[KernelKeyring]:
    if not works():
        missing("needs a kernel that keeps keys for this process")
    made = KernelKeyring(instance)
    yield made
    made.drop(HOMES[0])


@pytest.mark.parametrize("where", ["same", "apart"])
def test_another_process_of_the_server_finds_it(
    kernel: KernelKeyring, instance: str, where: str
) -> None:
    """So a restart of the server leaves it usable, also one as a service with its own session."""
    kernel.put(HOMES[0], KEY)
    command = [sys.executable, "-c", READ, instance, where, HOMES[0]]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == repr(KEY)


def test_another_installation_does_not(kernel: KernelKeyring, instance: str) -> None:
    kernel.put(HOMES[0], KEY)
    assert KernelKeyring(f"{instance}-other").get(HOMES[0]) is None
    KernelKeyring(f"{instance}-other").drop(HOMES[0])
    assert kernel.get(HOMES[0]) == KEY


def test_another_user_does_not(kernel: KernelKeyring, instance: str) -> None:
    if os.geteuid() != 0:
        missing("needs root, to be somebody else")
    kernel.put(HOMES[0], KEY)
    command = [sys.executable, "-c", READ, instance, "other", HOMES[0]]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "None"


def refusing(*_: object) -> int:
    ctypes.set_errno(1)
    return -1


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[[], KernelKeyring]:
    """Return a maker of keyrings of a kernel that refuses, as containers' seccomp profiles do."""
    real = KernelKeyring.__init__

    def made(self: KernelKeyring, instance: str) -> None:
        real(self, instance)
        self._syscall = refusing

    monkeypatch.setattr(KernelKeyring, "__init__", made)
    return lambda: KernelKeyring("refused")


def test_a_kernel_that_refuses_raises_nothing(refused: Callable[[], KernelKeyring]) -> None:
    ring = refused()
    ring.put(HOMES[0], KEY)
    assert ring.get(HOMES[0]) is None
    ring.drop(HOMES[0])


@pytest.mark.usefixtures("refused")
def test_memory_serves_where_the_kernel_refuses() -> None:
    assert isinstance(best_keyring("x"), MemoryKeyring)


def test_memory_serves_on_unknown_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring.platform, "machine", lambda: "pdp11")
    assert isinstance(best_keyring("x"), MemoryKeyring)


def test_trying_leaves_nothing_behind(instance: str) -> None:
    if not works():
        missing("needs a kernel that keeps keys for this process")
    best_keyring(instance)
    name = f"rootblood:{instance}:probe"
    wait_for(lambda: name not in Path("/proc/keys").read_text(), "the kernel let go of it")
