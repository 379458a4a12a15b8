"""What a push may do. git has checked each object by then; nothing has moved yet.

Refusals are lines for the person who pushes: what is wrong, and what to do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.commons.git import Git, GitFailed, TooLarge
from orchestrator.commons.names import parse_ref
from orchestrator.commons.store import tree_bytes
from orchestrator.errors import BadInput
from orchestrator.offload import offload

UPDATES_MAX = 10_000
TREE_BYTES_MAX = 16 << 20
"""Some 400,000 names in one directory: each page that shows it reads all of it."""
TEXT_BYTES_MAX = 1 << 20
"""Of a commit or an annotated tag."""
_LISTING_BYTES_MAX = 512 << 20
_NAMED = 5
_NOTHING = "0" * 40


@dataclass(frozen=True, slots=True)
class Update:
    """One ref that a push wants to move, or has moved."""

    old: str
    new: str
    ref: str

    @classmethod
    def parse(cls, line: str) -> "Update":
        """Return what a line of git's to its receive hooks says: githooks(5)."""
        old, new, ref = line.split(" ", 2)
        return cls(old, new, ref)

    @property
    def creates(self) -> bool:
        return self.old == _NOTHING

    @property
    def deletes(self) -> bool:
        return self.new == _NOTHING

    @property
    def branch(self) -> str | None:
        """Return the short name where it is a branch."""
        return self.ref.removeprefix("refs/heads/") if self.ref.startswith("refs/heads/") else None


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one repository at the moment of a push; sizes in bytes."""

    default_branch: str
    protected: bool
    archived: bool
    file_bytes_max: int
    push_bytes_max: int
    left_bytes: int
    """What the owner's allowance still has room for."""


def refusals(
    git: Git, repository: Path, quarantine: Path, updates: Sequence[Update], rules: Rules
) -> list[str]:
    """Return why the push is refused, or nothing."""
    if rules.archived:
        return ["This repository is archived: nothing can be pushed to it."]
    if len(updates) > UPDATES_MAX:
        return [f"A push may change {UPDATES_MAX:,} refs at once; this one has {len(updates):,}."]
    found = [reason for update in updates if (reason := _name_refusal(update))]
    if found:
        return found
    inside = _inside(repository, quarantine)
    found = [
        reason
        for update in updates
        if rules.protected and update.branch == rules.default_branch
        if (reason := _protection_refusal(git, repository, inside, update))
    ]
    return found or list(_size_refusals(git, repository, quarantine, inside, updates, rules))


def _name_refusal(update: Update) -> str | None:
    try:
        if not update.deletes:  # what is there already may always go
            parse_ref(update.ref)
    except BadInput as error:
        return f"{update.ref!a} cannot be pushed. {error.hint}"
    return None


def _inside(repository: Path, quarantine: Path) -> dict[str, str]:
    """Return what lets git see the pushed objects beside the repository's own."""
    return {
        "GIT_OBJECT_DIRECTORY": str(quarantine),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(repository / "objects"),
        "GIT_QUARANTINE_PATH": str(quarantine),
    }


def _protection_refusal(
    git: Git, repository: Path, inside: dict[str, str], update: Update
) -> str | None:
    if update.creates:
        return None
    if update.deletes:
        return f"'{update.branch}' is protected: it cannot be deleted."
    try:
        git.run(
            repository, "merge-base", "--is-ancestor", "--end-of-options", update.old, update.new,
            environment=inside,
        )  # fmt: skip
    except GitFailed as error:
        if error.code != 1:  # git-merge-base(1): 1 is no
            raise
        return (
            f"'{update.branch}' is protected: its history cannot be rewritten. "
            "Pull first, or push to another branch."
        )
    return None


def _size_refusals(
    git: Git,
    repository: Path,
    quarantine: Path,
    inside: dict[str, str],
    updates: Sequence[Update],
    rules: Rules,
) -> Iterator[str]:
    if not quarantine.is_dir():  # nothing but deletions
        return
    size = offload(tree_bytes, quarantine)
    if size > rules.push_bytes_max:
        yield f"This push has {_mib(size)}, more than the {_mib(rules.push_bytes_max)} of one push."
        return
    if size > rules.left_bytes:
        yield (
            f"This push has {_mib(size)}; the owner's allowance has {_mib(rules.left_bytes)} left. "
            "Delete what is not needed, or ask an administrator for more."
        )
        return
    try:
        large = _too_large(git, repository, quarantine, rules)
    except TooLarge:
        yield "This push has too many objects at once: push it in parts."
        return
    if large:
        yield f"A file may have {_mib(rules.file_bytes_max)}. Too large:"
        paths = _paths_of(git, repository, inside, updates, {name for name, _ in large})
        for name, bytes_ in large[:_NAMED]:
            yield f"  {paths.get(name, name)}  {_mib(bytes_)}"


def _too_large(git: Git, repository: Path, quarantine: Path, rules: Rules) -> list[tuple[str, int]]:
    """Return the pushed objects that are larger than such may be, with their sizes."""
    most = {
        "blob": rules.file_bytes_max, "tree": TREE_BYTES_MAX,
        "commit": TEXT_BYTES_MAX, "tag": TEXT_BYTES_MAX,
    }  # fmt: skip
    # The quarantine alone, without the repository's own objects.
    listing = git.run(
        repository, "cat-file", "--batch-all-objects", "--unordered",
        "--batch-check=%(objecttype) %(objectsize) %(objectname)",
        environment={"GIT_OBJECT_DIRECTORY": str(quarantine)}, most=_LISTING_BYTES_MAX,
    )  # fmt: skip
    return offload(_over, listing, most)


def _over(listing: bytes, most: dict[str, int]) -> list[tuple[str, int]]:
    found = []
    for line in listing.decode("ascii").splitlines():
        kind, size, name = line.split(" ")
        if int(size) > most[kind]:
            found.append((name, int(size)))
    return sorted(found, key=lambda one: -one[1])


def _paths_of(
    git: Git,
    repository: Path,
    inside: dict[str, str],
    updates: Sequence[Update],
    objects: set[str],
) -> dict[str, str]:
    """Return under which names the push brings the objects, as far as that is quick to tell."""
    tips = "".join(f"{update.new}\n" for update in updates if not update.deletes)
    try:
        listing = git.run(
            repository, "rev-list", "--objects", "--stdin", "--not", "--all",
            stdin=tips.encode(), environment=inside, seconds=20.0,
        )  # fmt: skip
    except (GitFailed, TooLarge):
        return {}
    lines = (line.split(" ", 1) for line in listing.decode(errors="replace").splitlines())
    return {part[0]: part[1] for part in lines if len(part) == 2 and part[0] in objects}


def _mib(size: int) -> str:
    return f"{max(size, 0) / (1 << 20):,.1f} MiB"
