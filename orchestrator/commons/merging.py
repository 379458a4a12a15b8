"""Merge two lines of history where nobody sees it, then let the result in at once.

All is built in a repository of its own that borrows the objects of both sides: a merge that fails,
or a server that dies in it, leaves nothing behind in either.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from models import Method
from orchestrator.commons import history
from orchestrator.commons.git import OUTPUT_BYTES_MAX, GitFailed
from orchestrator.commons.names import parse_branch, parse_object
from orchestrator.commons.source import Source
from orchestrator.commons.store import Store
from orchestrator.errors import Busy, Conflict

REBASED_MAX = 200
CONFLICTS_SHOWN = 50
SECONDS = 120.0
_CRUD = " .,:;<>\"\\'"
_LOG_FIELDS = ("%H", "%T", "%an", "%ae", "%ad", "%B")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a commit names, and when, as git writes it: ``@<seconds> <zone>``."""

    name: str
    email: str
    date: str

    @classmethod
    def of(cls, username: str, domain: str, now: datetime) -> "Identity":
        """Return that of a person of this server."""
        return cls(username, f"{username}@{domain}", f"@{int(now.timestamp())} +0000")


@dataclass(frozen=True, slots=True)
class Order:
    """What to merge: commit ``head`` into a branch that stands at ``tip``.

    ``author`` is the proposal's, ``merger`` who merges it.
    """

    tip: str
    head: str
    method: Method
    message: str
    author: Identity
    merger: Identity


@dataclass(frozen=True, slots=True)
class _Picked:
    """A commit that is written again somewhere else."""

    id: str
    tree: str
    author: Identity
    message: str


def conflicts(store: Store, both: Source, tip: str, head: str) -> list[str]:
    """Return the paths that cannot be merged; none when ``head`` merges into ``tip``.

    Raises: Conflict, where the two have no common history.
    """
    key = (both.id, ("conflicts", tip, head))
    if (answer := both.kept.get(key)) is None:
        with both.turn(), _borrowing(store, both) as place:
            found = _merged_tree(place, tip, head)[1]
        answer = "\0".join(found).encode()
        both.kept.put(key, answer)
    return answer.decode(errors="replace").split("\0") if answer else []


@contextmanager
def built(store: Store, both: Source, order: Order) -> Iterator[tuple[Path, str]]:
    """Yield a repository with the commit that ``order`` makes, and its id, for :func:`let_in`.

    Raises: Conflict.
    """
    with _borrowing(store, both) as place:
        try:
            made = _MAKERS[order.method](place, order)
            place.ask("update-ref", "refs/heads/made", made)  # what the objects are fetched by
        except GitFailed as error:
            raise Conflict("git cannot merge that", hint=error.message) from error
        yield place.path, made


def let_in(target: Source, place: Path, branch: str, made: str, tip: str) -> None:
    """Bring the commit ``made`` over, and move ``branch`` to it if that still stands at ``tip``.

    Raises: Busy, Conflict.
    """
    try:
        target.ask(
            "-c", "protocol.file.allow=always", "fetch", "--quiet", "--no-tags",
            "--no-write-fetch-head", "--no-auto-maintenance", "--", str(place), "refs/heads/made",
            seconds=SECONDS,
        )  # fmt: skip
    except GitFailed as error:
        raise Conflict("git does not take these commits", hint=error.message) from error
    try:
        target.ask("update-ref", f"refs/heads/{parse_branch(branch)}", made, parse_object(tip))
    except GitFailed as error:
        raise Busy("Somebody pushed to that branch just now") from error


@contextmanager
def _borrowing(store: Store, both: Source) -> Iterator[Source]:
    lenders = [both.path, *([both.besides] if both.besides else [])]
    with store.workplace() as path:
        listed = path / "objects" / "info" / "alternates"
        listed.write_text("".join(f"{lender / 'objects'}\n" for lender in lenders))
        listed.chmod(0o644)
        yield replace(both, path=path, besides=None)


def _merged_tree(place: Source, ours: str, theirs: str) -> tuple[str, list[str]]:
    """Return the tree of a merge, and the paths in it that conflict."""
    answer = bytearray()
    try:
        for piece in place.flow(
            "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z",
            parse_object(ours), parse_object(theirs), seconds=SECONDS,
        ):  # fmt: skip
            answer += piece
            if len(answer) > OUTPUT_BYTES_MAX:
                raise Conflict("Too much of it conflicts to be looked at")
    except GitFailed as error:
        if error.code != 1 or not answer:
            raise Conflict("These histories have nothing in common") from error
    tree, *paths = answer.decode(errors="replace").split("\0")
    return parse_object(tree.strip()), [path for path in paths if path][:CONFLICTS_SHOWN]


def _clean_tree(place: Source, ours: str, theirs: str) -> str:
    tree, paths = _merged_tree(place, ours, theirs)
    if paths:
        named = ", ".join(path if path.isprintable() else repr(path) for path in paths[:5])
        raise Conflict(
            f"There are conflicts in {named}",
            hint="Merge the target branch into yours, resolve them, and push again.",
        )
    return tree


def _merge(place: Source, order: Order) -> str:
    tree = _clean_tree(place, order.tip, order.head)
    return _commit(place, tree, [order.tip, order.head], order.message, order.merger, order.merger)


def _squash(place: Source, order: Order) -> str:
    """One commit of who wrote most of it; who else wrote some is named in the message."""
    tree = _clean_tree(place, order.tip, order.head)
    commits = history.between(place, order.tip, order.head, history.COMMITS_MAX)
    people = Counter((one.author, one.email) for one in commits)
    (first, *others) = [who for who, _ in people.most_common(20)] or [
        (order.author.name, order.author.email)
    ]
    message = order.message
    if others:
        trailers = "\n".join(f"Co-authored-by: {name} <{email}>" for name, email in others)
        message = f"{message.rstrip()}\n\n{trailers}\n"
    author = replace(order.author, name=first[0], email=first[1])
    return _commit(place, tree, [order.tip], message, author, order.merger)


def _rebase(place: Source, order: Order) -> str:
    """Write each commit again on top of ``tip``, merges left out, as ``git rebase`` does."""
    span = (order.head, f"^{order.tip}")
    linear = place.ask("rev-list", "--count", "--merges", *span, "--").strip() == b"0"
    if linear and history.merge_base(place, order.tip, order.head) == order.tip:
        return order.head
    top, top_tree = order.tip, place.ask("rev-parse", f"{order.tip}^{{tree}}").decode().strip()
    for one in _picked(place, span):
        parent = place.ask("rev-parse", f"{one.id}^").decode().strip()
        # git merges from the common ancestor: this makes the picked commit's parent that one.
        ours = _commit(place, top_tree, [parent], "", order.merger, order.merger)
        tree = _clean_tree(place, ours, one.id)
        if tree != top_tree:
            top, top_tree = (
                _commit(place, tree, [top], one.message, one.author, order.merger),
                tree,
            )
    if top == order.tip:
        raise Conflict("All of it is in the branch already")
    return top


_MAKERS = {Method.MERGE: _merge, Method.SQUASH: _squash, Method.REBASE: _rebase}


def _picked(place: Source, span: tuple[str, str]) -> list[_Picked]:
    """Return the commits to write again, the oldest first."""
    output = place.ask(
        "log", "-z", "--reverse", "--topo-order", "--no-merges", "--date=raw",
        f"--format={'%x00'.join(_LOG_FIELDS)}", f"--max-count={REBASED_MAX + 1}", *span, "--",
    )  # fmt: skip
    fields = output.decode(errors="surrogateescape").split("\0")
    size = len(_LOG_FIELDS)
    found = [
        _Picked(oid, tree, Identity(name, email, f"@{date}"), message)
        for oid, tree, name, email, date, message in (
            fields[start : start + size] for start in range(0, len(fields) - size + 1, size)
        )
    ]
    if len(found) > REBASED_MAX:
        raise Conflict(f"More than {REBASED_MAX} commits cannot be rebased here")
    return found


def _commit(
    place: Source, tree: str, parents: list[str], message: str, author: Identity, by: Identity
) -> str:
    arguments = [part for parent in parents for part in ("-p", parse_object(parent))]
    made = place.git.run(
        place.path, "commit-tree", parse_object(tree), *arguments, "-F", "-",
        stdin=message.encode(errors="surrogateescape"), environment=_people(author, by),
    )  # fmt: skip
    return made.decode().strip()


def _people(author: Identity, by: Identity) -> Mapping[str, str]:
    return {
        # git refuses to write down nobody, which other programs do.
        "GIT_AUTHOR_NAME": (author.name.strip(_CRUD) and author.name) or "unknown",
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_AUTHOR_DATE": author.date,
        "GIT_COMMITTER_NAME": by.name,
        "GIT_COMMITTER_EMAIL": by.email,
        "GIT_COMMITTER_DATE": by.date,
    }
