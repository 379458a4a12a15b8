"""The transition table: the only ways in which a workspace's state changes."""

from datetime import UTC, datetime

import pytest

from models import TRANSITIONS, State, Workspace
from orchestrator.errors import Conflict
from orchestrator.workspaces import move


def workspace(state: State) -> Workspace:
    return Workspace(
        id=1, name="main", state=state, reason="old", log="old", cpus=1.0, memory_bytes=1, pids=1,
        created_at=datetime.now(UTC),
    )  # fmt: skip


def test_every_state_has_its_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_every_state_can_be_reached_from_a_new_workspace() -> None:
    reached, border = {State.STOPPED}, [State.STOPPED]
    while border:
        fresh = TRANSITIONS[border.pop()] - reached
        reached |= fresh
        border += fresh
    assert reached == set(State)


def test_no_state_is_a_trap() -> None:
    """From everywhere the workspace can come to run, to stop or to be deleted again."""
    for target in (State.RUNNING, State.STOPPED, State.DELETING):
        reaching = {target}
        while more := {s for s in State if TRANSITIONS[s] & reaching} - reaching:
            reaching |= more
        assert reaching == set(State)


@pytest.mark.parametrize("after", State)
@pytest.mark.parametrize("before", State)
def test_only_transitions_of_the_table_happen(before: State, after: State) -> None:
    row = workspace(before)
    if after is before or after in TRANSITIONS[before]:
        move(row, after, reason="why", log="what")
        assert (row.state, row.reason, row.log) == (after, "why", "what")
    else:
        with pytest.raises(Conflict, match=f"{before} cannot become {after}"):
            move(row, after, reason="why")
        assert (row.state, row.reason, row.log) == (before, "old", "old")


def test_a_move_clears_what_was_said_before_and_bounds_the_log() -> None:
    row = workspace(State.FAILED)
    move(row, State.STARTING)
    assert (row.reason, row.log) == ("", "")
    move(row, State.FAILED, log="x" * 10_000 + "end")
    assert len(row.log) == 8000
    assert row.log.endswith("end")
