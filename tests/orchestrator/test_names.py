import json
import re
import string
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from orchestrator import names
from orchestrator.errors import BadInput

ALPHABET = string.ascii_lowercase + string.digits
PARSERS = [
    (names.parse_username, 2, 30),
    (names.parse_workspace, 1, 24),
    (names.parse_session, 1, 32),
    (names.parse_template, 1, 32),
]
every_parser = pytest.mark.parametrize(("parse", "shortest", "longest"), PARSERS)


def grammatical(text: str, shortest: int, longest: int) -> bool:
    """The grammar again, by another road than a regular expression."""
    return (
        shortest <= len(text) <= longest
        and set(text) <= set(ALPHABET + "-")
        and all(text.split("-"))
    )


likely = st.text(alphabet=ALPHABET + "-", max_size=36)
anything = st.one_of(
    likely, st.text(max_size=36), st.text(alphabet=ALPHABET + "-A.\n٣ｅ", max_size=6)
)


@every_parser
def test_exactly_the_grammar_is_accepted(parse, shortest: int, longest: int) -> None:
    @given(anything)
    @example("a\n")
    @example("-a")
    @example("a-")
    @example("a--b")
    @example("")
    @example("a" * longest)
    @example("a" * (longest + 1))
    def check(text: str) -> None:
        reserved = parse is names.parse_username and text in names.RESERVED
        if grammatical(text, shortest, longest) and not reserved:
            assert parse(text) == text
        else:
            with pytest.raises(BadInput):
                parse(text)

    check()


@every_parser
@pytest.mark.parametrize(
    "twin", ["аdmin1", "ｕser", "usér", "us\u0065\u0301r", "user\u200b", "ⅷa", "١a"]
)
def test_look_alikes_are_refused(parse, shortest: int, longest: int, twin: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        text = unicodedata.normalize(form, twin)
        if not text.isascii():
            with pytest.raises(BadInput):
                parse(text)


@every_parser
@pytest.mark.parametrize("junk", [None, 3, b"name", ["name"], True, {"name": "x"}])
def test_what_is_no_text_is_refused(parse, shortest: int, longest: int, junk: object) -> None:
    with pytest.raises(BadInput):
        parse(junk)


@every_parser
def test_ten_megabytes_are_refused_and_never_echoed(parse, shortest: int, longest: int) -> None:
    with pytest.raises(BadInput) as caught:
        parse("a" * 10_000_000)
    assert len(str(caught.value)) + len(caught.value.hint) < 500
    assert str(longest) in caught.value.hint


@pytest.mark.parametrize("name", sorted(names.RESERVED))
def test_reserved_words_are_no_usernames(name: str) -> None:
    with pytest.raises(BadInput):
        names.parse_username(name)


@pytest.mark.parametrize("name", ["rootblood", "global", "share", "git"])
def test_nobody_speaks_for_the_server_or_has_a_name_of_the_commons(name: str) -> None:
    with pytest.raises(BadInput, match="is reserved"):
        names.parse_username(name)


def test_reserved_words_say_so() -> None:
    with pytest.raises(BadInput, match="'root' is reserved") as caught:
        names.parse_username("root")
    assert caught.value.field == "username"


def test_every_reserved_word_could_have_been_a_name() -> None:
    """One that could not would be dead weight, or a typing error."""
    assert {word for word in names.RESERVED if not grammatical(word, 2, 30)} == set()


labels = st.lists(st.text(ALPHABET, min_size=1, max_size=9), min_size=1, max_size=3).map("-".join)


@given(
    st.integers(1, 65535),
    labels.map(lambda text: text[:24].rstrip("-")),
    labels.map(lambda text: f"{text}x"),
)
@example(65535, "w" * 24, "u" * 30)
def test_port_workspace_and_user_fit_one_dns_label_and_come_apart(
    port: int, workspace: str, user: str
) -> None:
    label = f"{port}--{names.parse_workspace(workspace)}--{user}"
    assert len(label) <= 63
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", label)
    assert label.split("--") == [str(port), workspace, user]


@pytest.mark.parametrize(
    "reference",
    [
        "chaospine:1.0.0", "debian", "debian:bookworm-slim", "localhost:5000/team/image:V1_x",
        "registry.example.org/a/b-c_d.e", f"image@sha256:{'0' * 64}", f"a:b@sha256:{'f' * 64}",
    ],
)  # fmt: skip
def test_image_references_are_accepted(reference: str) -> None:
    assert names.parse_image(reference) == reference


@pytest.mark.parametrize(
    "reference",
    [
        "", " image", "image ", "image\n", "-image", "../image", "a//b", "Image", "image:", "a b",
        "image:tag:tag/", "image@sha256:abc", "--privileged", "a" * 256, "im\u0430ge", None, 7,
        "image;rm", "$(image)", "image\x00",
    ],
)  # fmt: skip
def test_other_text_is_no_image_reference(reference: object) -> None:
    with pytest.raises(BadInput):
        names.parse_image(reference)


@given(st.text(alphabet="a:._/-", max_size=255))
def test_image_references_are_judged_in_no_time(text: str) -> None:
    """Backtracking over 255 separators would hang here, not merely be slow."""
    with suppress(BadInput):
        assert names.parse_image(text) == text


@pytest.mark.parametrize("length", [names.PASSWORD_MIN, names.PASSWORD_MAX])
def test_passwords_of_the_right_length_are_accepted(length: int) -> None:
    assert names.parse_password("ü" * length) == "ü" * length


@pytest.mark.parametrize(
    "password", ["", "short", "x" * (names.PASSWORD_MIN - 1), "x" * (names.PASSWORD_MAX + 1),
                 "x" * 10_000_000, None, 1234567890, b"bytes are none"],
)  # fmt: skip
def test_other_passwords_are_refused_without_being_repeated(password: object) -> None:
    with pytest.raises(BadInput) as caught:
        names.parse_password(password)
    assert caught.value.field == "password"
    assert str(password or "~") not in caught.value.message + caught.value.hint


@given(st.text())
def test_titles_are_one_printable_line(text: str) -> None:
    title = ""
    with suppress(BadInput):
        title = names.parse_title(text, field="title")
    assume(title)
    assert title == title.strip()
    assert 0 < len(title) <= 80
    assert title.isprintable()


@pytest.mark.parametrize("text", ["", " ", "a\nb", "a\tb", "\x00", "\u202eabc", "x" * 81, None])
def test_other_titles_are_refused(text: object) -> None:
    with pytest.raises(BadInput):
        names.parse_title(text, field="title")


@pytest.mark.parametrize("text", ["docs/a.txt", "-rf", "*", "new\nline", "a b", "日本", "..."])
def test_home_paths_are_any_names_below_the_home(text: str) -> None:
    assert names.parse_home_path(text) == text
    assert names.parse_home_path(f"/{text}/") == text


@pytest.mark.parametrize(
    "text",
    ["", "/", ".", "..", "a/../b", "../x", "a//b", "./a", "a\0b", "x" * 256, "a/" * 2048 + "aaa",
     "\ud800", None, 7],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_refused(text: object) -> None:
    with pytest.raises(BadInput):
        names.parse_home_path(text)


def test_the_home_itself_is_a_path_where_it_may_be() -> None:
    assert names.parse_home_path("", root=True) == ""
    assert names.parse_home_path("/", root=True) == ""


@given(st.binary(min_size=1, max_size=255).filter(lambda raw: not {0, 47} & set(raw)))
def test_every_name_of_a_file_survives_json(raw: bytes) -> None:
    name = raw.decode(errors="surrogateescape")
    assume(name not in (".", "..") and not any(ord(c) >= 0x10FF80 for c in name))
    shown = names.show_home_path(name)
    assert json.loads(json.dumps(shown)).encode().decode() == shown
    assert names.parse_home_path(shown) == name
