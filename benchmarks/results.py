"""What a benchmark says: a value, what it is compared with, and whether that is good enough."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table; ``ok`` is None where nothing is demanded."""

    name: str
    value: float
    unit: str
    against: str = ""
    ratio: float | None = None
    target: str = ""
    ok: bool | None = None


def compared(
    name: str,
    unit: str,
    values: Sequence[float],
    against: str,
    references: Sequence[float],
    *,
    most: float | None = None,
    least: float | None = None,
) -> Result:
    """Return the median of ``values``, with the median ratio to what was measured beside each.

    Pairs, because the machine may be slower in one minute than in the next.
    """
    ratio = median(a / b for a, b in zip(values, references, strict=True))
    target, ok = _judged(ratio, most, least)
    beside = f"{against} {_number(median(references))}"
    return Result(name, median(values), unit, beside, ratio, target, ok)


def bounded(
    name: str, value: float, unit: str, *, most: float | None = None, least: float | None = None
) -> Result:
    """Return ``value``, demanded to be at most or at least so much."""
    target, ok = _judged(value, most, least)
    return Result(name, value, unit, target=target, ok=ok)


def table(results: Sequence[Result]) -> str:
    """Return the results as text for people."""
    rows = [("", "value", "unit", "against", "ratio", "target", ""), *map(_row, results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def document(results: Sequence[Result]) -> str:
    """Return the results as JSON for programs."""
    return json.dumps([asdict(result) for result in results], indent=1)


def _row(result: Result) -> tuple[str, ...]:
    ratio = "" if result.ratio is None else f"{result.ratio:.2f}x"
    verdict = {True: "ok", False: "MISSED", None: ""}[result.ok]
    value = _number(result.value)
    return result.name, value, result.unit, result.against, ratio, result.target, verdict


def _judged(value: float, most: float | None, least: float | None) -> tuple[str, bool | None]:
    if most is not None:
        return f"<= {most:g}", value <= most
    if least is not None:
        return f">= {least:g}", value >= least
    return "", None


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
