"""What a benchmark says: a value, what it is compared with, and whether that is good enough."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


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
    value: float,
    unit: str,
    against: str,
    reference: float,
    *,
    most: float | None = None,
    least: float | None = None,
) -> Result:
    """Return ``value`` as a ratio to ``reference``, demanded to be at most or at least so much."""
    ratio = value / reference if reference else 0.0
    target, ok = _judged(ratio, most, least)
    return Result(name, value, unit, f"{against} {_number(reference)}", ratio, target, ok)


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
