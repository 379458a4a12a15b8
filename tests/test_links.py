"""A reader who follows a link arrives, also at the heading it names."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parent.parent
README_LINES = 150
_FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^]]*\]\(([^)\s]+)\)|^\[[^]]+\]: (\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)


def documents() -> list[Path]:
    """Every document that is ours: not those of packages and tools."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def prose(document: Path) -> str:
    return _FENCE.sub("", document.read_text())


def links(document: Path) -> list[str]:
    """Return the targets that are not of another site."""
    text = _CODE.sub("`code`", prose(document))
    found = [inline or reference for inline, reference in _LINK.findall(text)]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


@cache
def anchors(document: Path) -> frozenset[str]:
    """Return the anchors of the headings, made as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(document)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 0
        while (unique := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(unique)
    return frozenset(found)


def dead(document: Path, target: str) -> str:
    """Say what is wrong with a link; empty when it leads somewhere."""
    path, _, anchor = unquote(target).partition("#")
    file = (document.parent / path).resolve() if path else document
    if not file.is_relative_to(ROOT):
        return f"{target} leaves the repository"
    if not file.exists():
        return f"{target} is not there"
    if anchor and (file.suffix != ".md" or anchor not in anchors(file)):
        return f"{target} names no heading"
    return ""


def test_there_are_documents_and_links() -> None:
    assert len(documents()) > 15
    assert sum(len(links(document)) for document in documents()) > 60


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_images_lead_somewhere(document: Path) -> None:
    assert [why for target in links(document) if (why := dead(document, target))] == []


def test_every_document_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    assert {path for path in (ROOT / "docs").rglob("*.md") if path != index} <= listed


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < README_LINES
