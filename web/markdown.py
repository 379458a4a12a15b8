"""Markdown as HTML that can do nothing: a README is written by anybody, for everybody's session.

Three fences, one behind the other: nh3 keeps a short list of elements and attributes, every address
is taken apart and built anew here, and the pages' Content-Security-Policy runs no script that is
not ours and loads no picture from elsewhere.
"""

import posixpath
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup

from web import highlight, visible

CHARS_MAX = 64 << 10
SECONDS_MAX = 1.0
"""Of work on one document: what its markup takes longer to read is shown as it was written."""
COLOURING_SECONDS_MAX = 1.0
"""Of all code in one document; what comes later is plain."""
ANCHOR = "readme-"
"""Before every id that a document chooses: it must not take the place of one of the page's."""

_TAGS = set(
    """
    a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li
    ol p picture pre q s samp small span strong sub summary sup table tbody td th thead tr ul var
    """.split()
)
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "td": {"align", "colspan", "rowspan"},
    "th": {"align", "colspan", "rowspan"},
    "p": {"align"},
    "div": {"align"},
    "details": {"open"},
} | {f"h{level}": {"id", "align"} for level in range(1, 7)}
_CLASSES = {"span": set(highlight.CLASSES), "pre": {"code"}}
_TASK = re.compile(r"\[([ xX])\]\s+")
_ALIGN = re.compile(r"text-align:(left|right|center)")


@dataclass(frozen=True, slots=True)
class Base:
    """Where a document lies: what its relative addresses are relative to."""

    repository: str
    """The repository's page, as ``/global/ann/hello``."""
    revision: str = "HEAD"
    folder: str = ""


def render(text: str, base: Base | None = None) -> Markup:
    """Return ``text`` as safe HTML; what is very long or knotty is shown as it was written."""
    html = attempt(text, base)
    return plain(text) if html is None else html


def attempt(text: str, base: Base | None = None, seconds: float = SECONDS_MAX) -> Markup | None:
    """Return ``text`` as safe HTML, or None when it is too long or takes longer to read.

    Only the time that this thread works counts: what is in time does not depend on the others.
    """
    shown = visible.text(text)
    if len(shown) > CHARS_MAX:
        return None
    start = time.thread_time()
    colouring = start + min(seconds, COLOURING_SECONDS_MAX)
    try:
        html = _PARSER.render(shown, {"until": start + seconds, "colouring": colouring})
    except TimeoutError:
        return None
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
        attribute_filter=lambda tag, name, value: _attribute(base, tag, name, value),
    )
    return Markup(clean)  # noqa: S704 - that is what the cleaning is for


def plain(text: str) -> Markup:
    """Return ``text`` as it was written; of what is very long the beginning, and a note."""
    shown = visible.text(text)
    html = Markup('<pre class="plain-text">{}</pre>').format(shown[:CHARS_MAX])
    if len(shown) > CHARS_MAX:
        note = "This is the beginning of a long document: its file has all of it."
        html += Markup('<p class="muted">{}</p>').format(note)
    return html


def _attribute(base: Base | None, tag: str, name: str, value: str) -> str | None:
    if name == "href":
        return _address(base, value, "blob")
    if name == "src":
        found = _address(base, value, "raw")
        # From elsewhere a picture tells its server who reads; the policy would refuse it anyway.
        return found if found and found.startswith("/") else None
    if name == "id":
        return value if value.startswith(ANCHOR) else None
    if name in ("width", "height", "colspan", "rowspan", "start"):
        return value if re.fullmatch(r"[0-9]{1,4}%?", value) else None
    return value


def _address(base: Base | None, value: str, view: str) -> str | None:
    """Return an address that is whole and ours, one of the web, or None."""
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return None
    if parts.scheme in ("http", "https") and parts.hostname:
        return value.strip()
    if parts.scheme == "mailto":
        return value.strip() if view == "blob" else None
    if parts.scheme or parts.netloc or "\\" in value:
        return None
    anchor = f"#{ANCHOR}{_slug(unquote(parts.fragment))}" if parts.fragment else ""
    if not parts.path:
        return anchor or None
    if base is None:
        return None
    path = unquote(parts.path)
    inside = path if path.startswith("/") else f"/{base.folder}/{path}"
    target = posixpath.normpath(inside).lstrip("/")
    if not target or not target.isprintable():
        return base.repository + anchor if not target else None
    line = f"#{parts.fragment}" if re.fullmatch(r"L\d{1,7}", parts.fragment) else anchor
    return f"{base.repository}/{view}/{quote(base.revision, safe='/')}/{quote(target)}{line}"


def _slug(text: str) -> str:
    return re.sub(r"[^\w-]+", "-", text.strip().lower()).strip("-")[:80]


def _anchors(state: StateCore) -> None:
    """Give headings the ids that links within a document expect."""
    taken: dict[str, int] = {}
    for opening, content in zip(state.tokens, state.tokens[1:], strict=False):
        if opening.type == "heading_open":
            slug = _slug("".join(c.content for c in content.children or () if c.content))
            count = taken[slug] = taken.get(slug, -1) + 1
            opening.attrSet("id", f"{ANCHOR}{slug}-{count}" if count else f"{ANCHOR}{slug}")


def _tasks(state: StateCore) -> None:
    """Draw the boxes of a list of tasks."""
    tokens = state.tokens
    for item, paragraph, content in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (item.type, paragraph.type) == ("list_item_open", "paragraph_open"):
            first = content.children[0] if content.children else None
            if first and first.type == "text" and (found := _TASK.match(first.content)):
                box = "☐" if found[1] == " " else "☑"
                first.content = f"{box} {first.content[found.end() :]}"


def _cells(state: StateCore) -> None:
    """Align cells by an attribute: a style could say anything."""
    for token in state.tokens:
        style = str(token.attrs.pop("style", ""))
        if token.type in ("td_open", "th_open") and (found := _ALIGN.match(style)):
            token.attrSet("align", found[1])


def _fence(
    self: RendererHTML, tokens: Sequence[Token], index: int, _: object, env: dict[str, float]
) -> str:
    token = tokens[index]
    language = token.info.split()[0] if token.info.split() else ""
    left = env["colouring"] - time.thread_time()
    rows = highlight.lines(token.content, language=language, seconds=left)
    return str(Markup('<pre class="code"><code>{}</code></pre>\n').format(Markup("\n").join(rows)))


def _indented(self: RendererHTML, tokens: Sequence[Token], index: int, *_: object) -> str:
    return str(Markup('<pre class="code"><code>{}</code></pre>\n').format(tokens[index].content))


def _hurry_block(state: StateBlock, _line: int, _end: int, _silent: bool) -> bool:
    """Match nothing; raise TimeoutError when a document's time is up."""
    return _hurry(state.env["until"])


def _hurry_inline(state: StateInline, _silent: bool) -> bool:
    """Match nothing; raise TimeoutError when a document's time is up."""
    return _hurry(state.env["until"])


def _hurry(until: float) -> bool:
    if time.thread_time() > until:
        raise TimeoutError
    return False


def _made() -> MarkdownIt:
    # "commonmark" nests 20 deep at most; html is on because nh3 is behind it.
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for number, rule in enumerate((_anchors, _tasks, _cells)):
        parser.core.ruler.push(f"ours-{number}", rule)
    # Some of the rules take the square of a text's length: the first one looks at the clock.
    parser.block.ruler.before(
        "table",
        "ours-clock",
        _hurry_block,
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )
    parser.inline.ruler.before("text", "ours-clock", _hurry_inline)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("code_block", _indented)
    return parser


_PARSER = _made()
