"""Parsers for what people name in the commons: repositories, refs, revisions, paths.

What they return may stand in a path, in a ref or in git's arguments (behind
``--end-of-options``); nothing else of what people send may.
"""

import re
from dataclasses import dataclass

from orchestrator.errors import BadInput
from orchestrator.names import USERNAME_MAX

REPOSITORY_MAX = 64
REF_MAX = 200
"""Bytes: every part of a ref is a file's name, which ends at 255 with git's ``.lock`` behind it."""
PATH_MAX = 4096

_OWNER = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)
_OBJECT = re.compile(r"[0-9a-f]{40}", re.ASCII)
_ABBREVIATED = re.compile(r"[0-9a-f]{4,40}", re.ASCII)
# git-check-ref-format(1), rules 1, 3, 4, 5, 7, 8, 9 and 10.
_NO_REF = re.compile(r"(?:^|/)\.|\.\.|[ ~^:?*\[\\]|@\{|//|^/|/$|\.$|\.lock(?:/|$)|^@$")
PUSHABLE = ("refs/heads/", "refs/tags/", "refs/notes/")


@dataclass(frozen=True, slots=True)
class RepoName:
    """A repository's full name, already parsed; as text ``owner/name``."""

    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def directory(self) -> str:
        """Return where it lies below a root of the store."""
        return f"{self.owner}/{self.name}.git"


def parse_owner(text: object) -> str:
    """Return ``text`` when it can name the owner of repositories. Raises: BadInput."""
    if isinstance(text, str) and len(text) <= USERNAME_MAX and _OWNER.fullmatch(text):
        return text
    raise BadInput("That is not a valid owner", field="owner", hint="It is a username.")


def parse_repository(text: object) -> str:
    """Return ``text`` when it can name a repository, without its owner. Raises: BadInput."""
    if (
        isinstance(text, str)
        and len(text) <= REPOSITORY_MAX
        and _REPOSITORY.fullmatch(text)
        and ".." not in text
        and not text.lower().endswith((".git", ".lock", "."))
    ):
        return text
    raise BadInput(
        "That is not a valid repository name",
        field="name",
        hint=f"Use 1 to {REPOSITORY_MAX} characters of a-z, A-Z, 0-9, '-', '_' and '.', beginning "
        "with a letter, a digit or '_', and no '.git' at the end.",
    )


def parse_full_name(owner: object, name: object) -> RepoName:
    """Return both parts parsed; the name may carry git's customary ``.git``. Raises: BadInput."""
    if isinstance(name, str):
        name = name.removesuffix(".git")
    return RepoName(parse_owner(owner), parse_repository(name))


def parse_ref(text: object) -> str:
    """Return ``text`` when it is a full ref that people may push: a branch, a tag or a note.

    Stricter than git: one printable line, so that no name carries a terminal's escapes.
    Raises: BadInput.
    """
    if (
        isinstance(text, str)
        and len(text) <= REF_MAX
        and len(text.encode("utf-8", "replace")) <= REF_MAX
        and text.isprintable()
        and not _NO_REF.search(text)
        and any(_is_below(text, space) for space in PUSHABLE)
    ):
        return text
    raise BadInput(
        "That is not a valid ref",
        field="ref",
        hint="Branches, tags and notes have names as 'git check-ref-format' allows, in printable "
        f"characters, at most {REF_MAX} bytes, not beginning with '-'.",
    )


def _is_below(ref: str, space: str) -> bool:
    short = ref.removeprefix(space)
    # A branch that looks like an object's id or an option would be read as one.
    return (
        short not in ("", "HEAD", ref) and short[0] != "-" and not _OBJECT.fullmatch(short.lower())
    )


def parse_branch(text: object) -> str:
    """Return ``text`` when it is a branch's short name. Raises: BadInput."""
    try:
        return parse_ref(f"refs/heads/{text}").removeprefix("refs/heads/")
    except BadInput:
        raise BadInput("That is not a valid branch name", field="branch") from None


def parse_revision(text: object) -> str:
    """Return ``text`` when it is ``HEAD``, a branch, a tag, a full ref or an object's id.

    It still may name nothing, or several things: ``git rev-parse`` decides. Raises: BadInput.
    """
    if isinstance(text, str) and (text == "HEAD" or _ABBREVIATED.fullmatch(text)):
        return text
    try:
        whole = isinstance(text, str) and text.startswith(PUSHABLE)
        return parse_ref(text) if whole else parse_branch(text)
    except BadInput:
        raise BadInput("That is not a valid revision", field="revision") from None


def parse_object(text: object) -> str:
    """Return ``text`` when it is an object's whole id. Raises: BadInput."""
    if isinstance(text, str) and _OBJECT.fullmatch(text):
        return text
    raise BadInput("That is not an object's id", field="id")


def parse_path(text: object) -> str:
    """Return ``text`` when it is the path of something in a repository; ``""`` is the top.

    Names are whatever people committed, newlines and escapes too: quote them before showing.
    Raises: BadInput.
    """
    if (
        isinstance(text, str)
        and len(text) <= PATH_MAX
        and "\0" not in text
        and (text == "" or not {"", ".", ".."} & set(text.split("/")))
    ):
        return text
    raise BadInput("That is not a path in a repository", field="path")
