"""Commands that a container keeps from starting.

A command that the engine starts in a container runs as the container's user from a moment before
it becomes the command, and from that moment on any process of that user may stop it (SIGSTOP).
Docker waits for it while it holds the container's locks: whoever then inspects, stops or removes
the container waits for ever. Only a signal from outside ends that.
"""

import os
import signal
from pathlib import Path


def release(container_id: str, proc: Path = Path("/proc")) -> int:
    """Kill what the engine started in the container and somebody stopped; return how many.

    Such a process is in the container's cgroup and its parent is not. Nothing happens where the
    container's processes cannot be seen from here.
    """
    released = 0
    for entry in os.scandir(proc):
        if entry.name.isdigit() and _is_stopped_start(proc, entry.name, container_id):
            released += _kill(proc, entry.name, container_id)
    return released


def _is_stopped_start(proc: Path, pid: str, container_id: str) -> bool:
    try:
        # The name in brackets may hold anything; what follows it may not: proc_pid_stat(5).
        state, parent = (proc / pid / "stat").read_text().rpartition(")")[2].split()[:2]
        if state != "T" or container_id not in (proc / pid / "cgroup").read_text():
            return False
        return container_id not in (proc / parent / "cgroup").read_text()
    except (OSError, ValueError):
        return False


def _kill(proc: Path, pid: str, container_id: str) -> bool:
    try:
        descriptor = os.pidfd_open(int(pid))
    except OSError:
        return False
    try:
        # Looked at again: by now the number could be another process's.
        if not _is_stopped_start(proc, pid, container_id):
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
