import json
from dataclasses import replace
from pathlib import Path

import pytest

from models import Template
from orchestrator import apps
from orchestrator.apps import CODE_SERVER, JUPYTERLAB, App
from orchestrator.errors import BadInput, NotFound
from orchestrator.spec import Mount
from tests.end_to_end.server import PROJECT

DOCS = App("docs", "Docs", "book-open", 8000, "/", ("python3", "-m", "http.server", "a b"))


def template(*own: App) -> Template:
    return Template(apps=apps.stored(own))


def test_a_template_has_the_apps_that_it_names() -> None:
    assert apps.of(template(DOCS, JUPYTERLAB)) == [DOCS, JUPYTERLAB]
    assert apps.named(template(DOCS), "docs") == DOCS
    with pytest.raises(NotFound):
        apps.named(template(DOCS), "jupyterlab")


def test_lines_are_read_as_they_are_written() -> None:
    shipped = (DOCS, JUPYTERLAB, CODE_SERVER)
    text = apps.written(shipped)
    assert text.startswith("docs | Docs | book-open | 8000 | / | python3 -m http.server 'a b'\n")
    assert apps.parse(f"\n{text}\n\n") == shipped
    assert apps.parse("") == ()


@pytest.mark.parametrize(
    "line",
    [
        "docs", "docs | Docs | box | 8000 | /", "D | Docs | box | 8000 | / | a",
        "-d | Docs | box | 8000 | / | a", "../d | Docs | box | 8000 | / | a",
        f"{'d' * 31} | Docs | box | 8000 | / | a", "d | | box | 8000 | / | a",
        "d | Docs | skull | 8000 | / | a", "d | Docs | box | 7681 | / | a",
        "d | Docs | box | 0 | / | a", "d | Docs | box | many | / | a",
        "d | Docs | box | 65536 | / | a", "d | Docs | box | 8000 | ready | a",
        "d | Docs | box | 8000 | /a b | a", "d | Docs | box | 8000 | / |",
        "d | Docs | box | 8000 | / | 'a", "d|D|box|1|/|a\nd|D|box|2|/|a",
        "d|D|box|1|/|a\ne|E|box|1|/|a", "d|D|box|1|/|a\0",
        "\n".join(f"a{n}|A|box|{n}|/|b" for n in range(1, 18)),
    ],
)  # fmt: skip
def test_what_is_no_app_is_refused(line: str) -> None:
    with pytest.raises(BadInput) as refused:
        apps.parse(line)
    assert refused.value.field == "apps"


def test_the_pages_have_every_icon_of_apps() -> None:
    icons = json.loads((PROJECT / "frontend/icons.json").read_text())
    assert set(apps.ICONS) <= set(icons)


def test_a_shelf_is_mounted_where_an_app_needs_it_and_it_is_there(tmp_path: Path) -> None:
    wanted = template(DOCS, CODE_SERVER)
    assert (DOCS.shelf, CODE_SERVER.shelf) == ("", "code-server")
    assert apps.mounts(wanted, tmp_path) == ()
    assert apps.is_installed(DOCS, tmp_path)
    assert not apps.is_installed(CODE_SERVER, tmp_path)
    (tmp_path / "code-server").mkdir()
    found = Mount(str(tmp_path / "code-server"), "/opt/apps/code-server", read_only=True)
    assert apps.mounts(wanted, tmp_path) == (found,)
    assert apps.mounts(template(DOCS), tmp_path) == ()
    assert apps.is_installed(CODE_SERVER, tmp_path)


@pytest.mark.parametrize("program", ["/opt/apps/../etc/x", "/opt/apps/a", "/opt/apps/.x/y", "a"])
def test_no_other_path_is_a_shelf(program: str) -> None:
    assert replace(DOCS, command=(program,)).shelf == ""
