from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.previews.activity import FRAMES, WITHIN_SECONDS, Pace, meter, note
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


def test_many_frames_within_a_minute_are_somebodys_work() -> None:
    pace = Pace()
    assert [pace.note(float(at)) for at in range(FRAMES + 1)] == [False] * FRAMES + [True]


def test_an_idle_page_that_pings_is_not() -> None:
    """code-server, of those that were seen, says most while nobody is there: every 5 s."""
    pace = Pace()
    assert not any(pace.note(at * 5.0) for at in range(1000))
    assert not any(pace.note(5000.0 + at * WITHIN_SECONDS / (FRAMES - 1)) for at in range(29))


def test_a_burst_is_told_once() -> None:
    pace = Pace()
    assert sum(pace.note(0.0) for _ in range(10 * (FRAMES + 1))) == 10


@given(st.lists(st.floats(0.01, 30.0), max_size=200))
def test_no_more_is_said_than_comes(gaps: list[float]) -> None:
    pace, now, times = Pace(), 0.0, list[float]()
    for gap in gaps:
        now += gap
        times.append(now)
        if pace.note(now):
            assert sum(now - at <= WITHIN_SECONDS for at in times) > FRAMES


def test_frames_of_a_person_are_noted_as_input() -> None:
    told: Any = Connections()
    passes = meter(told, viewer())
    for _ in range(FRAMES):
        assert passes(memoryview(client_frame(b"x")))
    assert told.noted == []
    assert passes(memoryview(client_frame(b"x")))
    assert told.noted == [7]


@pytest.mark.parametrize("who", [viewer(known=False), Viewer(("x",))])
def test_a_stranger_keeps_no_workspace_awake(who: Viewer) -> None:
    told: Any = Connections()
    passes = meter(told, who)
    assert passes(memoryview(client_frame(b"x") * 1000))
    note(told, who, NOW)
    assert told.noted == []
