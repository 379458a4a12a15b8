import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.files import programs

arguments = st.lists(
    st.binary(max_size=40)
    .filter(lambda raw: b"\0" not in raw)
    .map(lambda raw: raw.decode(errors="surrogateescape")),
    min_size=1,
    max_size=4,
)


@given(arguments)
@settings(max_examples=40, deadline=None)
def test_arguments_arrive_as_they_are(given: list[str]) -> None:
    command = programs.argv("printf", "%s\\000", *given)
    assert all(text.isascii() and text.isprintable() for text in command[3:])
    said = subprocess.run(command, check=True, capture_output=True).stdout
    assert [one.decode(errors="surrogateescape") for one in said.split(b"\0")[:-1]] == given


def test_only_what_is_no_text_needs_a_shell() -> None:
    assert programs.sendable(["git", "-C", "/grüße"]) == ("git", "-C", "/grüße")
    command = programs.sendable(["printf", "%s", "/latin-\udce9"])
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"/latin-\xe9"
