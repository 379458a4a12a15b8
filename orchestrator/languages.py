"""Language servers: which a workspace has."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from models import Template
from orchestrator.errors import BadInput, NotFound
from orchestrator.names import parse_title

SERVERS_MOST = 16

_ID = re.compile(r"[a-z0-9]+(?:[-+#][a-z0-9]*)*", re.ASCII)
_EXTENSION = re.compile(r"\.[A-Za-z0-9_+#-]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Language:
    """One server, and for which files; ``command`` speaks its protocol on its standard streams."""

    id: str
    title: str
    extensions: tuple[str, ...]
    command: tuple[str, ...]

    def checked(self) -> "Language":
        """Return itself when it can be used. Raises: BadInput."""
        if len(self.id) > 30 or not _ID.fullmatch(self.id):
            raise BadInput("A language's id has small letters and digits", field="languages")
        parse_title(self.title, field="languages")
        extensions = self.extensions
        if not 0 < len(extensions) <= 30 or not all(map(_EXTENSION.fullmatch, extensions)):
            raise BadInput("Write endings of names as .py", field="languages")
        words = self.command
        if not 0 < len(words) <= 50 or any("\0" in word or len(word) > 500 for word in words):
            raise BadInput("Say which command is the server", field="languages")
        return self


BUILT_IN = (
    Language("python", "Python", (".py", ".pyi"), ("pyright-langserver", "--stdio")),
    Language(
        "typescript",
        "TypeScript and JavaScript",
        (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"),
        ("typescript-language-server", "--stdio"),
    ),
)


def of(template: Template) -> list[Language]:
    """Return the servers of a template's workspaces: its own, and those built in beside them."""
    own = [loaded(one) for one in template.languages]
    ids = {one.id for one in own}
    return own + [one for one in BUILT_IN if one.id not in ids]


def loaded(stored: dict[str, Any]) -> Language:
    """Return a server as the database has it."""
    return Language(
        stored["id"], stored["title"], tuple(stored["extensions"]), tuple(stored["command"])
    )


def stored(languages: Iterable[Language]) -> list[dict[str, Any]]:
    """Return servers as the database has them."""
    return [asdict(one) for one in languages]


def parse(text: str) -> tuple[Language, ...]:
    """Read servers as administrators write them, one a line: ``id | title | .ext .ext | command``.

    Raises: BadInput.
    """
    found = tuple(_parsed(line) for line in text[:20_000].splitlines() if line.strip())
    if len(found) > SERVERS_MOST or len({one.id for one in found}) != len(found):
        raise BadInput(f"Name at most {SERVERS_MOST} languages, each once", field="languages")
    return found


def _parsed(line: str) -> Language:
    parts = [part.strip() for part in line.split("|", 3)]
    try:
        id, title, extensions, command = parts
        words = shlex.split(command)
    except ValueError as error:
        raise BadInput(
            "That is not a language server",
            field="languages",
            hint="Write one a line: rust | Rust | .rs | rust-analyzer",
        ) from error
    return Language(id, title, tuple(extensions.split()), tuple(words)).checked()


def written(languages: Iterable[Language]) -> str:
    """Return servers as :func:`parse` reads them."""
    return "\n".join(
        f"{one.id} | {one.title} | {' '.join(one.extensions)} | {shlex.join(one.command)}"
        for one in languages
    )


def named(template: Template, id: str) -> Language:
    """Return the server of that id. Raises: NotFound."""
    for one in of(template):
        if one.id == id:
            return one
    raise NotFound("This workspace has no such language server")
