"""Source text as lines of HTML with Pygments' classes, within a bounded time.

What is too long to be read anyway comes out plain: a lexer is a pile of regular expressions, and
its input is anybody's. Every line closes what it opens, so that it can stand in a table's row.
"""

import math
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from markupsafe import Markup, escape
from pygments.lexer import DelegatingLexer, Lexer
from pygments.lexers import find_lexer_class_by_name, find_lexer_class_for_filename
from pygments.token import STANDARD_TYPES, _TokenType
from pygments.util import ClassNotFound

from web import visible

CHARS_MAX = 256 << 10
LINE_CHARS_MAX = 4000
SHOWN_LINE_CHARS = 2000
"""Of a longer line only the beginning is shown: no browser lays out a megabyte in one line."""
SECONDS_MAX = 1.0

CLASSES = frozenset(name for name in STANDARD_TYPES.values() if name)
_PLAIN = frozenset({"", "p", "x", "w", "n"})
"""Classes that look like the text around them: their spans would only make the page heavier."""


def lines(text: str, path: str = "", language: str = "", seconds: float = math.inf) -> list[Markup]:
    """Return one piece of HTML for each line of ``text``, by its file's name or a language's.

    It is plain where colours would take longer than ``seconds``, or ``SECONDS_MAX``.
    """
    shown = visible.text(text)
    rows = shown.split("\n")
    if rows and rows[-1] == "":
        rows.pop()
    lexer = _lexer(path, language)
    too_long = len(shown) > CHARS_MAX or any(len(row) > LINE_CHARS_MAX for row in rows)
    seconds = min(seconds, SECONDS_MAX)
    if lexer is None or too_long or seconds <= 0:
        return [_plain(row) for row in rows]
    coloured = _coloured(lexer, shown, seconds)
    return coloured[: len(rows)] if coloured else [_plain(row) for row in rows]


def _plain(row: str) -> Markup:
    if len(row) <= SHOWN_LINE_CHARS:
        return escape(row)
    more = f"… {len(row) - SHOWN_LINE_CHARS:,} more characters"
    return escape(row[:SHOWN_LINE_CHARS]) + Markup('<span class="cut">{}</span>').format(more)


def _coloured(lexer: Lexer, text: str, seconds: float) -> list[Markup]:
    """Return the lines with classes, or nothing when it takes too long."""
    _limit(lexer, time.thread_time() + seconds)
    done: list[Markup] = []
    line: list[str] = []
    try:
        for _, kind, value in lexer.get_tokens_unprocessed(text):
            name = _class_of(kind)
            first, *rest = value.split("\n")
            line.append(_span(name, first))
            for piece in rest:
                done.append(Markup("".join(line)))  # noqa: S704 - made of escaped text
                line = [_span(name, piece)]
    except TimeoutError:
        return []
    done.append(Markup("".join(line)))  # noqa: S704 - made of escaped text
    return done


def _limit(lexer: Lexer, deadline: float) -> None:
    """Make ``lexer``, this one alone, raise TimeoutError at the first token after ``deadline``."""
    if isinstance(lexer, DelegatingLexer):  # it reads all of its two before it tells of a token
        _limit(lexer.language_lexer, deadline)
        _limit(lexer.root_lexer, deadline)
    read = lexer.get_tokens_unprocessed

    def tokens(*given: Any) -> Iterator[Any]:
        for token in read(*given):
            if time.thread_time() > deadline:
                raise TimeoutError
            yield token

    lexer.get_tokens_unprocessed = tokens  # type: ignore[assignment, method-assign]


def _span(name: str, text: str) -> str:
    if not text:
        return ""
    return str(escape(text)) if name in _PLAIN else f'<span class="{name}">{escape(text)}</span>'


@lru_cache(maxsize=512)
def _class_of(kind: _TokenType) -> str:
    """Return the class of a kind, or of the nearest kind above it that has one."""
    nearest: _TokenType | None = kind
    while nearest is not None and nearest not in STANDARD_TYPES:
        nearest = nearest.parent
    return STANDARD_TYPES[nearest] if nearest is not None else ""


def _lexer(path: str, language: str) -> Lexer | None:
    # Pygments matches with fnmatch: only the last part, and nothing that it would take for more.
    name = PurePosixPath(path).name[:200]
    found = _class_by_language(language.lower()[:40]) if language else _class_by_name(name)
    return found() if found else None


@lru_cache(maxsize=256)
def _class_by_language(language: str) -> type[Lexer] | None:
    try:
        return find_lexer_class_by_name(language)
    except ClassNotFound:
        return None


@lru_cache(maxsize=1024)
def _class_by_name(name: str) -> type[Lexer] | None:
    found: type[Lexer] | None = find_lexer_class_for_filename(name) if name else None
    return found
