"""Write history into a repository of the test's server, without a client of git."""

import subprocess
from collections.abc import Mapping

from flask import Flask

from models import Repository, User, Visibility, utcnow
from orchestrator.commons import finding, repositories, source

BEGIN = 1_700_000_000


def repository(app: Flask, owner: str, name: str, **given: object) -> Repository:
    """Return a repository, made if it is not there."""
    with app.app_context():
        found = finding.named(owner, name)
        if found is None:
            user = User.query.filter_by(username=owner).one()
            given.setdefault("visibility", Visibility.PUBLIC)
            found = repositories.create(app.extensions["rootblood"], user, utcnow(), name, **given)
        return found


def commit(
    app: Flask, slug: str, files: Mapping[bytes | str, bytes | str | None] | None = None,
    message: bytes | str = "Change it", *,
    branch: str = "main", begin: str = "", merge: str = "", author: str = "Ann <ann@x>",
    at: int = BEGIN, mode: str = "100644",
) -> str:  # fmt: skip
    """Add a commit to a branch and return its id; ``None`` deletes a file.

    ``begin`` is what a new branch starts from, ``merge`` a second parent.
    """
    owner, _, name = slug.partition("/")
    row = repository(app, owner, name)
    path = source.path_of(app.extensions["rootblood"], row)
    head = _git(path, "rev-parse", "--verify", "-q", f"refs/heads/{branch}") or begin
    lines = [b"commit refs/heads/%s\n" % branch.encode()]
    lines += [b"committer %s %d +0000\n" % (author.encode(), at), _data(message)]
    lines += [b"from %s\n" % head.encode()] if head else []
    lines += [b"merge %s\n" % merge.encode()] if merge else []
    for file, content in (files or {}).items():
        quoted = _quoted(file)
        if content is None:
            lines.append(b"D %s\n" % quoted)
        else:
            lines += [b"M %s inline %s\n" % (mode.encode(), quoted), _data(content)]
    _git(path, "fast-import", "--quiet", "--force", stdin=b"".join(lines))
    return _git(path, "rev-parse", f"refs/heads/{branch}")


def tag(app: Flask, slug: str, name: str, target: str) -> None:
    owner, _, repo = slug.partition("/")
    path = source.path_of(app.extensions["rootblood"], repository(app, owner, repo))
    _git(path, "tag", name, target)


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _data(text: bytes | str) -> bytes:
    content = _bytes(text)
    return b"data %d\n%s\n" % (len(content), content)


def _quoted(name: bytes | str) -> bytes:
    """Return a path as git-fast-import(1) wants one with odd bytes in it."""
    return b'"%s"' % b"".join(b"\\%03o" % byte for byte in _bytes(name))


def _git(path: object, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        ["git", "--git-dir", str(path), *arguments], input=stdin, capture_output=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.decode().strip()
