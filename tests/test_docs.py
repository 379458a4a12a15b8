"""What the documents say is so."""

import re
from dataclasses import MISSING, Field, fields
from pathlib import Path

import pytest

from orchestrator import errors
from orchestrator.settings import PREFIX, SET_IN_WORKSPACES, Settings
from web.api import openapi
from web.problems import status_of

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "docs" / "reference" / "settings.md"
API = ROOT / "docs" / "reference" / "api.md"
_OPERATION = re.compile(r"^\| `([A-Z]+ /\S+)` \| (\d+)", re.MULTILINE)
_SLUG = re.compile(r"^\| `([a-z-]+)` \| (\d+) \|", re.MULTILINE)
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


def found_once(pattern: re.Pattern[str]) -> dict[str, int]:
    """Return what the API's tables have: a name and its status, each once."""
    found = pattern.findall(API.read_text())
    assert len(found) == len({name for name, _ in found}), "something stands there twice"
    return {name: int(status) for name, status in found}


def test_every_operation_is_documented_and_no_other() -> None:
    described = {}
    for path, item in openapi.document()["paths"].items():
        for method, entry in item.items():
            shown = re.sub(r"{(?:\w+_)?(\w+)}", r"<\1>", path)
            described[f"{method.upper()} {shown}"] = int(next(iter(entry["responses"])))
    assert found_once(_OPERATION) == described


def kinds_of_error(kind: type[errors.RootBloodError]) -> list[type[errors.RootBloodError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in kinds_of_error(below))]


def test_every_kind_of_error_is_documented_with_its_status() -> None:
    documented = found_once(_SLUG)
    for of_http in ("too-long", "bad-csrf-token"):  # not ours: see web.problems
        del documented[of_http]
    kinds = kinds_of_error(errors.RootBloodError)
    assert documented == {kind.slug: status_of(kind.__new__(kind)) for kind in kinds}


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
