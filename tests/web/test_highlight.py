"""Source as lines: every line is whole, nothing gets out, nothing takes long."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from web import highlight, visible


def text_of(line: Markup) -> str:
    return Markup(re.sub(r"<[^>]*>", "", line)).unescape()


def test_lines_carry_classes_and_close_them() -> None:
    first, second = highlight.lines('x = """a\nb"""\n', "src/a.py")
    assert '<span class="s2">' in first or '<span class="sd">' in first
    for line in (first, second):
        assert line.count("<span") == line.count("</span")


@pytest.mark.parametrize("path", ["a.py", "a.html", "Makefile", "a.unknown", "", "[*?].py", "a/b/"])
def test_the_text_is_that_of_the_file(path: str) -> None:
    source = "def f(a):\n\tif a < 3 & 4:\r\n  return '<b>'\n\n\nend"
    rows = [text_of(line) for line in highlight.lines(source, path)]
    assert rows == source.replace("\r\n", "\n").split("\n")


@given(st.text(max_size=300), st.sampled_from(["a.py", "a.html", "a.md", "a.sh", "a.c", "a.json"]))
def test_any_text_keeps_its_lines_and_opens_no_element(source: str, path: str) -> None:
    expected = visible.text(source).split("\n")
    if expected[-1] == "":
        expected.pop()
    found = highlight.lines(source, path)
    assert [text_of(line) for line in found] == expected
    for line in found:
        assert not re.sub(r'<span class="[a-z0-9]+">|</span>', "", line).count("<")


@pytest.mark.parametrize(
    "text", ["a" * 3_000_000, "x = 1\n" * 200_000, "(" * 200_000, "\x1b[2J" * 9]
)
def test_huge_and_odd_files_are_plain_and_quick(text: str) -> None:
    start = time.process_time()
    found = highlight.lines(text, "a.py")
    assert time.process_time() - start < 5
    assert "\x1b" not in "".join(found)
    assert all(len(line) < 30_000 for line in found)


def test_a_long_line_is_cut_and_says_so() -> None:
    (line,) = highlight.lines("y" * 200_000, "a.js")
    assert "198,000 more characters" in line
    assert len(line) < 3000


def test_a_lexer_that_dawdles_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highlight, "SECONDS_MAX", -1.0)
    assert highlight.lines("def f(): pass", "a.py") == ["def f(): pass"]


def test_names_stay_on_one_line() -> None:
    assert visible.name("a\nb\x1b[0m\t\u202egpj.exe\x7f\ud800") == "a␊b␛[0m␉␦gpj.exe␡?"


@pytest.mark.parametrize("language", ["python", "html+ng2", "html+jinja"])
def test_what_takes_too_long_is_plain(language: str) -> None:
    text = "<b>{{ x }}</b>\n" * 50
    assert "<span" in "".join(highlight.lines(text, language=language))
    assert (
        highlight.lines(text, language=language, seconds=1e-9)
        == [Markup.escape("<b>{{ x }}</b>")] * 50
    )


def test_a_lexer_of_two_is_told_to_stop_before_it_has_read_all() -> None:
    """It yields no token before."""
    lexer = highlight._lexer("", "html+ng2")
    assert lexer is not None
    highlight._limit(lexer, 0.0)
    with pytest.raises(TimeoutError):
        next(iter(lexer.language_lexer.get_tokens_unprocessed("{{ x }}")))
