"""When is a workspace idle, and how is that said to its owner? Pure.

Idle means that nobody has typed for ``idle_seconds`` *and* the workspace has not worked (CPU,
disk or network over a threshold) in that time. An open tab alone keeps nothing alive; a running
build does, until ``max_busy_seconds`` after the last input. Nothing outlasts the hours that its
owner has in a week.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.sampler import Rates
from orchestrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Policy:
    """The thresholds; times in seconds, rates in percent of a core and bytes a second."""

    idle_seconds: int
    max_busy_seconds: int
    busy_cpu_percent: float
    busy_io_bytes_per_second: int

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        return cls(
            settings.idle_seconds,
            settings.max_busy_seconds,
            settings.busy_cpu_percent,
            settings.busy_io_bytes_per_second,
        )


@dataclass(frozen=True, slots=True)
class Hours:
    """What a person has left of the week, who does not have all of it."""

    allowed: float
    end_at: datetime
    """When they are used up, as long as neither more nor less of that person's runs than now."""
    anew_at: datetime

    def over(self, now: datetime) -> bool:
        """Return whether nothing is left."""
        return now >= self.end_at

    @property
    def used_up(self) -> str:
        """Say so to their owner."""
        what = (
            "1 hour of this week is"
            if self.allowed == 1
            else f"{self.allowed:g} hours of this week are"
        )
        return f"Your {what} used up; a new week begins on {self.anew_at:%A, %Y-%m-%d, %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Activity:
    """What is known about one running workspace."""

    started_at: datetime
    last_input_at: datetime | None = None
    last_busy_at: datetime | None = None
    snoozed_until: datetime | None = None
    rates: Rates | None = None
    """Over the window; None before the second sample: then nothing is idle yet."""
    hours: Hours | None = None
    """None is without a limit, or enough for the rest of the week."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """When the workspace stops unless something happens, and why, in words."""

    stops_at: datetime
    busy: bool
    explanation: str
    reason: str
    """What the owner reads after it was stopped."""
    sure: bool = True
    """False while it rests on what has not been measured yet."""

    def due(self, now: datetime) -> bool:
        """Return whether the time has come."""
        return self.sure and now >= self.stops_at


def working(policy: Policy, rates: Rates | None) -> bool:
    """Return whether the rates are those of a workspace at work."""
    return rates is not None and (
        rates.cpu_percent >= policy.busy_cpu_percent
        or rates.net_bytes_per_second >= policy.busy_io_bytes_per_second
        or rates.block_bytes_per_second >= policy.busy_io_bytes_per_second
    )


def judge(now: datetime, policy: Policy, activity: Activity, floor: datetime) -> Verdict:
    """Return when the workspace stops. ``floor``: nothing before it is held against anyone.

    The floor is when this server began to watch, or when it last saw the clock jump.
    """
    verdict, hours = _judge_idle(now, policy, activity, floor), activity.hours
    if hours is None or hours.end_at > max(now, verdict.stops_at):
        return verdict
    return Verdict(
        hours.end_at,
        verdict.busy,
        f"stops in {words(hours.end_at - now)}: the week's {hours.allowed:g} h are used up then",
        hours.used_up,
    )


def _judge_idle(now: datetime, policy: Policy, activity: Activity, floor: datetime) -> Verdict:
    idle = timedelta(seconds=policy.idle_seconds)
    person = min(now, max(activity.started_at, activity.last_input_at or floor, floor))
    busy = working(policy, activity.rates)
    work = now if busy else min(now, activity.last_busy_at or person)
    patience = person + max(timedelta(seconds=policy.max_busy_seconds), idle)
    stops_at = min(max(person, work) + idle, patience)
    snoozed = activity.snoozed_until is not None and activity.snoozed_until > stops_at
    if snoozed and activity.snoozed_until is not None:
        stops_at = activity.snoozed_until
    quiet = f"no input for {words(now - person)}"
    doing = _doing(activity.rates)
    if snoozed:
        explanation = f"kept for {words(stops_at - now)}: snoozed"
    elif busy:
        explanation = f"working ({doing}): runs on, at most {words(patience - now)} without input"
    else:
        explanation = f"stops in {words(stops_at - now)}: {quiet}, {doing}"
    exhausted = busy and stops_at >= patience
    reason = (
        f"Stopped after {words(now - person)} of work without any input"
        if exhausted
        else f"Stopped as idle: {quiet}, {doing}"
    )
    return Verdict(stops_at, busy, explanation, reason, sure=activity.rates is not None)


def _doing(rates: Rates | None) -> str:
    if rates is None:
        return "cpu not measured yet"
    parts = [f"cpu {rates.cpu_percent:.1f} %"]
    traffic = rates.net_bytes_per_second + rates.block_bytes_per_second
    if traffic >= 1024:
        parts.append(f"{traffic / 1024:.0f} kB/s of disk and network")
    return ", ".join(parts)


def words(span: timedelta) -> str:
    """Return a duration as a person would say it: ``45 s``, ``12 min``, ``3 h 5 min``."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
