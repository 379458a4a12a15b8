import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BadInput
from orchestrator.names import parse_username, parse_workspace
from orchestrator.previews import Label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("5173--main--ann", Label(5173, "main", "ann")),
        ("1--a--b2", Label(1, "a", "b2")),
        ("65535--a-b--c-d", Label(65535, "a-b", "c-d")),
    ],
)
def test_a_label_names_port_workspace_and_user(text: str, label: Label) -> None:
    assert Label.parse(text) == label
    assert str(label) == text


@pytest.mark.parametrize(
    "text",
    ["", "main", "main--ann", "0--main--ann", "05--main--ann", "65536--main--ann",
     "99999--main--ann", "7681--main--ann", "-1--main--ann", "+1--main--ann", "1--main--ann--x",
     "1---main--ann", "1--main---ann", "1--main--ann-", "1--Main--ann", "1--main--ANN",
     "1----ann", "1--main--", "1--ma_in--ann", "1--main--ann\n", "١--main--ann", "1--mäin--ann",
     "1--main--ann.evil", "1--" + "a" * 25 + "--ann", "1--main--" + "a" * 31],
)  # fmt: skip
def test_what_names_no_preview_is_none(text: str) -> None:
    assert Label.parse(text) is None


@given(text=st.text(st.sampled_from("019a-z.:@ ")) | st.text())
def test_a_label_that_is_read_is_written_alike(text: str) -> None:
    label = Label.parse(text)
    if label is not None:
        assert str(label) == text
        assert len(text) <= 63
        assert parse_workspace(label.workspace) == label.workspace


@given(
    port=st.integers(1, 65535).filter(lambda port: port != 7681),
    workspace=st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,6}){0,2}", fullmatch=True),
    user=st.from_regex(r"[a-z0-9]{2,14}(-[a-z0-9]{1,6}){0,2}", fullmatch=True),
)
def test_every_port_of_every_workspace_has_a_label(port: int, workspace: str, user: str) -> None:
    try:
        label = Label(port, parse_workspace(workspace), parse_username(user))
    except BadInput:
        return  # a reserved name
    assert Label.parse(str(label)) == label
