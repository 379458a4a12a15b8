from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.previews.activity import MINUTE, MINUTES, MORE, Pace, meter, note
from orchestrator.previews.viewers import Viewer
from tests.wire import client_frame

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Connections:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.noted: list[int] = []

    def note_input(self, workspace_id: int, now: datetime) -> None:
        self.noted.append(workspace_id)


def viewer(*, known: bool = True) -> Viewer:
    connection: Any = SimpleNamespace(workspace_id=7)
    return Viewer(("x",), connection, known=known)


def told(*minutes: int) -> list[int]:
    """Return how often somebody's work is seen in each minute of so many frames."""
    pace = Pace(0.0)
    return [
        sum(pace.note(MINUTE * (minute + at / frames)) for at in range(frames))
        for minute, frames in enumerate(minutes)
    ]


def test_far_more_frames_than_in_a_quiet_minute_are_somebodys_work() -> None:
    assert told(4, 6 + MORE) == [0, 0]
    assert told(4, 6 + MORE + 1) == [0, 1]
    assert told(80, 77, 160, 81, 130) == [0, 0, 1, 0, 1]
    assert told(0, 500, 500, 2, 500) == [0, 1, 1, 1, 1]


def test_where_an_idle_page_says_nothing_two_frames_are_somebody() -> None:
    assert told(0, *[3] * 40) == [0, *[1] * 40]
    assert told(0, 1, 0, 1, 1) == [0] * 5


@pytest.mark.parametrize(
    "minutes", [[0] * 30, [2] * 30, [77, 75, 73, 77, 78] * 6, [85, 85, 84, 71, 86] * 6]
)
def test_what_a_page_says_by_itself_is_not(minutes: list[int]) -> None:
    """As JupyterLab does, Vite, and either of code-server's two sockets."""
    assert told(*minutes) == [0] * 30


@pytest.mark.parametrize("gap", [0.0, 1.0, 59.0])
def test_a_page_that_opens_or_connects_anew_is_not(gap: float) -> None:
    pace = Pace(100.0)
    assert not any(pace.note(100.0 + gap) for _ in range(1000))


def test_somebody_who_never_pauses_is_seen_as_soon_as_they_do() -> None:
    assert told(300, 310, 290, 0, 300) == [0, 0, 0, 0, 1]


def test_an_app_that_becomes_louder_is_taken_for_a_person_no_longer_than_it_is_news() -> None:
    minutes = told(2, *[90] * (2 * MINUTES))
    assert minutes == [0] + [1] * MINUTES + [0] * MINUTES


def test_silence_is_a_quiet_minute() -> None:
    pace = Pace(0.0)
    assert not any(pace.note(0.0) for _ in range(1000))
    assert not any(pace.note(MINUTE) for _ in range(1000))
    assert sum(pace.note(3 * MINUTE) for _ in range(1000)) == 1
    assert sum(pace.note(1e9) for _ in range(1000)) == 1


@given(st.lists(st.integers(0, 200), min_size=1, max_size=40))
def test_a_minute_is_told_of_once_at_most(minutes: list[int]) -> None:
    found = told(*minutes)
    assert set(found) <= {0, 1}
    assert all(frames > 1 for frames, one in zip(minutes, found, strict=True) if one)


def test_frames_of_a_person_are_noted_as_input() -> None:
    told: Any = Connections()
    now = 0.0
    passes = meter(told, viewer(), lambda: now)
    assert passes(memoryview(client_frame(b"x") * 500))
    assert told.noted == []
    now = MINUTE * 2
    assert passes(memoryview(client_frame(b"x")))
    assert told.noted == []
    assert passes(memoryview(client_frame(b"x")))
    assert told.noted == [7]


@pytest.mark.parametrize("who", [viewer(known=False), Viewer(("x",))])
def test_a_stranger_keeps_no_workspace_awake(who: Viewer) -> None:
    told: Any = Connections()
    moments = iter((0.0, *[MINUTE * 2] * 1000))
    passes = meter(told, who, lambda: next(moments))
    assert passes(memoryview(client_frame(b"x") * 900))
    note(told, who, NOW)
    assert told.noted == []
