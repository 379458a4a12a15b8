"""Snapshots on the real engine: taken, looked into, brought back, and what they cost."""

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from docker import APIClient

from tests.end_to_end.person import Answer, Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.slow]
SNAPSHOTS = "/api/v1/home/snapshots"


@pytest.fixture(scope="module", params=["vault", "plain"])
def server(request: pytest.FixtureRequest, make_server: Callable[..., Server]) -> Server:
    started = make_server(storage=request.param, reserve_bytes=0).start()
    Person(started, "boss")
    return started


@pytest.fixture
def sh(docker_client: APIClient, person: Person) -> Callable[..., str]:
    """Return ``sh(script)``: run it in the running workspace, as its user."""
    person.open()
    return lambda script: execute(docker_client, person.container(), "bash", "-c", script)


def take(person: Person, note: str = "") -> Any:
    return finished(person, person.call("POST", SNAPSHOTS, {"note": note}))


def finished(person: Person, answer: Answer) -> Any:
    """Return what came of a request, also where that took a job."""
    assert answer.status < 300, answer
    if answer.status != 202:
        return answer.body
    job = until(lambda: ended(person, answer.body["id"]), "the job ends", seconds=120)
    assert job["state"] == "done", job
    if job["kind"] != "snapshot":
        return job
    rows = person.ok("GET", SNAPSHOTS)["snapshots"]
    return next(row for row in rows if row["id"] == job["snapshot_id"])


def ended(person: Person, id: str) -> Any:
    job = person.ok("GET", f"/api/v1/home/jobs/{id}")
    return None if job["state"] == "running" else job


def restore(person: Person, snapshot: Any, path: str | None = None, **options: object) -> Any:
    body = ({} if path is None else {"path": path}) | options
    url = f"{SNAPSHOTS}/{snapshot['id']}/restore"
    return finished(person, person.call("POST", url, body))


def files(person: Person, snapshot: Any, path: str = "") -> dict[str, Any]:
    url = f"{SNAPSHOTS}/{snapshot['id']}/files?path={quote(path)}"
    return {file["name"]: file for file in person.ok("GET", url)["files"]}


def fetched(person: Person, url: str) -> bytes:
    with person.asking("GET", url) as response:
        assert response.status == 200, response.read()
        return response.read()


def test_a_snapshot_keeps_what_was_there(person: Person, sh: Callable[..., str]) -> None:
    sh("mkdir -p ~/docs; echo one > ~/docs/a.txt; ln -s docs ~/link")
    first = take(person, "before it all")
    assert first["note"] == "before it all"
    assert first["reason"] == "manual"
    assert first["files"] > 0
    assert first["added_bytes"] > 0
    sh("echo two >> ~/docs/a.txt")
    second = take(person)
    listed = person.ok("GET", SNAPSHOTS)["snapshots"]
    assert [row["id"] for row in listed] == [second["id"], first["id"]]

    top = files(person, first)
    assert top["docs"]["type"] == "dir"
    assert top["link"]["type"] == "symlink"
    assert files(person, first, "docs")["a.txt"]["size_bytes"] == 4
    versions = person.ok("GET", "/api/v1/home/versions?path=docs/a.txt")["versions"]
    assert [(row["snapshot_id"], row["size_bytes"]) for row in versions] == [
        (second["id"], 8),
        (first["id"], 4),
    ]
    diff = person.ok("GET", f"/api/v1/home/diff?path=docs/a.txt&older={first['id']}")
    assert "+two" in diff["text"]
    assert not diff["binary"]
    content = fetched(person, f"{SNAPSHOTS}/{first['id']}/content?path=docs/a.txt")
    assert content == b"one\n"
    packed = fetched(person, f"{SNAPSHOTS}/{first['id']}/archive?path=docs")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert any(name.endswith("docs/a.txt") for name in archive.getnames())


def test_a_file_comes_back_alone(person: Person, sh: Callable[..., str]) -> None:
    sh("mkdir ~/d; echo good > ~/d/f; chmod 640 ~/d/f; touch -d 2001-01-01 ~/d/f; echo o > ~/o")
    kept = take(person)
    sh("echo bad > ~/d/f; echo newer > ~/o; echo later > ~/d/later")
    job = restore(person, kept, "d/f")
    assert job["state"] == "done"
    assert sh("cat ~/d/f ~/o ~/d/later; stat -c '%a %Y' ~/d/f") == (
        "good\nnewer\nlater\n640 978307200\n"
    )
    newest = person.ok("GET", SNAPSHOTS)["snapshots"][0]
    assert newest["reason"] == "before-restore"
    restore(person, newest, "d/f", safety=False)
    assert sh("cat ~/d/f") == "bad\n"
    assert sh("ls -A ~ | grep rootblood-restore") == ""


def test_a_folder_comes_back_beside_what_is_newer(person: Person, sh: Callable[..., str]) -> None:
    sh("mkdir -p ~/d/sub; echo 1 > ~/d/sub/one; echo 2 > ~/d/two; chmod 500 ~/d/sub")
    kept = take(person)
    sh("chmod 700 ~/d/sub; rm -rf ~/d/sub; echo file > ~/d/sub; rm ~/d/two; mkdir ~/d/two; "
       "echo x > ~/d/two/x; echo later > ~/d/later")  # fmt: skip
    restore(person, kept, "d", safety=False)
    assert sh("cat ~/d/sub/one ~/d/two ~/d/later; stat -c %a ~/d/sub") == "1\n2\nlater\n500\n"


def test_a_link_on_the_way_is_not_followed(person: Person, sh: Callable[..., str]) -> None:
    sh("mkdir ~/d; echo good > ~/d/f; mkdir ~/elsewhere; echo mine > ~/elsewhere/f")
    kept = take(person)
    sh("rm -r ~/d; ln -s elsewhere ~/d")
    answer = person.call("POST", f"{SNAPSHOTS}/{kept['id']}/restore",
                         {"path": "d/f", "safety": False})  # fmt: skip
    assert answer.slug == "snapshot-error", answer
    assert sh("cat ~/elsewhere/f") == "mine\n"
    sh("rm ~/d; mkdir ~/d; ln -s ../elsewhere/f ~/d/f")
    restore(person, kept, "d/f", safety=False)
    assert sh("cat ~/elsewhere/f ~/d/f; stat -c %F ~/d/f") == "mine\ngood\nregular file\n"


HOSTILE = r"""
set -e; mkdir ~/h; cd ~/h
printf x > $'new\nline'; printf x > ' -rf *[a]?\'; printf y > $'caf\xe9'; printf z > -- '--help'
printf l > $(printf 'n%.0s' $(seq 255)); printf g > '*'; printf b > 'a\b'; printf q > "it's"
d=.; for i in $(seq 150); do d=$d/deep$i; done; mkdir -p $d; echo bottom > $d/f
echo linked > hard1; ln hard1 hard2; ln hard1 hard3; ln -s /etc/passwd out; ln -s nowhere gone
truncate -s 50M sparse; printf end >> sparse; mkfifo pipe; chmod 4755 hard1
mkdir sticky closed; chmod 1777 sticky; echo s > closed/s; chmod 000 closed/s; chmod 500 closed
touch -d '1999-12-31 23:59:59.123456789' old; touch -d @0 epoch
python3 -c 'import os; os.setxattr("old", "user.tag", b"\x00val")'
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
"""

DIGEST = r"""
import hashlib, json, os, stat
top = os.path.expanduser("~/h").encode()
seen, rows = {}, []
for folder, folders, names in os.walk(top):
    for name in folders + names + [b"."]:
        path = os.path.join(folder, name)
        s = os.lstat(path)
        if stat.S_ISSOCK(s.st_mode):
            continue
        row = [os.path.relpath(path, top).hex(), s.st_mode, s.st_uid, s.st_gid]
        row.append(s.st_nlink if not stat.S_ISDIR(s.st_mode) else 0)
        if not stat.S_ISDIR(s.st_mode) or True:
            row.append(s.st_mtime_ns)
        if stat.S_ISREG(s.st_mode):
            row.append(seen.setdefault((s.st_dev, s.st_ino), len(seen)) if s.st_nlink > 1 else -1)
            if s.st_mode & 0o400:
                row.append(hashlib.sha256(open(path, "rb").read()).hexdigest())
            row.append([(k, os.getxattr(path, k).hex()) for k in os.listxattr(path)])
        if stat.S_ISLNK(s.st_mode):
            row.append(os.readlink(path).hex())
        rows.append(row)
print(json.dumps(sorted(rows, key=lambda row: row[0])))
"""


def tree(sh: Callable[..., str]) -> dict[str, Any]:
    rows = json.loads(sh(f"python3 - <<'END'\n{DIGEST}\nEND"))
    return {bytes.fromhex(row[0]).decode(errors="backslashreplace"): row for row in rows}


def test_a_hostile_tree_comes_back_byte_for_byte(person: Person, sh: Callable[..., str]) -> None:
    sh(HOSTILE)
    # What nobody but root can read cannot be kept.
    sh("chmod 400 ~/h/closed/s")
    before = tree(sh)
    assert len(before) > 170, before.keys()
    kept = take(person)
    names = files(person, kept, "h")
    assert names["new\nline"]["path"] == "h/new\nline"
    assert names["caf\U0010ffe9"]["size_bytes"] == 1
    assert names["hard1"]["mode"] == 0o4755
    assert names["pipe"]["type"] == "other"
    for name in ("new\nline", " -rf *[a]?\\", "caf\U0010ffe9", "*", "a\\b", "it's"):
        url = f"{SNAPSHOTS}/{kept['id']}/content?path={quote('h/' + name)}"
        assert len(fetched(person, url)) == 1, name
        versions = person.ok("GET", f"/api/v1/home/versions?path={quote('h/' + name)}")
        assert len(versions["versions"]) == 1, name
    sh("chmod -R u+rwx ~/h; echo changed > ~/h/a; echo changed > ~/h/'*'")
    restore(person, kept, "h/*", safety=False)
    assert sh("cat ~/h/'*' ~/h/a") == "gchanged\n"
    sh("rm -rf ~/h; echo new > ~/later")
    refused = person.call("POST", f"{SNAPSHOTS}/{kept['id']}/restore", {})
    assert refused.slug == "conflict", refused
    person.ok("POST", "/api/v1/workspaces/main/stop")
    restore(person, kept)
    person.ok("POST", "/api/v1/workspaces/main/start")
    after = tree(sh)
    assert {k: v for k, v in after.items() if before.get(k) != v} == {}
    assert before.keys() == after.keys()
    assert "No such file" in sh("cat ~/later 2>&1")


def test_deleting_gives_the_space_back(person: Person, sh: Callable[..., str]) -> None:
    sh("head -c 20M /dev/urandom > ~/big")
    kept = take(person)
    used = person.ok("GET", "/api/v1/home")["split"]["snapshots_bytes"]
    assert used > 20 << 20
    answer = person.call("DELETE", f"{SNAPSHOTS}/{kept['id']}")
    assert answer.status in (202, 204), answer
    until(lambda: not person.ok("GET", SNAPSHOTS)["snapshots"], "it is deleted")
    until(
        lambda: person.ok("GET", "/api/v1/home")["split"]["snapshots_bytes"] < 2 << 20,
        "the space is given back",
    )


def test_what_is_not_there_is_said(person: Person, sh: Callable[..., str]) -> None:
    sh("echo x > ~/x")
    kept = take(person)
    base = f"{SNAPSHOTS}/{kept['id']}"
    for url, slug in (
        (f"{base}/content?path=nothing", "not-found"),
        (f"{base}/files?path=x", "bad-input"),
        (f"{base}/files?path=../..", "bad-input"),
        (f"{base}/content?path=", "bad-input"),
        (f"{SNAPSHOTS}/999999/files", "not-found"),
        ("/api/v1/home/diff?path=x&older=--help", "bad-input"),
        ("/api/v1/home/jobs/nothing", "not-found"),
    ):
        assert person.call("GET", url).slug == slug, url
    answer = person.call("POST", f"{base}/restore", {"path": "nothing", "safety": False})
    assert answer.slug == "not-found", answer


def test_another_person_sees_nothing_of_it(
    person: Person, people: Callable[..., Person], sh: Callable[..., str]
) -> None:
    kept = take(person)
    stranger = people(person.server)
    assert stranger.ok("GET", SNAPSHOTS) == {"snapshots": []}
    for url in ("files", "content?path=x", "archive"):
        assert stranger.call("GET", f"{SNAPSHOTS}/{kept['id']}/{url}").slug == "not-found"
    answer = stranger.call("POST", f"{SNAPSHOTS}/{kept['id']}/restore", {"path": "x"})
    assert answer.slug == "not-found"
    assert stranger.call("DELETE", f"{SNAPSHOTS}/{kept['id']}").slug == "not-found"
