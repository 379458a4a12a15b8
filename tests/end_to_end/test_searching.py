"""Search, quick open and replace, with the workspace's own ripgrep."""

import gzip
import json
from http.client import IncompleteRead
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
from docker import APIClient

from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import until

pytestmark = pytest.mark.engine
FILES = "/api/v1/workspaces/main/files"


_numbers = count()


@pytest.fixture(scope="module")
def owner(server: Server) -> Person:
    """Somebody whose workspace runs."""
    person = Person(server)
    person.open()
    return person


class Folder:
    """A folder in somebody's home, by the shell and by the API."""

    def __init__(self, client: APIClient, person: Person) -> None:
        self.person = person
        self.name = f"t{next(_numbers)}"
        self.path = f"/home/{person.username}/{self.name}"
        self._client = client
        self.shell(f"mkdir {self.path}")

    def run(self, *command: str) -> str:
        return execute(self._client, self.person.container(), *command)

    def shell(self, script: str) -> str:
        """Run bash in the folder."""
        return self.run("bash", "-c", f"cd {self.path} 2>/dev/null; {script}")

    def inner(self, query: dict[str, object]) -> dict[str, object]:
        """Return a query whose path is in here."""
        return query | {"path": f"{self.name}/{query.get('path', '')}"}


@pytest.fixture
def here(owner: Person, docker_client: APIClient) -> Folder:
    """An empty folder."""
    return Folder(docker_client, owner)


def search(here: Folder, q: str, **query: object) -> tuple[list[Any], dict[str, Any]]:
    """Return the matches and the last line."""
    asked = urlencode({"q": q} | here.inner(query), doseq=True)
    with here.person.asking("GET", f"{FILES}/search?{asked}") as answer:
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        said = [json.loads(line) for line in answer.read().splitlines()]
    matches = [one for one in said if "path" in one]
    assert "error" in said[-1] or said[-1]["done"] is True
    return matches, said[-1]


def names(here: Folder, **query: object) -> Any:
    return here.person.ok("GET", f"{FILES}/names?{urlencode(here.inner(query))}")


def test_a_match_says_where_it_is_and_what_is_around_it(here: Folder) -> None:
    here.shell(r"mkdir a; printf 'one\n  \U1F600 Needle here\n' > a/f.txt")
    (match,), last = search(here, "needle")
    assert match == {
        "path": f"{here.path}/a/f.txt", "line": 2, "column": 6, "length": 6,
        "text": "\U0001f600 Needle here", "at": 3,
    }  # fmt: skip
    assert (last["matches"], last["files"], last["truncated"]) == (1, 1, False)


def test_what_is_looked_for_is_never_an_option(here: Folder) -> None:
    here.shell("echo '--pre=/bin/false x' > ./--hidden; mkdir ./-g")
    for word in ("--pre=/bin/false", "--", "-x"):
        matches, last = search(here, word)
        assert last["done"], last
        assert len(matches) == (word != "-x")
    assert search(here, "x", path="--hidden")[1]["matches"] == 1
    assert search(here, "x", path="-g")[1]["matches"] == 0
    assert search(here, "x", glob="--pre=/bin/false")[1]["done"]


def test_it_can_be_told_what_a_match_is(here: Folder) -> None:
    here.shell(r"printf 'Foo foobar\nf.o foo\r\n' > f; echo foo > g.py")

    def counted(q: str, **query: object) -> int:
        return int(search(here, q, **query)[1]["matches"])

    assert counted("foo") == 4
    assert counted("foo", case=1) == 3
    assert counted("foo", word=1) == 3
    assert counted("f.o") == 1
    assert counted("f.o", regex=1) == 5
    assert counted("foo$", regex=1) == 2
    assert counted("foo", glob="*.py") == 1
    assert counted("foo", glob=["!*.py", "f"]) == 3
    assert counted("foo", path="g.py") == 1


def test_what_git_ignores_is_left_out(here: Folder) -> None:
    here.shell("git init -q; echo out > .gitignore; mkdir -p node_modules/x;"
          " for file in in out node_modules/x/a; do echo foo > $file; done")  # fmt: skip
    assert [match["path"] for match in search(here, "foo")[0]] == [f"{here.path}/in"]
    assert sorted(names(here)["names"]) == [".gitignore", "in"]


def test_a_refused_expression_says_why(here: Folder) -> None:
    with here.person.asking("GET", f"{FILES}/search?q=(&regex=1") as answer:
        said = [json.loads(line) for line in answer.read().splitlines()]
    assert "unclosed group" in said[0]["error"]
    for query in ("q=", "q=a%0Ab", "q=a%00b", f"q={'x' * 1001}", "q=x&path=..",
                  "q=x&glob=" + "&glob=".join("x" * 51), "q=x&most=-1"):  # fmt: skip
        assert here.person.call("GET", f"{FILES}/search?{query}").slug == "bad-input", query


def test_too_many_matches_are_cut_and_huge_lines_too(here: Folder) -> None:
    here.shell("yes foo | head -5000 > many")
    line = "'x' * 200_000 + 'bar' + 'y' * 200_000"
    here.shell(f'python3 -c "print({line})" > long')
    matches, last = search(here, "foo", most=10)
    assert (len(matches), last["truncated"]) == (10, True)
    (match,), _ = search(here, "bar")
    assert match["column"] == 200_001
    assert match["text"].startswith("x" * 40 + "bary")
    assert len(match["text"]) == 250


def test_names_of_all_bytes_come_back(here: Folder) -> None:
    here.shell(r"printf foo > $'new\nline\xff'")
    (match,), _ = search(here, "foo")
    assert match["path"] == f"{here.path}/new\nline\U0010ffff"
    assert "new\nline\U0010ffff" in names(here)["names"]


def test_a_search_ends_when_nobody_listens(here: Folder) -> None:
    here.shell("head -c 40M /dev/zero | tr '\\0' a > 0; for i in $(seq 500); do ln 0 $i; done")
    query = urlencode(here.inner({"q": "a{50}z", "regex": 1}))
    with here.person.asking("GET", f"{FILES}/search?{query}") as answer:
        answer.read(1)
        assert here.run("ps", "-o", "nice=", "-C", "rg").split() == ["5"], "it gives way"
    until(
        lambda: not here.run("pgrep", "rg|python3"),
        "the search has ended",
    )


def test_a_search_ends_with_the_sign_in(here: Folder) -> None:
    here.shell("head -c 40M /dev/zero | tr '\\0' a > 0; for i in $(seq 500); do ln 0 $i; done")
    query, visit = urlencode(here.inner({"q": "a{50}z", "regex": 1})), here.person.visit()
    with visit.asking("GET", f"{FILES}/search?{query}") as answer:
        answer.read(1)
        visit.submit("/logout")
        with pytest.raises(IncompleteRead):
            answer.read()


def test_what_has_no_end_is_not_searched(here: Folder) -> None:
    here.shell("mkfifo pipe")
    for path in (f"{here.path}/pipe", "/dev/zero", f"{here.path}/none/x"):
        with here.person.asking("GET", f"{FILES}/search?q=x&path={path}") as answer:
            said = [json.loads(line) for line in answer.read().splitlines()]
        assert [*said[0], *said[1]][:2] == ["error", "done"], said
        assert here.person.ok("GET", f"{FILES}/names?path={path}")["names"] == []
        body = {"q": "x", "path": path}
        assert here.person.call("POST", f"{FILES}/replace", body).slug == "bad-input"


def test_names_are_ranked_by_letters(here: Folder) -> None:
    here.shell("mkdir -p src/app; touch src/app/main.py src/main.ts x-m-a-i-n"
          " domain/ main 2>/dev/null; mkdir domain; touch domain/x")  # fmt: skip
    found = names(here, q="main")["names"]
    assert found == ["main", "src/main.ts", "src/app/main.py", "domain/x", "x-m-a-i-n"]
    assert names(here, q="main", most=2)["names"] == found[:2]
    assert names(here, q="sapy")["names"] == ["src/app/main.py"]
    assert names(here, most=2)["truncated"] is True
    asked = f"{FILES}/names?{urlencode(here.inner({}))}"
    with here.person.asking("GET", asked, header={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "main" in json.loads(gzip.decompress(answer.read()))["names"]


def replace(here: Folder, q: str, into: str, **more: object) -> Any:
    body = {"q": q, "with": into} | here.inner(more)
    return here.person.ok("POST", f"{FILES}/replace", body)


def test_every_match_is_replaced(here: Folder) -> None:
    here.shell(r"printf 'foo Foo\r\n\xff foo' > a; echo foo > b; chmod 700 b;"
          " ln -s b link")  # fmt: skip
    done = replace(here, "foo", "$1bar\nbaz")
    assert done["matches"] == 4
    assert {one["path"]: one["count"] for one in done["files"]} == {
        f"{here.path}/a": 3,
        f"{here.path}/b": 1,
    }
    read = "import sys; print(ascii(open('a', 'rb').read()))"
    assert here.shell(f'python3 -c "{read}"') == (
        r"b'$1bar\nbaz $1bar\nbaz\r\n\xff $1bar\nbaz'" "\n"
    )
    assert here.shell("stat -c %a b; cat b") == "700\n$1bar\nbaz\n"


def test_groups_stand_in_what_comes_instead(here: Folder) -> None:
    here.shell("echo 'f(a, b) f(c, d)' > a; echo 'f(a, b)' > other")
    done = replace(
        here, r"f\((\w), (?P<two>\w)\)", "${two}${1}", regex=True, files=[f"{here.name}/a"]
    )
    assert done == {"files": [{"path": f"{here.path}/a", "count": 2}], "skipped": [], "matches": 2}
    assert here.shell("cat a other") == "ba dc\nf(a, b)\n"


def test_nothing_is_replaced_on_trial(here: Folder) -> None:
    here.shell("echo foo > a")
    assert replace(here, "foo", "bar", dry=True)["matches"] == 1
    assert here.shell("cat a") == "foo\n"


def test_what_cannot_be_written_is_named_and_left(here: Folder) -> None:
    here.shell("echo foo > a; echo foo > locked; chmod 400 locked; mkfifo pipe;"
          " mkdir dir; echo foo > dir/x; chmod 500 dir")  # fmt: skip
    named = ("a", "locked", "pipe", "dir/x", "none")
    files = [f"{here.name}/{name}" for name in named]
    done = replace(here, "foo", "bar", files=files)
    assert [one["path"] for one in done["files"]] == [f"{here.path}/a"]
    assert {one["path"]: one["why"] for one in done["skipped"]} == {
        f"{here.path}/locked": "may not be written", f"{here.path}/dir/x": "permission denied",
    }  # fmt: skip
    assert here.shell("cat locked dir/x; ls -A dir") == "foo\nfoo\nx\n"


def test_what_cannot_be_asked_is_refused(here: Folder) -> None:
    for body in ({"q": ""}, {"q": "(", "regex": True}, {"q": "x", "with": "a\0"},
                 {"q": "x", "files": [".."]}, {"q": "x", "with": "x" * 10_001}):  # fmt: skip
        assert here.person.call("POST", f"{FILES}/replace", body).slug == "bad-input", body
