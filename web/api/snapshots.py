"""Snapshots of your home: take, look into, go back."""

from urllib.parse import quote

from flask import Response, jsonify, request

from orchestrator import restoring, snapshots, time_travel
from orchestrator.errors import BadInput
from orchestrator.jobs import Job
from orchestrator.names import parse_home_path, show_home_path
from orchestrator.storage.restic import Entry
from web import present
from web.api import home_schema
from web.api.operation import operation
from web.identity import caller, platform
from web.license import licensed

PATIENCE_SECONDS = 20.0
"""How long a request waits for work to be done before it answers with the job."""
_PATH = ("path", "Relative to your home.")


def _accepted(job: Job) -> Response:
    response = jsonify(present.job(job).model_dump(mode="json"))
    response.status_code = 202
    response.headers["Location"] = f"/api/v1/home/jobs/{job.id}"
    return response


@operation("GET", "/home/snapshots", tag="home", answer=home_schema.Snapshots)
def list_snapshots() -> home_schema.Snapshots:
    """List the snapshots of your home, newest first."""
    rows = snapshots.of_user(caller().user)
    return home_schema.Snapshots(snapshots=[present.snapshot(row) for row in rows])


@operation("POST", "/home/snapshots", tag="home", body=home_schema.NewSnapshot,
           answer=home_schema.Snapshot, status=201)  # fmt: skip
def take_snapshot(body: home_schema.NewSnapshot) -> home_schema.Snapshot | Response:
    """Take a snapshot of your home.

    Where that takes over 20 seconds the answer is 202 with a job, which goes on.
    """
    who = caller()
    job = snapshots.start_taking(platform(), who.user, body.note, who.proof)
    if not platform().jobs.wait(job, PATIENCE_SECONDS) or job.snapshot_id is None:
        return _accepted(job)
    return present.snapshot(snapshots.find(who.user, job.snapshot_id))


@operation("DELETE", "/home/snapshots/<int:snapshot_id>", tag="home", status=204)
def delete_snapshot(snapshot_id: int) -> Response | None:
    """Delete a snapshot and give its space back.

    Where that takes over 20 seconds the answer is 202 with a job, which goes on.
    """
    who = caller()
    job = snapshots.start_deleting(platform(), who.user, snapshot_id, who.proof)
    return None if platform().jobs.wait(job, PATIENCE_SECONDS) else _accepted(job)


@operation("GET", "/home/snapshots/<int:snapshot_id>/files", tag="home",
           answer=home_schema.SnapshotFiles, query=(_PATH,))  # fmt: skip
def list_snapshot_files(snapshot_id: int) -> home_schema.SnapshotFiles:
    """List a folder of a snapshot, folders first, without what is in those.

    A byte of a name that is no UTF-8 is shown as the character U+10FF00 + byte.
    """
    who, path = caller(), parse_home_path(request.args.get("path", ""), root=True)
    path = show_home_path(path)
    folder = time_travel.files(platform(), who.user, snapshot_id, path, who.proof)
    return home_schema.SnapshotFiles(
        path=path,
        files=[_file(path, entry) for entry in folder.entries],
        truncated=folder.truncated,
    )


def _file(folder: str, entry: Entry) -> home_schema.SnapshotFile:
    name = show_home_path(entry.name)
    return home_schema.SnapshotFile(
        name=name,
        path=f"{folder}/{name}" if folder else name,
        type=entry.type,
        size_bytes=entry.size_bytes,
        mode=entry.mode,
        modified_at=entry.modified_at,
    )


@operation("GET", "/home/snapshots/<int:snapshot_id>/content", tag="home",
           media="application/octet-stream", query=(_PATH,))  # fmt: skip
def download_snapshot_file(snapshot_id: int) -> Response:
    """Download a file of a snapshot."""
    who, path = caller(), request.args.get("path", "")
    download = time_travel.content(platform(), who.user, snapshot_id, path, who.proof)
    response = _sent(download, path.rpartition("/")[2], "application/octet-stream")
    response.headers["Content-Length"] = str(download.file.size_bytes)
    return response


@operation("GET", "/home/snapshots/<int:snapshot_id>/archive", tag="home",
           media="application/gzip", query=(_PATH,))  # fmt: skip
def download_snapshot(snapshot_id: int) -> Response:
    """Download a snapshot, or a folder of it, as a tar.gz."""
    who, path = caller(), request.args.get("path", "")
    row = snapshots.find(who.user, snapshot_id)
    download = time_travel.archive(platform(), who.user, snapshot_id, path, who.proof)
    folder = path.strip("/").rpartition("/")[2] or "home"
    name = f"{who.user.username}-{folder}-{row.taken_at:%Y%m%d-%H%M}.tar.gz"
    return _sent(download, name, "application/gzip")


def _sent(download: time_travel.Download, name: str, mimetype: str) -> Response:
    response = Response(licensed(iter(download), caller()), mimetype=mimetype)
    # RFC 6266; a quoted name alone could not carry what people call their files.
    encoded = quote(name.encode(errors="replace"), safe="")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{encoded}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(download.close)
    return response


@operation("POST", "/home/snapshots/<int:snapshot_id>/restore", tag="home",
           body=home_schema.Restore, answer=home_schema.Job)  # fmt: skip
def restore_snapshot(snapshot_id: int, body: home_schema.Restore) -> home_schema.Job | Response:
    """Restore a file, a folder, or your whole home.

    A file or folder is put in its old place; what a folder has beyond the snapshot's stays. Your
    whole home becomes what it was, for which your workspaces have to be stopped. Where it takes
    over 20 seconds the answer is 202, and the job goes on.
    """
    who = caller()
    job = restoring.start_restoring(
        platform(), who.user, snapshot_id, body.path, safety=body.safety, proof=who.proof
    )
    if not platform().jobs.wait(job, PATIENCE_SECONDS):
        return _accepted(job)
    return present.job(job)


@operation("GET", "/home/versions", tag="home", answer=home_schema.FileVersions, query=(_PATH,))
def list_versions() -> home_schema.FileVersions:
    """List the versions of a file that your snapshots have, each where it differs."""
    who, path = caller(), request.args.get("path", "")
    found = time_travel.versions(platform(), who.user, path, who.proof)
    return home_schema.FileVersions(
        path=path,
        versions=[
            home_schema.FileVersion(
                snapshot_id=one.snapshot.id,
                taken_at=one.snapshot.taken_at,
                size_bytes=one.file.size_bytes,
                modified_at=one.file.modified_at,
            )
            for one in found
        ],
    )


@operation("GET", "/home/diff", tag="home", answer=home_schema.FileDiff,
           query=(_PATH, ("older", "A snapshot's id."),
                  ("newer", "A snapshot's id; the home as it is when absent.")))  # fmt: skip
def compare_versions() -> home_schema.FileDiff:
    """Compare two versions of a file."""
    who, path = caller(), request.args.get("path", "")
    older, newer = _number("older"), _number("newer", optional=True)
    assert older is not None
    found = time_travel.diff(platform(), who.user, path, older, newer, who.proof)
    return home_schema.FileDiff(
        path=path,
        older=found.older,
        newer=found.newer,
        text=found.text,
        binary=found.binary,
        too_large=found.too_large,
    )


def _number(field: str, *, optional: bool = False) -> int | None:
    text = request.args.get(field, "")
    if optional and not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadInput("That is not the id of a snapshot", field=field)
    return int(text)


@operation("GET", "/home/jobs/<job_id>", tag="home", answer=home_schema.Job)
def get_job(job_id: str) -> home_schema.Job:
    """Return how far a job has come; it is forgotten some minutes after its end."""
    return present.job(platform().jobs.find(caller().user.id, job_id))
