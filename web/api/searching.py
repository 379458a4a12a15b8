"""Search, replace and quick open in a workspace."""

from flask import Response, request

from orchestrator import searching
from orchestrator.files import paths
from orchestrator.searching import Query
from web.api import search_schema as schema
from web.api.inside import ONE, at_work, home_of
from web.api.operation import operation
from web.api.repos import whole_number
from web.identity import caller, platform
from web.license import licensed

MATCHES = 2000
NAMES = 100_000
_PATH = ("path", "A folder or a file; your home unless given.")


def _on(name: str) -> bool:
    return request.args.get(name, "") in ("1", "true")


@operation("GET", f"{ONE}/files/search", tag="files", media="application/x-ndjson",
           query=(("q", "What to look for, in one line."), _PATH,
                  ("regex", "1: q is a regular expression, in ripgrep's syntax."),
                  ("case", "1: upper and lower case differ."), ("word", "1: whole words."),
                  ("glob", "A pattern of names, *.py or !docs/**; several may be given."),
                  ("most", "At most so many; 2000 unless given.")))  # fmt: skip
def search_files(name: str) -> Response:
    """Search in files: lines of JSON, as matches are found.

    A match has path, line, column, length, text (the line, cut to what is around the match) and at
    (where in text the match begins); lines and columns begin at 1, and columns, lengths and at
    count UTF-16 code units. {"matches", "files"} says how far the search is, {"error"} why it was
    refused. The last line is {"done": true, "matches", "files", "truncated", "took_ms"}. Files that
    git ignores, node_modules and the like are left out. It ends when the connection does.
    """
    row = at_work(name)
    query = Query(
        text=request.args.get("q", ""),
        path=paths.parse(request.args.get("path", ""), home_of(row)),
        regex=_on("regex"),
        case=_on("case"),
        word=_on("word"),
        globs=tuple(request.args.getlist("glob")),
    )
    found = searching.search(platform(), row, query, whole_number("most", MATCHES))
    chunks = licensed(iter(found), caller())
    response = Response(chunks, mimetype="application/x-ndjson")
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(found.close)
    return response


@operation("GET", f"{ONE}/files/names", tag="files", answer=schema.Names,
           query=(_PATH, ("q", "Letters that a name has in this order; all names without."),
                  ("most", "At most so many; 100000 unless given.")))  # fmt: skip
def list_names(name: str) -> Response:
    """List the names of files below a folder, for a quick way to open them; the best first."""
    row = at_work(name)
    folder = paths.parse(request.args.get("path", ""), home_of(row))
    letters, most = request.args.get("q", ""), whole_number("most", NAMES)
    gzip = request.accept_encodings.quality("gzip") > 0
    found = searching.names(platform(), row, folder, letters, most, gzip=gzip)
    response = Response(found, mimetype="application/json")
    response.vary.add("Accept-Encoding")
    if gzip:
        response.content_encoding = "gzip"
    return response


@operation("POST", f"{ONE}/files/replace", tag="files", body=schema.Replace,
           answer=schema.Replaced)  # fmt: skip
def replace_in_files(name: str, body: schema.Replace) -> schema.Replaced:
    """Replace every match in files; each changes whole, or is left alone and named in skipped."""
    row = at_work(name)
    home = home_of(row)
    query = Query(
        text=body.q,
        path=paths.parse(body.path, home),
        regex=body.regex,
        case=body.case,
        word=body.word,
        globs=tuple(body.glob),
    )
    files = body.files and [paths.parse(path, home, field="files") for path in body.files]
    done = searching.replace(platform(), row, query, body.with_, files, dry=body.dry)
    return schema.Replaced(
        files=[schema.ReplacedFile(path=path, count=n) for path, n in done.counts.items()],
        skipped=[schema.SkippedFile(path=path, why=why) for path, why in done.skipped.items()],
        matches=sum(done.counts.values()),
    )
