"""A tar as only root makes one, and very many files: what comes of them wherever a home goes."""

import hashlib
import json
import stat
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from docker import APIClient

from tests.end_to_end.person import Answer, Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]
SNAPSHOTS = "/api/v1/home/snapshots"
SMALL_FILES = 50_000
JOB_SECONDS = 240.0

MAKE_TAR = rf"""
import io, os, tarfile
with tarfile.open(os.path.expanduser("~/evil.tar"), "w") as packed:
    def add(name, data=b"", **values):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime = len(data), 915148799
        entry.uname = entry.gname = "root"
        for key, value in values.items():
            setattr(entry, key, value)
        packed.addfile(entry, io.BytesIO(data))
    shell = open("/bin/sh", "rb").read()
    add("suid", shell, mode=0o4755)
    add("sgid", shell, mode=0o2755)
    add("suid-twin", type=tarfile.LNKTYPE, linkname="suid")
    add("foreign", b"whose", mode=0o640, uid=12345, gid=54321, uname="", gname="")
    add("null", type=tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3)
    add("disk", type=tarfile.BLKTYPE, mode=0o666, devmajor=7, devminor=0)
    add("pipe", type=tarfile.FIFOTYPE, mode=0o600)
    add("shadow", type=tarfile.SYMTYPE, linkname="/etc/shadow")
    for number in range({SMALL_FILES}):
        add(f"small/{{number // 500}}/{{number}}", str(number).encode(), mode=0o644)
"""

LOOK = r"""
import hashlib, json, os, stat
found, top = {}, os.path.expanduser("~/h")
for folder, folders, names in os.walk(top):
    for name in folders + names:
        path = os.path.join(folder, name)
        s = os.lstat(path)
        row = [s.st_mode, s.st_uid, s.st_gid, 0 if stat.S_ISDIR(s.st_mode) else s.st_mtime_ns]
        if stat.S_ISREG(s.st_mode):
            row += [s.st_nlink, hashlib.sha256(open(path, "rb").read()).hexdigest()]
        if stat.S_ISLNK(s.st_mode):
            row.append(os.readlink(path))
        found[os.path.relpath(path, top)] = row
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    started = make_server(storage="vault", reserve_bytes=0).start()
    Person(started, "boss")
    return started


@pytest.fixture
def sh(docker_client: APIClient, person: Person) -> Callable[..., str]:
    """Return ``sh(script)``: run it in the workspace, as its user."""
    person.open()
    return lambda script: execute(docker_client, person.container(), "bash", "-c", script)


def look(sh: Callable[..., str]) -> dict[str, Any]:
    """Return what is in the folder."""
    found: dict[str, Any] = json.loads(sh(f"python3 - <<'END'\n{LOOK}\nEND"))
    return found


def finished(person: Person, answer: Answer) -> Any:
    """Return what came of a request, also where that took a job."""
    assert answer.status < 300, answer
    if answer.status != 202:
        return answer.body
    url = f"/api/v1/home/jobs/{answer.body['id']}"
    until(
        lambda: person.ok("GET", url)["state"] != "running", "it ends", seconds=JOB_SECONDS,
        every=0.5,
    )  # fmt: skip
    job = person.ok("GET", url)
    assert job["state"] == "done", job
    return job


def packed(person: Person, url: str, folder: str) -> dict[str, tuple[tarfile.TarInfo, str]]:
    """Download an archive; return what is below the folder with the hash of its bytes."""
    found = {}
    with person.asking("GET", url) as response:
        assert response.status == 200
        with tarfile.open(fileobj=response, mode="r|gz") as archive:
            for member in archive:
                _, inside, name = f"/{member.name}".partition(f"/{folder}/")
                if not inside:
                    continue
                file = archive.extractfile(member) if member.isreg() else None
                digest = hashlib.sha256(file.read()).hexdigest() if file is not None else ""
                found[name] = (member, digest)
    return found


def check_packed(found: dict[str, tuple[tarfile.TarInfo, str]], before: dict[str, Any]) -> None:
    """See that an archive has all that was there, byte for byte, and nothing worse."""
    assert before.keys() - found.keys() <= {"pipe"}, "which holds nothing"
    assert found.keys() <= before.keys()
    for name, (member, digest) in found.items():
        mode, uid, gid, _, *rest = before[name]
        assert not member.isdev() or member.isfifo(), name
        assert (member.uid, member.gid) == (uid, gid), name
        assert member.mode == stat.S_IMODE(mode), name
        if member.isreg():
            assert digest == rest[1], name
        elif member.issym():
            assert member.linkname == rest[0]


def test_nothing_of_roots_comes_out_of_a_home(person: Person, sh: Callable[..., str]) -> None:
    sh(f"python3 - <<'END'\n{MAKE_TAR}\nEND")
    said = sh("mkdir ~/h; tar -xpf ~/evil.tar -C ~/h; echo code $?; rm ~/evil.tar")
    assert "code 2" in said
    for node in ("null", "disk"):
        assert f"{node}: Cannot mknod: Operation not permitted" in said, said
    before = look(sh)
    assert {"suid", "sgid", "suid-twin", "foreign", "pipe", "shadow"} <= before.keys()
    assert sum(name.count("/") == 2 for name in before) == SMALL_FILES
    uid, gid = (int(part) for part in sh("id -u; id -g").split())
    assert uid > 0
    assert {tuple(row[1:3]) for row in before.values()} == {(uid, gid)}, "all is the user's own"
    kinds = {stat.S_IFMT(row[0]) for row in before.values()}
    assert kinds == {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO}
    mounted = sh("findmnt -no OPTIONS --target ~").strip().split(",")
    assert {"nosuid", "nodev"} <= set(mounted), "a setuid bit has no effect"

    check_packed(packed(person, "/api/v1/home/archive", "h"), before)
    taken = finished(person, person.call("POST", SNAPSHOTS, {}))
    kept = taken.get("snapshot_id") or taken["id"]
    check_packed(packed(person, f"{SNAPSHOTS}/{kept}/archive", "h"), before)
    sh("rm -rf ~/h")
    url = f"{SNAPSHOTS}/{kept}/restore"
    finished(person, person.call("POST", url, {"path": "h", "safety": False}))
    assert look(sh) == before
    sh("rm -rf ~/h")
    person.ok("POST", "/api/v1/workspaces/main/stop")
    finished(person, person.call("POST", url, {"safety": False}))
    person.ok("POST", "/api/v1/workspaces/main/start")
    assert look(sh) == before
