from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.errors import BadInput, Conflict
from web.forms import decimal, field_errors, local_path, number

PANEL = "https://panel.example"
parts = st.sampled_from(
    ["/", "//", "\\", "evil.example", "http:", "javascript:", "@", "?", "#", ":", ".", "..", " ",
     "\t", "\n", "\r", "\0", "%2f", "%5c", "[", "]", "a", "ü", "。", "／", "℀", "w/main/"]
)  # fmt: skip
targets = st.lists(parts, max_size=8).map("".join) | st.text(max_size=30)


def browser_goes_to(target: str) -> str:
    """Return the host that a browser ends on (URL Standard: tabs and newlines go, \\ is /)."""
    text = "".join(c for c in target if c not in "\t\n\r").strip("".join(map(chr, range(33))))
    text = text.replace("\\", "/")
    if text.startswith("//"):
        return text.lstrip("/").partition("/")[0] or "nowhere"
    head = text.partition("/")[0].partition("?")[0].partition("#")[0]
    return "elsewhere" if ":" in head else "panel.example"


@given(targets)
@example("//evil.example")
@example("/\\evil.example")
@example("/\t/evil.example")
@example("\\/evil.example")
@example("//[")
@example("/[")
@example("http://[")
@example("//℀.example")
@example("https:evil.example")
@example(" //evil.example")
def test_going_on_never_leaves_the_server(target: str) -> None:
    path = local_path(target)
    assert path.startswith("/")
    assert browser_goes_to(path) == "panel.example"
    assert urlsplit(path).netloc == ""
    assert path.isprintable()


@pytest.mark.parametrize("path", ["/", "/w/main/", "/account?x=1#tokens", "/templates", "/w/ü/"])
def test_paths_of_our_own_are_kept(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize("path", ["", "w/main", "https://panel.example/", "/" + "x" * 5000])
def test_anything_else_is_the_start(path: str) -> None:
    assert local_path(path) == "/"


@pytest.mark.parametrize("text", ["", "x", "1.5", "0x10", "--1", "nan"])
def test_only_whole_numbers_are_numbers(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        number(text, "n")
    assert caught.value.field == "n"


@pytest.mark.parametrize("text", ["9" * 20 + "junk", "1" * 10_000_000])
def test_only_the_beginning_of_a_number_is_read(text: str) -> None:
    assert number(text, "n") == int(text[:20])


def test_decimals() -> None:
    assert decimal(" 1.5 ", "n") == 1.5
    with pytest.raises(BadInput):
        decimal("much", "n")


def test_errors_stand_at_their_field_or_on_the_form() -> None:
    bad = BadInput("Too short", field="password", hint="Use 10 characters.")
    assert field_errors(bad) == {"password": "Too short. Use 10 characters."}
    assert field_errors(Conflict("Not now")) == {"form": "Not now."}
