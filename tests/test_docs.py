"""What the documents say is so."""

import re
from dataclasses import MISSING, Field, fields
from pathlib import Path

import pytest

from orchestrator.settings import PREFIX, SET_IN_WORKSPACES, Settings

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "docs" / "reference" / "settings.md"
_ROW = re.compile(r"\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|")
_LINK = re.compile(r"\[[^]]*\]\(([^)#\s]+)")


def rows() -> dict[str, tuple[str, str, str]]:
    found = [match.groups() for match in _ROW.finditer(SETTINGS.read_text())]
    names = [name for name, *_ in found]
    assert len(names) == len(set(names)), "a setting stands there twice"
    return {name: (default, unit, text) for name, default, unit, text in found}


def shown(setting: Field) -> str:
    default = setting.default
    assert default is not MISSING
    if isinstance(default, bool):
        return "`on`" if default else "`off`"
    return "empty" if default in ("", ()) else f"`{default}`"


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: setting.name)
def test_every_setting_is_documented_as_it_is(setting: Field) -> None:
    assert rows()[PREFIX + setting.name.upper()] == (
        shown(setting),
        setting.metadata["unit"] or "–",
        setting.metadata["help"],
    )


def test_no_setting_is_documented_that_is_none() -> None:
    assert set(rows()) == {PREFIX + setting.name.upper() for setting in fields(Settings)}


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    targets = [t for t in _LINK.findall(document.read_text()) if "://" not in t]
    assert [t for t in targets if not (document.parent / t).exists()] == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_variables_that_documents_mention_exist(document: Path) -> None:
    known = {PREFIX + setting.name.upper() for setting in fields(Settings)} | SET_IN_WORKSPACES
    mentioned = set(re.findall(r"\bROOTBLOOD_[A-Z_]*[A-Z]\b", document.read_text()))
    assert mentioned - known == set()
