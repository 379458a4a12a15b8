"""Imports run one way: floor <- use cases <- web <- app, and models below the use cases."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("models", "orchestrator", "web", "gateway", "agent")
TOP = ("app", "doctor", "init_db", "escrow")

FLOOR = {
    "orchestrator",
    "orchestrator.spec",
    "orchestrator.stream",
    "orchestrator.errors",
    "orchestrator.offload",
    "orchestrator.children",
    "orchestrator.engines",
    "orchestrator.files",
    "orchestrator.storage",
}
"""Values, protocols and errors: all that an adapter may need, and the agent of a lender."""

ADAPTERS = ("orchestrator.engines.", "orchestrator.storage.")


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of ours, parsed."""
    files = [ROOT / f"{name}.py" for name in TOP]
    for package in PACKAGES:
        files += sorted((ROOT / package).rglob("*.py"))
    return {_name(path): ast.parse(path.read_text(), str(path)) for path in files}


def _imports(tree: ast.AST) -> Iterator[str]:
    """Every imported module; ``from a import b`` is ``a.b`` where that is one of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that they can be read anywhere"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in sources() else str(node.module)


@cache
def graph() -> dict[str, frozenset[str]]:
    """Which of our modules imports which others of ours."""
    ours = sources()
    return {
        name: frozenset(target for target in _imports(tree) if target in ours)
        for name, tree in ours.items()
    }


def _package(module: str) -> str:
    return module.partition(".")[0]


def _edges(*packages: str) -> Iterator[tuple[str, str]]:
    for source, targets in graph().items():
        if _package(source) in packages:
            yield from ((source, target) for target in targets)


def test_the_tree_was_read() -> None:
    assert {"app", "init_db", "models.database", "orchestrator.splice", "web.api"} <= set(graph())
    assert "orchestrator.errors" in graph()["orchestrator.workspaces"]
    assert "web.api.schema" in graph()["web.present"]


def test_models_import_nothing_of_ours() -> None:
    assert [edge for edge in _edges("models") if _package(edge[1]) != "models"] == []


def test_the_floor_stands_on_nothing() -> None:
    outside = {
        (module, target) for module in FLOOR for target in graph()[module] if target not in FLOOR
    }
    assert outside == set()


def test_adapters_stand_on_the_floor_alone() -> None:
    adapters = {name for name in graph() if name.startswith(ADAPTERS)}
    assert len(adapters) > 4
    outside = {
        (module, target)
        for module in adapters
        for target in graph()[module]
        if target not in FLOOR | adapters
    }
    assert outside == set()


def test_the_agent_needs_the_floor_and_engines_only() -> None:
    allowed = FLOOR | {name for name in graph() if name.startswith("orchestrator.engines")}
    outside = [
        edge for edge in _edges("agent") if _package(edge[1]) != "agent" and edge[1] not in allowed
    ]
    assert outside == []


def test_use_cases_know_neither_web_nor_gateway_nor_app() -> None:
    above = {"web", "gateway", "agent", *TOP}
    assert [edge for edge in _edges("orchestrator", "models") if _package(edge[1]) in above] == []


def test_nobody_imports_the_web_but_the_composition_roots() -> None:
    importers = {source for source, target in _edges(*PACKAGES, *TOP) if _package(target) == "web"}
    assert {name for name in importers if _package(name) != "web"} == set(TOP)


def test_nobody_imports_the_app() -> None:
    assert [edge for edge in _edges(*PACKAGES, "init_db") if edge[1] == "app"] == []


def test_there_are_no_cycles() -> None:
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for target in graph()[module]:
                walk(target, (*path, module))
            done.add(module)

    for module in graph():
        walk(module, ())


def _foreign(module: str) -> set[str]:
    return {_package(name) for name in _imports(sources()[module])}


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("gevent", {"app"}),
        ("flask", {"web", "init_db"}),
        ("flask_login", {"web"}),
        ("flask_sock", {"web"}),
        ("flask_wtf", {"web"}),
        ("flask_limiter", {"web"}),
        ("werkzeug", {"web", "orchestrator.passwords"}),
        ("wsproto", {"web.messages"}),
        ("flask_sqlalchemy", {"models"}),
        ("docker", {"orchestrator.engines", "orchestrator.storage"}),
        ("cryptography", {"orchestrator.storage"}),
        ("pydantic", {"web.api"}),
        ("markdown_it", {"web.markdown"}),
        ("nh3", {"web.markdown"}),
        ("pygments", {"web.highlight"}),
    ],
)
def test_libraries_stay_where_they_belong(library: str, allowed: set[str]) -> None:
    users = {name for name in graph() if library in _foreign(name)}
    assert users, f"nobody uses {library}: drop it"
    astray = {
        name for name in users if not any(name == a or name.startswith(f"{a}.") for a in allowed)
    }
    assert astray == set()


def test_own_modules_are_imported_at_the_top() -> None:
    """A function-level import of our own hides a cycle."""
    hidden = []
    for name, tree in sources().items():
        inner = [
            node
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        for node in inner:
            wrapped = ast.Module(body=[node], type_ignores=[])
            if any(_package(target) in (*PACKAGES, *TOP) for target in _imports(wrapped)):
                hidden.append(f"{name}:{node.lineno}")
    assert hidden == []


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        name
        for name, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
        and isinstance(node.value, ast.Name) and node.value.id == "os"
    }  # fmt: skip
    assert readers == {"orchestrator.settings"}


def test_only_use_cases_commit() -> None:
    """Views ask; a transaction is a use case's, through ``models.writing``."""
    commits = {
        name
        for name, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
        and isinstance(node.value, ast.Attribute) and node.value.attr == "session"
    }  # fmt: skip
    writers = {name for name in graph() if "writing" in _names(sources()[name])}
    assert commits == {"models.database"}
    assert not {name for name in writers if _package(name) == "web"}


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_no_file_holds_two_ideas() -> None:
    """350 lines is where to look for the second idea; nobody looked in what has over 400."""
    long = {
        name: lines
        for name, tree in sources().items()
        if (lines := max((getattr(n, "end_lineno", 0) or 0 for n in ast.walk(tree)), default=0))
        > 400
    }
    assert long == {}
