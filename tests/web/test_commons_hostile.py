"""Repositories by people who mean harm, or commit the strangest things: pages stay whole."""

import html
import re
import time
from contextlib import AbstractContextManager, ExitStack

import pytest
from flask import Flask

from models import User
from orchestrator.commons import source
from orchestrator.commons.kept import READS_AT_ONCE, READS_EACH
from orchestrator.commons.turns import Turns
from orchestrator.platform import Platform
from tests.visitor import Visitor
from tests.web import written
from tests.web.test_pages import shown

EVIL = "/global/ann/evil"
SCRIPT = "<script>alert(1)</script>"
IMG = "<img src=x onerror=alert(1)>"


def harmless(page: str) -> str:
    assert SCRIPT not in page
    assert IMG not in page
    assert not re.search(r"""(?:href|src|action)=["']?\s*javascript:""", page, re.IGNORECASE)
    assert "\x1b" not in page
    assert "\u202e" not in page
    return page


def test_a_readme_does_nothing(app: Flask, ann: Visitor, bob: Visitor) -> None:
    form = "<form action=/logout><button>go</button></form>"
    text = f"# Hi\n{SCRIPT}\n[x](javascript:alert(1))\n{IMG}\n{form}\n"
    written.commit(app, "ann/evil", {"README.md": text, "docs/README.md": text})
    for path in ("/", "/blob/main/README.md", "/blob/main/README.md?plain", "/tree/main/docs"):
        page = harmless(shown(bob, EVIL + path))
        assert "/logout><" not in page


def test_names_and_messages_are_text(app: Flask, ann: Visitor, bob: Visitor) -> None:
    names = {
        f"{IMG.replace('/', '')}.txt": "x", "a\nb\x1b[2J.txt": "x", "--output=x": "x",
        "\u202egnp.exe": "x", b"caf\xe9.txt": "x", "#?%2e&.md": "# x", '"quoted\'.txt': "x",
        "$(id)`id`/\\back": "x", "trailing. ": "x",
    }  # fmt: skip
    author = "E\u202evil\x1b[31m (onclick=1) <e@x>"
    commit = written.commit(
        app, "ann/evil", names, f"{SCRIPT}\x1b]0;t\x07\n\n{IMG}\r\u2066", author=author
    )
    page = harmless(shown(bob, f"{EVIL}/"))
    for path in ("/commits/main", f"/commit/{commit}", "/branches", "/compare/main...main"):
        harmless(shown(bob, EVIL + path))
    links = [html.unescape(link) for link in re.findall(rf'href="({EVIL}/blob/main/[^"]*)"', page)]
    assert len(links) == 8
    for link in links:
        answer = bob.get(link)
        assert answer.status_code == (404 if "%EF%BF%BD" in link else 200), link
        if answer.status_code == 200:
            harmless(answer.text)
            for view in ("blame", "commits"):
                harmless(shown(bob, link.replace("/blob/", f"/{view}/")))
            raw = bob.get(f"{link.replace('/blob/', '/raw/')}?download")
            assert raw.status_code == 200
            assert "\n" not in raw.headers["Content-Disposition"]


def test_branches_with_odd_names_have_working_links(app: Flask, ann: Visitor, bob: Visitor) -> None:
    names = ["a/b/c", "x#y", "50%25", "quo\"te'", "<b>", "a&b=c", "ünï"]
    for branch in names:
        written.commit(app, "ann/evil", {"dir/file.txt": branch}, branch=branch)
    written.commit(app, "ann/evil", {"dir/file.txt": "main"})
    page = shown(bob, f"{EVIL}/branches")
    links = [html.unescape(one) for one in re.findall(rf'href="({EVIL}/tree/[^"]+)"', page)]
    assert len(set(links)) == len(names) + 1
    for link in links:
        assert f"{link}/dir" in html.unescape(shown(bob, link))
        assert "file.txt" in shown(bob, f"{link}/dir")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("binary.py", b"\x7fELF\0\0" * 900, "not text"),
        ("late.txt", b"a" * 9000 + b"\0", "1 line"),
        ("latin.txt", b"caf\xe9 \xff\xfe", "caf"),
        ("long.js", b"x" * 200_000, "198,000 more characters"),
        ("huge.txt", b"line\n" * 500_000, "too large to show"),
        ("many.py", b"a = 1\n" * 40_000, "40,000 lines"),
        ("empty", b"", "is empty"),
        ("crlf.py", b"a = 1\r\nb = 2\rc = 3\r\n", "2 lines"),
        ("escape.txt", b"\x1b[31mred\x1b]0;title\x07\x1b[2J", "␛[31mred"),
        ("trojan.c", "/* \u202e } \u2066if (x)\u2069 */".encode(), "␦"),
        ("deep.json", b"[" * 100_000, "98,000 more"),
        ("deep.md", b"> " * 30_000 + b"x", "blockquote"),
        ("bad.md", b"# \xff\xfe\0", "not text"),
        ("x.svg", b"<svg onload='alert(1)'><script>alert(1)</script></svg>", "/raw/main/x.svg"),
    ],
)  # fmt: skip
def test_files_of_every_kind_have_a_page(
    app: Flask, ann: Visitor, bob: Visitor, name: str, content: bytes, said: str
) -> None:
    written.commit(app, "ann/evil", {name: content})
    start = time.monotonic()
    page = harmless(shown(bob, f"{EVIL}/blob/main/{name}"))
    assert said in page
    assert time.monotonic() - start < 20
    assert len(page) < 9_000_000
    answer = bob.get(f"{EVIL}/raw/main/{name}")
    assert answer.data == content
    assert answer.mimetype in ("text/plain", "application/octet-stream", "image/svg+xml")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    if answer.mimetype != "text/plain":
        assert answer.headers["Content-Disposition"].startswith("attachment")
    written.commit(app, "ann/evil", {name: content + b"\nmore"}, "Again")
    harmless(shown(bob, f"{EVIL}/commit/main"))


@pytest.mark.parametrize(
    "name", ["page.html", "page.xhtml", "x.js", "x.css", "x.pdf", "x.wasm", "x.xml"]
)
def test_raw_files_are_never_pages(app: Flask, ann: Visitor, bob: Visitor, name: str) -> None:
    written.commit(app, "ann/evil", {name: SCRIPT})
    answer = bob.get(f"{EVIL}/raw/main/{name}")
    assert answer.mimetype == "text/plain"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_picture_by_name_alone_is_no_page_either(app: Flask, ann: Visitor, bob: Visitor) -> None:
    written.commit(app, "ann/evil", {"x.png": SCRIPT, "y.svg": f"<svg>{SCRIPT}</svg>"})
    assert bob.get(f"{EVIL}/raw/main/x.png").mimetype == "image/png"
    svg = bob.get(f"{EVIL}/raw/main/y.svg")
    assert svg.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in svg.headers["Content-Security-Policy"]


def test_a_folder_of_ten_thousand_files_is_listed_in_parts(
    app: Flask, ann: Visitor, bob: Visitor
) -> None:
    written.commit(app, "ann/evil", {f"many/f{n:05}": "" for n in range(10_000)})
    page = shown(bob, f"{EVIL}/tree/main/many")
    assert "f00000" in page
    assert "Only the first" in page
    assert len(page) < 2_000_000
    assert "f00600" in shown(bob, f"{EVIL}/tree/main/many?page=2")


def test_links_and_submodules_lead_nowhere(app: Flask, ann: Visitor, bob: Visitor) -> None:
    written.commit(app, "ann/evil", {"passwd": "/etc/passwd", "up": "../../../.."}, mode="120000")
    modules = '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n'
    written.commit(app, "ann/evil", {".gitmodules": modules, "README.md": "hi"})
    assert "root:" not in shown(bob, f"{EVIL}/blob/main/passwd")
    assert bob.get(f"{EVIL}/raw/main/passwd").data == b"/etc/passwd"
    shown(bob, f"{EVIL}/")
    for path in ("passwd/x", "up/x"):
        shown(bob, f"{EVIL}/blob/main/{path}", 404)


def test_a_link_instead_of_a_readme_is_not_read(app: Flask, ann: Visitor, bob: Visitor) -> None:
    written.commit(app, "ann/evil", {"README.md": "/etc/passwd"}, mode="120000")
    assert "root:" not in shown(bob, f"{EVIL}/")


def test_a_huge_change_is_shown_in_part(app: Flask, ann: Visitor, bob: Visitor) -> None:
    files = {f"f{n}.py": "def f():\n    pass\n" * 300 for n in range(60)}
    files["long.js"] = "y" * 300_000
    commit = written.commit(app, "ann/evil", files)
    start = time.monotonic()
    page = shown(bob, f"{EVIL}/commit/{commit}")
    assert time.monotonic() - start < 20
    assert len(page) < 12_000_000
    assert "61 files" in page


def test_times_out_of_this_world_are_shown_all_the_same(
    app: Flask, ann: Visitor, bob: Visitor
) -> None:
    written.commit(app, "ann/evil", {"a": "1"}, at=0)
    written.commit(app, "ann/evil", {"a": "2"}, at=2**40)
    for path in ("/", "/commits/main", "/blame/main/a", "/branches"):
        shown(bob, EVIL + path)


@pytest.mark.parametrize(
    "query", ["page=-1", "page=99999999999999999999999", "page=1e3", "page=%00"]
)
def test_page_numbers_are_checked(app: Flask, ann: Visitor, bob: Visitor, query: str) -> None:
    written.commit(app, "ann/evil", {"a": "1"})
    for path in ("/", "/commits/main", "/tree/main", "/proposals/", "/forks"):
        assert bob.get(f"{EVIL}{path}?{query}").status_code in (200, 422)
    assert bob.get(f"/global?{query}").status_code in (200, 422)


def test_comments_do_nothing(app: Flask, ann: Visitor) -> None:
    base = written.commit(app, "ann/evil", {"a": "1\n"})
    written.commit(app, "ann/evil", {"a": "2\n"}, branch="b", begin=base)
    shown(ann, f"{EVIL}/proposals/new")
    form = {"source": "ann/evil:b", "target": "main", "title": f"{IMG}\u202e", "text": SCRIPT + IMG}
    answer = ann.post(f"{EVIL}/proposals/", form)
    if answer.status_code == 422:  # a title is one printable line
        answer = ann.post(f"{EVIL}/proposals/", form | {"title": IMG})
    ann.post(f"{answer.location}/comments", {"text": f"{SCRIPT}\n[x](javascript:alert(1))"})
    for path in (answer.location, f"{answer.location}/files", f"{EVIL}/proposals/", "/global"):
        harmless(shown(ann, path))


class Seen(Turns):
    """Turns for which nobody waits, and whose they were."""

    def __init__(self) -> None:
        said = {"refusal": "Too much is being looked at just now", "hint": "Wait."}
        super().__init__(READS_AT_ONCE, each=READS_EACH, patience=0, **said)
        self.whose: set[int] = set()

    def one(self, who: int) -> AbstractContextManager[None]:
        self.whose.add(who)
        return super().one(who)


@pytest.fixture
def turns(platform: Platform) -> Seen:
    platform.kept.turns = Seen()
    return platform.kept.turns


def number(app: Flask, name: str) -> int:
    with app.app_context():
        return User.query.filter_by(username=name).one().id


def test_every_page_takes_the_turns_of_who_looks(
    app: Flask, ann: Visitor, bob: Visitor, hello: str, turns: Seen
) -> None:
    written.commit(app, hello, {"README.md": "Hi"}, branch="side", begin="refs/heads/main^0")
    form = {"source": "ann/hello:side", "target": "main", "title": "Side"}
    turns.whose.clear()
    assert ann.post(f"/global/{hello}/proposals/", form).location
    ann.get(f"/global/{hello}/proposals/new")
    assert turns.whose == {number(app, "ann")}
    turns.whose.clear()
    for path in (
        "/", "/blob/main/src/a.py", "/raw/main/src/a.py", "/blame/main/src/a.py", "/commits/main",
        "/commit/main", "/compare/main...side", "/branches", "/tags", "/proposals/1",
        "/proposals/1/commits", "/proposals/1/files", "/archive/main.zip",
    ):  # fmt: skip
        bob.get(f"/global/{hello}{path}")
    for path in ("branches", "tags", "tree", "raw?path=README.md", "commits", "commits/main",
                 "blame?path=README.md", "compare?base=main&head=side", "proposals/1"):  # fmt: skip
        bob.get(f"/api/v1/repos/{hello}/{path}")
    assert turns.whose == {number(app, "bob")}
    turns.whose.clear()
    merged = ann.post(f"/global/{hello}/proposals/1/merge", {"method": "merge"})
    assert merged.status_code == 303
    assert turns.whose == {number(app, "ann")}


def test_who_looks_at_too_much_at_once_waits_and_nobody_else(
    app: Flask, ann: Visitor, bob: Visitor, hello: str, turns: Seen
) -> None:
    with ExitStack() as held:
        for _ in range(READS_EACH):
            held.enter_context(turns.one(number(app, "bob")))
        for path in (f"/global/{hello}/commits/main", f"/api/v1/repos/{hello}/commits"):
            refused = bob.get(path)
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) > 0
            assert "Too much is being looked at" in refused.text
            assert ann.get(path).status_code == 200
    assert bob.get(f"/global/{hello}/commits/main").status_code == 200


def test_what_git_does_not_tell_in_time_is_said_to_be_too_much(
    bob: Visitor, hello: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "READ_SECONDS", 0.0)  # of what is begun to be shown
    page = shown(bob, f"/global/{hello}/", 422)
    assert "takes too long" in page
    assert "Clone the repository" in page
