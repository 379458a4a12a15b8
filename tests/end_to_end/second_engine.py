"""A Docker Engine of the test's own, to be killed and started again.

It runs in its own network, mount and process namespaces: one outside would take the first engine's
bridge away. Mounts made outside show inside (``slave``), because the server prepares run
directories there.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from docker import APIClient

from tests.end_to_end.waiting import until

# Process 1 of the namespace: it ends with the test run, and all in the namespace with it.
_KEEPER = """
mount -t proc proc /proc || exit
[ ! -d /run/containerd ] || mount -t tmpfs none /run/containerd  # the first engine's may be there
while :; do sleep 1; done
"""


class SecondEngine:
    """``root`` holds its data, socket and log. Needs root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.socket = root / "docker.sock"
        self.log = root / "dockerd.log"
        self._keeper = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork",
             "--kill-child", "--propagation", "slave", "sh", "-c", _KEEPER],
        )  # fmt: skip
        self._pid = int(until(self._children, "the namespaces are there").split()[0])
        self._daemon: subprocess.Popen[bytes] | None = None
        (root / "daemon.json").write_text(json.dumps({"live-restore": False}))

    def _children(self) -> str:
        pid = self._keeper.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def client(self) -> APIClient:
        return APIClient(self.url, version="auto")

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        (self.root / "pid").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(
                ["nsenter", "--target", str(self._pid), "--net", "--mount", "--pid", "dockerd",
                 "--host", self.url, "--data-root", str(self.root / "data"),
                 "--exec-root", str(self.root / "exec"), "--pidfile", str(self.root / "pid"),
                 "--config-file", str(self.root / "daemon.json")],
                stdout=log, stderr=log,
            )  # fmt: skip
        until(self._answers, "the second engine answers", seconds=60)

    def _answers(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, self.log.read_text()[-4000:]
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
            probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return probe.recv(64).startswith(b"HTTP/1.0 200")

    def kill(self) -> None:
        """End the daemon without any warning; what it runs goes on without it."""
        assert self._daemon is not None
        children = Path(f"/proc/{self._daemon.pid}/task/{self._daemon.pid}/children").read_text()
        # nsenter forks: the daemon is its child.
        for pid in children.split() or [str(self._daemon.pid)]:
            os.kill(int(pid), signal.SIGKILL)
        self._daemon.wait(30)

    def load(self, image: str, source: APIClient) -> None:
        """Copy an image from another engine."""
        client = self.client()
        try:
            client.load_image(source.get_image(image))
            client.inspect_image(image)
        finally:
            client.close()

    def close(self) -> None:
        """End everything in the namespaces and remove the data."""
        self._keeper.kill()
        self._keeper.wait(30)
        if self._daemon is not None:
            with suppress(subprocess.TimeoutExpired):
                self._daemon.wait(30)
        shutil.rmtree(self.root / "data", ignore_errors=True)
