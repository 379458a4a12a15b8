"""What only a walk over a whole repository tells: measured after a push, then read from its row."""

from collections import Counter
from typing import Any

from orchestrator.commons import history
from orchestrator.commons.git import GitFailed
from orchestrator.commons.names import parse_object
from orchestrator.commons.source import Source

PEOPLE_MAX = 100
FILES_MAX_BYTES = 16 << 20
_COUNT_SECONDS = 60.0
_INDEX_SECONDS = 300.0
"""Of the first push; the next one adds to what is there."""

_LANGUAGES = {
    "Ada": "adb ads", "Assembly": "asm s", "C": "c h", "C#": "cs", "C++": "cc cpp cxx hh hpp hxx",
    "CSS": "css less scss sass", "Clojure": "clj cljs", "CMake": "cmake", "Crystal": "cr",
    "D": "d", "Dart": "dart", "Elixir": "ex exs", "Elm": "elm", "Erlang": "erl hrl",
    "F#": "fs fsx", "Fortran": "f f90 f95", "Go": "go", "Groovy": "groovy gradle",
    "HTML": "html htm", "Haskell": "hs lhs", "Java": "java", "JavaScript": "js mjs cjs jsx",
    "Julia": "jl", "Jupyter Notebook": "ipynb", "Kotlin": "kt kts", "Lisp": "lisp el",
    "Lua": "lua", "Makefile": "mk", "Nim": "nim", "Nix": "nix", "OCaml": "ml mli",
    "Objective-C": "m mm", "PHP": "php", "Pascal": "pas pp", "Perl": "pl pm", "Python": "py pyi",
    "R": "r", "Racket": "rkt", "Ruby": "rb", "Rust": "rs", "SQL": "sql", "Scala": "scala",
    "Scheme": "scm", "Shell": "sh bash zsh fish", "Svelte": "svelte", "Swift": "swift",
    "Tcl": "tcl", "TeX": "tex sty", "TypeScript": "ts tsx mts", "V": "v", "Vim script": "vim",
    "Vue": "vue", "Zig": "zig",
}  # fmt: skip
_BY_ENDING = {ending: name for name, endings in _LANGUAGES.items() for ending in endings.split()}
_BY_NAME = {"makefile": "Makefile", "dockerfile": "Dockerfile", "cmakelists.txt": "CMake"}
_FOREIGN = ("vendor/", "node_modules/", "third_party/", "dist/")
"""Folders whose content is customarily somebody else's work."""


def measure(source: Source, head: str, known: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of the commit ``head``; ``known`` are those of an earlier one, or empty.

    ``{"head", "commits", "people": [[name, commits], ...], "languages": {name: bytes}}``: people
    with the most commits first, at most ``PEOPLE_MAX``; languages by size. Raises: GitFailed.
    """
    counts = Counter[str]()
    span = [parse_object(head)]
    if (earlier := known.get("head")) and _leads_to(source, earlier, head):
        counts.update(dict(known["people"]))
        span.append(f"^{parse_object(earlier)}")
    summary = source.ask("shortlog", "-s", *span, "--", seconds=_COUNT_SECONDS)
    for line in summary.decode(errors="replace").split("\n")[:-1]:
        number, _, name = line.partition("\t")
        counts[name] += int(number)
    counted = source.ask("rev-list", "--count", parse_object(head), "--", seconds=_COUNT_SECONDS)
    return {
        "head": head,
        "commits": int(counted),
        "people": [list(pair) for pair in counts.most_common(PEOPLE_MAX)],
        "languages": languages(source, head),
    }


def languages(source: Source, head: str) -> dict[str, int]:
    """Return the bytes of each language, the most first, as far as names of files tell."""
    listed, _ = source.begin(
        "ls-tree", "-r", "-l", "-z", "--full-tree", parse_object(head), most=FILES_MAX_BYTES
    )
    sizes = Counter[str]()
    for line in listed.split(b"\0")[:-1]:
        facts, _, path = line.partition(b"\t")
        size = facts.rpartition(b" ")[2]
        language = language_of(path.decode(errors="replace"))
        if language and size.isdigit():
            sizes[language] += int(size)
    return dict(sizes.most_common())


def language_of(path: str) -> str:
    """Return what a file is written in, as far as its name tells; nothing for other content."""
    if path.startswith(_FOREIGN):
        return ""
    name = path.rpartition("/")[2].lower()
    return _BY_NAME.get(name) or _BY_ENDING.get(name.rpartition(".")[2] if "." in name else "", "")


def index(source: Source) -> None:
    """Let git write down what makes walks quick: each commit's place and the paths it changed."""
    source.ask(
        "commit-graph", "write", "--reachable", "--changed-paths", "--split", "--no-progress",
        seconds=_INDEX_SECONDS,
    )  # fmt: skip


def _leads_to(source: Source, earlier: str, head: str) -> bool:
    try:
        return history.merge_base(source, earlier, head) == earlier
    except GitFailed:
        return False
