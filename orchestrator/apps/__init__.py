"""Apps: programs with a page of their own that a template names, run in a workspace on demand.

Words: an *app* is a title and a command that serves HTTP on a port of the workspace's loopback,
opened as a preview; a *shelf* is a folder of the operator's with a program that is not part of the
template's image, which workspaces see read-only.
"""

import re
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models import Template
from orchestrator.errors import BadInput, NotFound
from orchestrator.names import parse_title
from orchestrator.previews import is_previewable
from orchestrator.spec import Mount

APPS_MOST = 16
SHELVES = "/opt/apps"
"""Where a workspace sees what the operator installed: a command in there needs that shelf."""

_ID = re.compile(r"(?=.{1,30}$)[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
ICONS = (
    "app-window", "book-open", "box", "chart-line", "code", "database", "globe", "monitor",
    "notebook-text", "terminal",
)  # fmt: skip
_PATH = re.compile(r"/[!-~]{0,200}", re.ASCII)
_SHELF = re.compile(rf"{SHELVES}/([a-z0-9]+(?:-[a-z0-9]+)*)/", re.ASCII)


@dataclass(frozen=True, slots=True)
class App:
    """One app; ``command`` stays in front, and listens on ``port`` of 127.0.0.1 and nowhere else.

    It asks for no password: whoever reaches it has passed the gate of the previews.
    """

    id: str
    title: str
    icon: str
    """One of ``ICONS``, which the pages have."""
    port: int
    ready: str
    """A path that answers once it can be used."""
    command: tuple[str, ...]

    def checked(self) -> "App":
        """Return itself when it can be used. Raises: BadInput."""
        if not _ID.fullmatch(self.id):
            raise BadInput("An app's id has small letters, digits and hyphens", field="apps")
        parse_title(self.title, field="apps")
        if self.icon not in ICONS:
            raise BadInput("The icon is one of " + ", ".join(ICONS), field="apps")
        if not is_previewable(self.port):
            raise BadInput("An app's port is a number from 1 to 65535, not 7681", field="apps")
        if not _PATH.fullmatch(self.ready):
            raise BadInput("Write where it answers as /path", field="apps")
        words = self.command
        if not 0 < len(words) <= 50 or any("\0" in word or len(word) > 500 for word in words):
            raise BadInput("Say which command is the app", field="apps")
        return self

    @property
    def shelf(self) -> str:
        """The shelf that its program is on, "" for one of the image."""
        found = _SHELF.match(self.command[0])
        return found[1] if found else ""


JUPYTERLAB = App(
    id="jupyterlab",
    title="JupyterLab",
    icon="notebook-text",
    port=8888,
    ready="/api",
    command=("/opt/jupyter/bin/jupyter-lab", "--no-browser", "--ip=127.0.0.1", "--port=8888"),
)
CODE_SERVER = App(
    id="code-server",
    title="code-server",
    icon="code",
    port=13337,
    ready="/healthz",
    command=(
        f"{SHELVES}/code-server/bin/code-server", "--bind-addr=127.0.0.1:13337", "--auth=none",
        # The previews' gate has checked the origin, and says "localhost" for it.
        "--trusted-origins=localhost:13337", "--reconnection-grace-time=60",
        "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust", ".",
    ),
)  # fmt: skip

SHIPPED = {one.id: one for one in (JUPYTERLAB, CODE_SERVER)}
"""What ``script/add-app`` knows how to add."""


def of(template: Template) -> list[App]:
    """Return the apps of a template's workspaces."""
    return [loaded(one) for one in template.apps]


def named(template: Template, id: str) -> App:
    """Return the app of that id. Raises: NotFound."""
    for one in of(template):
        if one.id == id:
            return one
    raise NotFound("This workspace has no such app")


def loaded(stored: dict[str, Any]) -> App:
    """Return an app as the database has it."""
    return App(**{**stored, "command": tuple(stored["command"])})


def stored(apps: Iterable[App]) -> list[dict[str, Any]]:
    """Return apps as the database has them."""
    return [asdict(one) for one in apps]


def parse(text: str) -> tuple[App, ...]:
    """Read apps as administrators write them, one a line: see :func:`written`. Raises: BadInput."""
    return checked(tuple(_parsed(line) for line in text[:20_000].splitlines() if line.strip()))


def checked(apps: tuple[App, ...]) -> tuple[App, ...]:
    """Return them when one workspace can have all of them. Raises: BadInput."""
    for app in apps:
        app.checked()
    for each in ({one.id for one in apps}, {one.port for one in apps}):
        if len(apps) > APPS_MOST or len(each) != len(apps):
            raise BadInput(
                f"Name at most {APPS_MOST} apps, each with an id and a port of its own",
                field="apps",
            )
    return apps


def _parsed(line: str) -> App:
    parts = [part.strip() for part in line.split("|", 5)]
    try:
        id, title, icon, port, ready, command = parts
        return App(id, title, icon, int(port), ready, tuple(shlex.split(command)))
    except ValueError as error:
        raise BadInput(
            "That is not an app",
            field="apps",
            hint="Write one a line: docs | Docs | book | 8000 | / | python3 -m http.server 8000",
        ) from error


def written(apps: Iterable[App]) -> str:
    """Return apps as :func:`parse` reads them: ``id | title | icon | port | ready | command``."""
    return "\n".join(
        f"{one.id} | {one.title} | {one.icon} | {one.port} | {one.ready} | "
        f"{shlex.join(one.command)}"
        for one in apps
    )


def shelves(data_dir: Path) -> Path:
    """Return the folder of all shelves, which is filled by ``script/add-app``."""
    return data_dir.absolute() / "apps"


def is_installed(app: App, shelves: Path) -> bool:
    """Return whether the app's shelf, if it needs one, is below the folder ``shelves``."""
    return not app.shelf or (shelves / app.shelf).is_dir()


def mounts(template: Template, shelves: Path) -> tuple[Mount, ...]:
    """Return the shelves that a template's workspaces see, as far as they are installed."""
    found = {one.shelf for one in of(template) if one.shelf and is_installed(one, shelves)}
    return tuple(
        Mount(str(shelves / name), f"{SHELVES}/{name}", read_only=True) for name in sorted(found)
    )
