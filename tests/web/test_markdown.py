"""Documents by anybody, in everybody's session: they look right and do nothing."""

import html.parser
import itertools
import time
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.markdown import CHARS_MAX, Base, attempt, render

BASE = Base("/global/ann/hello", "feature/x", "docs")

HARMLESS = set(
    """
    a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i img ins li ol p pre q s samp span strong
    sub sup table tbody td th thead tr ul
    """.split()
)


class Elements(html.parser.HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def elements(text: str) -> list[tuple[str, dict[str, str | None]]]:
    return Elements(render(text, BASE)).found


def only(text: str, tag: str) -> dict[str, str | None]:
    return next(attributes for name, attributes in elements(text) if name == tag)


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("[a](guide.md)", "/global/ann/hello/blob/feature/x/docs/guide.md"),
        ("[a](a%20b.md)", "/global/ann/hello/blob/feature/x/docs/a%20b.md"),
        ("[a](/src/x.py#L3)", "/global/ann/hello/blob/feature/x/src/x.py#L3"),
        ("[a](../../../../etc/passwd)", "/global/ann/hello/blob/feature/x/etc/passwd"),
        ("[a](..)", "/global/ann/hello"),
        ("[a](#Set-Up)", "#readme-set-up"),
        ("[a](https://example.org/?a=1)", "https://example.org/?a=1"),
        ("<mailto:a@example.org>", "mailto:a@example.org"),
        ("[a](what%3Fis%23this.md)", "/global/ann/hello/blob/feature/x/docs/what%3Fis%23this.md"),
    ],
)
def test_links_lead_into_the_repository_or_to_the_web(written: str, target: str) -> None:
    assert only(written, "a")["href"] == target


@pytest.mark.parametrize(
    "address",
    """
    javascript:alert(1) JaVaScRiPt:alert(1) java&#10;script:alert(1) data:text/html,x vbscript:x
    file:///etc/passwd //evil.example/x \\\\evil.example\\x /\\evil.example &#1;javascript:alert(1)
    blob:x view-source:x http: https:///x //[ a%00b a%0ab
    """.split(),
)
def test_other_addresses_lead_nowhere_else(address: str) -> None:
    for text in (f'<a href="{address}">x</a>', f"[x]({address})", f"![x]({address})"):
        for _, attributes in elements(text):
            for target in (attributes.get("href"), attributes.get("src")):
                assert target is None or target.startswith("/global/ann/hello/")


def test_pictures_come_from_the_repository_alone() -> None:
    assert only("![a](a.png)", "img")["src"] == "/global/ann/hello/raw/feature/x/docs/a.png"
    assert only("![shield](https://example.org/x.svg)", "img") == {"alt": "shield"}
    assert "src" not in only('<img src="data:image/png;base64,AAAA">', "img")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<scr<script>ipt>alert(1)</scr</script>ipt>",
        "<svg onload=alert(1)><script>1</script></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<iframe srcdoc='<script>1</script>'></iframe><object data=x></object><embed src=x>",
        "<form action=/logout method=post><button>Win</button></form><input name=csrf_token>",
        "<style>*{display:none}</style><link rel=stylesheet href=/x><meta http-equiv=refresh>",
        "<base href=https://evil.example/><template><b>x</b></template><dialog open>",
        '<p style="position:fixed;inset:0" onclick="alert(1)" contenteditable>x</p>',
        '<div class="notice error button primary" id="main" role="alert" data-confirm="x">x</div>',
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<a href=x ping=https://evil.example target=_top download>x</a>",
        '```js onload=1"><img src=x onerror=alert(1)>\n</code></pre><script>1</script>\n```',
    ],
)
def test_nothing_in_a_document_acts(text: str) -> None:
    allowed = {"href", "src", "alt", "title", "rel", "class", "align", "id"}
    forbidden = "script style iframe object embed form input button svg math link meta base dialog"
    for tag, attributes in elements(text):
        assert tag not in forbidden.split()
        assert set(attributes) <= allowed
        assert not {"button", "notice"} & set((attributes.get("class") or "").split())
        assert (attributes.get("id") or "readme-").startswith("readme-")


@given(st.text(alphabet="<>/\"'=&;:#()[]!`~*_-|\\ \n\taimgsrchefonxp1\x00\x1b\u202e", max_size=200))
def test_no_text_gets_through(text: str) -> None:
    for tag, attributes in elements(text):
        assert tag in HARMLESS
        assert not [name for name in attributes if name.startswith("on")]


def test_headings_can_be_linked_to() -> None:
    found = [a.get("id") for tag, a in elements("# Set up\n## Set up\n### Ünïts & more") if tag]
    assert found == ["readme-set-up", "readme-set-up-1", "readme-ünïts-more"]


def test_tasks_tables_and_code_look_as_meant() -> None:
    page = render(
        "- [ ] one\n- [x] two\n\n|a|b|\n|-:|-|\n|1|2|\n\n```python\ndef f(): 1\n```\n", BASE
    )
    assert "☐ one" in page
    assert "☑ two" in page
    assert '<td align="right">1</td>' in page
    assert '<span class="k">def</span>' in page


def test_control_characters_and_overrides_are_seen() -> None:
    page = render("a\x1b[31mb\u202ec\x00", BASE)
    assert "a␛[31mb␦c␀" in page


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000, "> " * 100_000, "*a_" * 60_000, "`" * 200_000, "<" * 200_000,
        "![](" * 50_000, "- " * 50_000 + "x", "a" * 10_000_000, "\n" * 1_000_000,
    ],
)  # fmt: skip
def test_a_hostile_document_takes_bounded_time(text: str) -> None:
    start = time.process_time()
    render(text[:CHARS_MAX], BASE)
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    "text", ["[" * 9000, "![" * 5000, "*a " * 3000, "> a\n" * 3000, "a\n" * 3000]
)
def test_a_document_whose_time_is_up_is_shown_as_written(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.count()
    clock = types.SimpleNamespace(thread_time=lambda: next(looks) / 1000)
    assert attempt(text[:30], BASE) is not None
    monkeypatch.setattr("web.markdown.time", clock)
    assert attempt(text, BASE) is None
    assert render(text, BASE).startswith('<pre class="plain-text">')


def test_a_very_long_document_is_shown_as_written() -> None:
    page = render("# x\n" + "word " * 100_000, BASE)
    assert page.startswith('<pre class="plain-text"># x')
    assert len(page) < 80_000
    assert "the beginning of a long document" in page


def test_code_is_plain_once_a_document_took_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "```python\nimport x\n```\n"
    assert "<span" in render(code)
    monkeypatch.setattr("web.markdown.COLOURING_SECONDS_MAX", 0.0)
    assert "<span" not in render(code)
