"""Lanes of a log: each line leads from a commit to its parents, whatever the history."""

from hypothesis import given
from hypothesis import strategies as st

from web import graph

History = list[tuple[str, list[str]]]


def test_a_straight_history_is_one_lane() -> None:
    made = graph.rows([("c", ["b"]), ("b", ["a"]), ("a", [])])
    assert [row.lane for row in made] == [0, 0, 0]
    assert made[0].lines == ((None, 0),)
    assert made[1].lines == ((0, None), (None, 0))
    assert made[2].lines == ((0, None),)


def test_a_merge_opens_a_lane_and_its_base_closes_it() -> None:
    made = graph.rows([("m", ["a", "b"]), ("b", ["r"]), ("a", ["r"]), ("r", [])])
    assert [row.lane for row in made] == [0, 1, 0, 0]
    assert made[0].lines == ((None, 0), (None, 1))
    assert graph.rows([]) == []


@st.composite
def histories(draw: st.DrawFn) -> History:
    size = draw(st.integers(0, 25))
    parents = [st.lists(st.integers(n + 1, size + 3), max_size=4, unique=True) for n in range(size)]
    return [(str(n), [str(one) for one in draw(parents[n])]) for n in range(size)]


@given(histories())
def test_every_line_that_leaves_a_row_arrives_at_the_next(history: History) -> None:
    made = graph.rows(history)
    below: set[int] = set()
    for row, (_, parents) in zip(made, history, strict=True):
        above = {top for top, _ in row.lines if top is not None}
        assert above == below, row
        below = {bottom for _, bottom in row.lines if bottom is not None}
        assert len([line for line in row.lines if line[0] is None]) == len(parents)
        drawing = graph.drawn(row, graph.width(made))
        assert drawing.count("<path") == len(row.lines)
        assert drawing.count('class="above') == len(
            [line for line in row.lines if line[0] is not None]
        )
