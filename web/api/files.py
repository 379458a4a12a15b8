"""Files of a workspace: look, make, move, copy, take away."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

from flask import Response, request

from orchestrator.archives import CHUNK_BYTES, STALL_SECONDS
from orchestrator.engines import Process
from orchestrator.errors import BadInput, EngineError
from orchestrator.files import Format, Listing, paths
from orchestrator.files.over_sftp import INLINE_MAX
from orchestrator.offload import offload
from web.api import files_schema as schema
from web.api.files_place import FILES, PATH, Here, here, shown
from web.api.operation import operation
from web.license import licensed

LISTED_MAX = 20_000
PACKED_MAX = 1000


@operation("GET", FILES, tag="files", answer=schema.FileListing, query=(PATH,))
def list_files(name: str) -> Response:
    """List a folder of a workspace, the home unless a path is given.

    While the workspace does not run, a container that has nothing but the home answers: the header
    X-RootBlood-Place says 'rescue', not 'workspace'. At most 20,000 entries are listed.
    """
    with here(name) as files:
        path = files.asked()
        found = files.files.listed(path, most=LISTED_MAX)
        response = files.json(None)
    many = len(found.entries) > INLINE_MAX
    response.set_data(offload(_listed, path, found) if many else _listed(path, found))
    return response


def _listed(path: str, found: Listing) -> str:
    entries = [shown(entry) for entry in found.entries]
    return json.dumps(
        {"path": paths.show(path), "entries": entries, "truncated": found.truncated},
        separators=(",", ":"),
    )


@operation("POST", f"{FILES}/mkdir", tag="files", body=schema.NewFolder, answer=schema.FileEntry,
           status=201)  # fmt: skip
def make_folder(name: str, body: schema.NewFolder) -> Response:
    """Make a folder."""
    with here(name) as files:
        path = files.path(body.path)
        files.files.make_folder(path, parents=body.parents)
        files.note_change()
        return files.json(shown(files.files.look(path)), 201)


@operation("POST", f"{FILES}/move", tag="files", body=schema.Placing, answer=schema.FileEntry)
def move_file(name: str, body: schema.Placing) -> Response:
    """Move or rename a file, a folder or a link."""
    with here(name) as files:
        source, target = _placing(files, body)
        files.files.move(source, target, overwrite=body.overwrite)
        files.note_change()
        return files.json(shown(files.files.look(target)))


@operation("POST", f"{FILES}/copy", tag="files", body=schema.Placing, answer=schema.FileEntry)
def copy_file(name: str, body: schema.Placing) -> Response:
    """Copy a file or a folder with all that is below it; links stay links."""
    with here(name) as files:
        source, target = _placing(files, body)
        files.files.copy(source, target, overwrite=body.overwrite)
        files.note_change()
        return files.json(shown(files.files.look(target)))


def _placing(files: Here, body: schema.Placing) -> tuple[str, str]:
    source, target = files.path(body.from_, "from"), files.path(body.to, "to")
    for field, path in (("from", source), ("to", target)):
        if f"{files.files.home}/".startswith(f"{path.rstrip('/')}/"):
            raise BadInput("The home itself stays where it is", field=field)
    return source, target


@operation("GET", f"{FILES}/archive", tag="files", media="application/octet-stream",
           query=(("path", "Of a file or folder; may be given several times."),
                  ("format", "tar.gz (the default) or zip.")))  # fmt: skip
def pack_files(name: str) -> Response:
    """Download files and folders together.

    What could not be read is listed in UNREADABLE.txt inside the archive.
    """
    format = _format()
    with ExitStack() as stack:
        files = stack.enter_context(here(name))
        chosen = [files.path(text) for text in request.args.getlist("path")] or [files.asked()]
        if len(chosen) > PACKED_MAX:
            raise BadInput(f"At most {PACKED_MAX} at once", field="path")
        process = files.files.archive(chosen, format)
        stack.callback(process.close)
        process.settimeout(STALL_SECONDS)
        response = Response(
            licensed(_chunks(process), files.who), mimetype="application/octet-stream"
        )
        only = paths.name_of(paths.show(chosen[0])).strip("/") if len(chosen) == 1 else ""
        files.attachment(response, f"{only or name}.{format}")
        response.call_on_close(stack.pop_all().close)
        return response


def _format() -> Format:
    try:
        return Format(request.args.get("format", Format.TAR_GZ))
    except ValueError:
        raise BadInput("That format is unknown", field="format", hint="tar.gz or zip.") from None


def _chunks(process: Process) -> Iterator[bytes]:
    while chunk := process.read(CHUNK_BYTES):
        yield chunk
    if code := process.wait():
        # The response has long begun: breaking the connection is the only honest signal.
        raise EngineError(f"The archive ended early (code {code})")
