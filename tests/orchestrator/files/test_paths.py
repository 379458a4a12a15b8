import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BadInput
from orchestrator.files import paths

HOME = "/home/ann"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", HOME),
        ("/", "/"),
        ("a/b", f"{HOME}/a/b"),
        ("/etc/passwd", "/etc/passwd"),
        ("folder/", f"{HOME}/folder"),
        ("-rf", f"{HOME}/-rf"),
        ("~", f"{HOME}/~"),
        ("two\nlines", f"{HOME}/two\nlines"),
        ("...", f"{HOME}/..."),
        ("latin-\U0010ffe9", f"{HOME}/latin-\udce9"),
    ],
)
def test_paths_are_absolute_or_below_the_home(text: str, path: str) -> None:
    assert paths.parse(text, HOME) == path


@pytest.mark.parametrize(
    "text",
    ["..", "../x", "a/../b", "/..", "a/.", ".", "a//b", "nul\0", "x" * 256, "/x" * 2100, "\ud800",
     None, 7, ["a"], b"a"],
)  # fmt: skip
def test_what_is_no_path_is_refused(text: object) -> None:
    with pytest.raises(BadInput) as caught:
        paths.parse(text, HOME, field="from")
    assert caught.value.field == "from"


names = st.binary(min_size=1, max_size=60).filter(
    lambda raw: not set(raw) & {0, 0x2F} and raw not in (b".", b"..")
)


@given(st.lists(names, min_size=1, max_size=5))
def test_every_name_on_a_disk_can_be_shown_and_given_back(parts: list[bytes]) -> None:
    path = "/" + b"/".join(parts).decode(errors="surrogateescape")
    shown = paths.show(path)
    assert paths.parse(shown, HOME) == path
    shown.encode()  # what JSON and URLs can carry
    above = paths.folder_of(path).rstrip("/")
    assert f"{above}/{paths.name_of(path)}" == path
