"""What every page of a repository has: its address, its head, and who may do what on it."""

import shlex
from typing import Any
from urllib.parse import quote
from zlib import crc32

from flask import Blueprint, render_template, request

from models import Level, Repository, Stage, Visibility
from orchestrator.commons import finding, proposals, rights, source, stars
from orchestrator.commons.source import Source
from web import visible
from web.identity import caller, platform

pages = Blueprint("repository", __name__, url_prefix="/global/<owner>/<name>")


@pages.before_request
def only_people() -> None:
    """Send strangers to the sign-in before anything is looked up."""
    caller()


def found(owner: str, name: str, need: Level = Level.READ) -> Repository:
    """Return the repository of an address. Raises: NotFound, Forbidden."""
    return finding.find(caller().user, owner, name, need)


def opened(owner: str, name: str) -> tuple[Repository, Source]:
    """Return the repository of an address, and what reads it. Raises: NotFound."""
    row = found(owner, name)
    return row, source.of(platform(), row, asker=caller().user)


def url(row: Repository, *parts: str) -> str:
    """Return the address of one of the repository's pages; parts are quoted, slashes stay."""
    steps = "/".join(quote(part, safe="/") for part in parts)
    return f"/global/{row.slug}/{steps}"


def show(template: str, row: Repository, tab: str, **context: Any) -> str:
    """Render a page of the repository."""
    return render_template(f"commons/{template}.html", nav="commons", **head(row, tab), **context)


def head(row: Repository, tab: str) -> dict[str, Any]:
    """Return what the top of every page shows. Reads the database: git is done by then."""
    viewer = caller().user
    level = finding.level_of(viewer, row)
    counts = finding.listed(viewer, row)
    private = row.visibility is Visibility.PRIVATE
    return {
        "repo": row,
        "url": url(row).rstrip("/"),
        "tab": tab,
        "private": private,
        "parent": finding.parent_of(viewer, row),
        "stars": counts.stars,
        "forks": counts.forks,
        "starred": stars.has_starred(viewer, row),
        "my_fork": finding.fork_of(viewer, row) if row.owner_id != viewer.id else None,
        "mine": row.owner_id == viewer.id,
        "may_write": rights.may_push(level, row),
        "may_admin": rights.allows(level, Level.ADMIN),
        "open_proposals": proposals.of_repository(row, Stage.OPEN)[1],
        "clone_local": None if private else f"/global/{row.slug}",
        "clone_http": f"{request.host_url}git/{row.slug}.git",
    }


@pages.app_template_filter("visible_text")
def shown_text(text: object) -> str:
    """Return somebody's text with its lines, and what cannot be seen as signs."""
    return visible.text(str(text))


@pages.app_template_filter("visible")
def shown_name(text: object) -> str:
    """Return somebody's text on one line, with what cannot be seen as signs."""
    return visible.name(str(text))


_HUES = {
    "C": 250, "C#": 120, "C++": 325, "CSS": 280, "Dockerfile": 205, "Go": 190, "HTML": 8,
    "Java": 35, "JavaScript": 50, "Kotlin": 300, "Makefile": 80, "PHP": 262, "Python": 215,
    "Ruby": 350, "Rust": 22, "SQL": 165, "Shell": 100, "Swift": 15, "TypeScript": 232,
}  # fmt: skip


@pages.app_template_filter("quoted")
def quoted(text: str) -> str:
    """Return a path or revision for an address."""
    return quote(text, safe="/")


@pages.app_template_filter("as_word")
def as_word(text: str) -> str:
    """Return somebody's text as one word of a shell: commands are copied and run as they are."""
    return shlex.quote(visible.name(text))


@pages.app_template_filter("hue")
def hue(text: str) -> int:
    """Return the colour of a name, always the same one."""
    return crc32(text.encode()) % 360


@pages.app_template_filter("language_hue")
def language_hue(name: str) -> int:
    """Return the colour of a language, where people know one that one."""
    return _HUES.get(name, hue(name))
