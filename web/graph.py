"""The lines beside a list of commits: which lane each is in, and what joins what.

``rows`` is pure; ``drawn`` makes one picture of one row, so that a list stays a list: it can be
paged, read aloud and clicked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

LANES_MAX = 10
"""Further lanes are drawn on the last one."""
STEP, HEIGHT, HEADING, COLOURS = 14, 56, 36, 6


@dataclass(frozen=True, slots=True)
class Row:
    """One commit's place: its lane, and lines as (lane at the top, lane at the bottom).

    A line from or to the commit itself has None for the other end.
    """

    lane: int
    lines: tuple[tuple[int | None, int | None], ...]


def rows(commits: Iterable[tuple[str, Sequence[str]]]) -> list[Row]:
    """Return a row for each ``(id, parents)``, which come children first."""
    waiting: list[str | None] = []
    made = []
    for commit, parents in commits:
        lane = _lane_of(commit, waiting)
        lines: list[tuple[int | None, int | None]] = []
        for number, wanted in enumerate(waiting):
            if wanted == commit:
                lines.append((number, None))
                waiting[number] = None
            elif wanted is not None:
                lines.append((number, number))
        for number, parent in enumerate(parents):
            if number == 0:  # the main line stays straight: others join it
                target = lane
                _put(waiting, lane, parent)
            elif parent in waiting:
                target = waiting.index(parent)
            else:
                target = _free(waiting, besides=lane)
                _put(waiting, target, parent)
            lines.append((None, target))
        while waiting and waiting[-1] is None:
            waiting.pop()
        made.append(Row(lane, tuple(lines)))
    return made


def _lane_of(commit: str, waiting: list[str | None]) -> int:
    return waiting.index(commit) if commit in waiting else _free(waiting)


def _free(waiting: list[str | None], besides: int = -1) -> int:
    spots = (n for n, wanted in enumerate(waiting) if wanted is None and n != besides)
    return next(spots, len(waiting) + (besides == len(waiting)))


def _put(waiting: list[str | None], lane: int, commit: str) -> None:
    waiting.extend([None] * (lane + 1 - len(waiting)))
    waiting[lane] = commit


def width(made: Sequence[Row]) -> int:
    """Return how many pixels the pictures of these rows are wide."""
    ends = [end for row in made for line in row.lines for end in (*line, row.lane) if end]
    return STEP * (min(max(ends, default=0), LANES_MAX - 1) + 1) + 4


def drawn(row: Row, pixels: int) -> Markup:
    """Return the picture of one row."""
    paths = Markup("").join(_path(row.lane, top, bottom) for top, bottom in row.lines)
    dot = Markup('<circle class="lane-{}" cx="{}" cy="{}" r="4.5"/>').format(
        row.lane % COLOURS, _x(row.lane), HEIGHT // 2
    )
    above = Markup("").join(_above(top) for top, _ in row.lines if top is not None)
    return Markup(
        '<svg class="lanes" width="{0}" height="{1}" viewBox="0 0 {0} {1}" aria-hidden="true">'
        "{2}{3}{4}</svg>"
    ).format(pixels, HEIGHT, above, paths, dot)


def _above(lane: int) -> Markup:
    """Return the way of a line past a heading over the row; pages show it where there is one."""
    return Markup('<line class="above lane-{}" x1="{}" y1="-{}" x2="{}" y2="0"/>').format(
        lane % COLOURS, _x(lane), HEADING, _x(lane)
    )


def _path(lane: int, top: int | None, bottom: int | None) -> Markup:
    start, end = (lane if top is None else top), (lane if bottom is None else bottom)
    y_start = HEIGHT // 2 if top is None else 0
    y_end = HEIGHT // 2 if bottom is None else HEIGHT
    middle = (y_start + y_end) // 2
    colour = (end if top is None else start) % COLOURS
    return Markup('<path class="lane-{}" d="M{} {}C{} {} {} {} {} {}"/>').format(
        colour, _x(start), y_start, _x(start), middle, _x(end), middle, _x(end), y_end
    )  # fmt: skip


def _x(lane: int) -> int:
    return STEP * min(lane, LANES_MAX - 1) + STEP // 2 + 2
