"""The usual: how many people complain in an hour like this one, and how many are too many.

History is an exponentially weighted mean for each hour of the week (Asia/Shanghai) and stream,
folded once an hour. While it is young, the same hour of all days counts, before that the mean over
all hours, and in the first day a configured prior (unless the account is plainly busier than
that); the expectation says which. Counts of people
are burstier than Poisson, so the limit comes from a negative binomial with the stream's own
dispersion. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
SLOTS = 168
MONTH_MS = 30 * 24 * HOUR_MS

SLOT_WEIGHT = 0.3
"""Weight of the newest week in a slot's mean."""
AVERAGE_WEIGHT = 1 / SLOTS
"""Weight of the newest hour in the mean over all hours."""
MIN_SLOT_WEEKS = 3
MIN_DAYS = 3
MIN_AVERAGE_HOURS = 24
MIN_HOURS = 3
"""From then on an account that is busier than the prior is measured by its own average."""
YOUNG_CAP = 3
"""While history is young its limits are, too: a count is folded in up to so many times it."""
HOURS_A_DAY = 24
LEAST_PEOPLE_PER_HOUR = 0.02
MAX_DISPERSION = 10.0

Source = Literal["hour_of_week", "hour_of_day", "average", "prior"]


@dataclass(frozen=True, slots=True)
class Prior:
    """What is taken for usual while there is no history."""

    people_per_hour: float = 2.0
    """Different people with a negative comment, in one stream, in an hour."""
    severe_people_per_hour: float = 0.05
    """The same for comments of severity 2 and 3."""
    negative_share: float = 0.1
    """Share of negative comments among all."""
    dispersion: float = 3.0
    """Variance over mean of the hourly count."""
    severe_dispersion: float = 1.0


@dataclass(frozen=True, slots=True)
class Stream:
    """History of one stream: a subject, or the severe comments of a subject."""

    slots: tuple[float, ...] = (0.0,) * SLOTS
    """People an hour, by hour of the week, Monday 00:00 first."""
    average: float = 0.0
    """People an hour, over all hours."""
    dispersion: float = 1.0


@dataclass(frozen=True, slots=True)
class Usual:
    """The history of one account."""

    folded_upto: int = 0
    """End of the last hour that was folded in, ms; 0 before the first."""
    hours: int = 0
    """Hours folded in."""
    weeks: tuple[int, ...] = (0,) * SLOTS
    """How often each hour of the week was folded in."""
    negative_share: float = 0.0
    streams: Mapping[str, Stream] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expectation:
    """How many people are usual in an hour, and where that comes from."""

    per_hour: float
    dispersion: float
    share: float
    """Usual share of negative comments among all."""
    source: Source
    times: int = 0
    """How often this hour, of the week or of the day, was seen before."""


@dataclass(frozen=True, slots=True)
class HourCounts:
    """What one hour of event time held."""

    people: Mapping[str, int]
    """Different people by stream."""
    negative: int
    total: int


def stream_name(subject: str, *, severe: bool) -> str:
    """The stream of a subject: all of its negative comments, or the severe ones."""
    return f"{subject}_severe" if severe else subject


def hour_of_week(at: int) -> int:
    """0 for Monday 00:00 to 00:59 in Asia/Shanghai (UTC+8 all year)."""
    return (at // HOUR_MS + 8 + 3 * 24) % SLOTS  # the epoch was a Thursday


def expect(usual: Usual, prior: Prior, stream: str, at: int, *, severe: bool) -> Expectation:
    """What is usual in this stream at this time."""
    prior_dispersion = prior.severe_dispersion if severe else prior.dispersion
    prior_mean = prior.severe_people_per_hour if severe else prior.people_per_hour
    average = usual.streams.get(stream, Stream()).average
    busier = usual.hours >= MIN_HOURS and average > prior_mean
    if usual.hours < MIN_AVERAGE_HOURS and not busier:
        return Expectation(
            per_hour=prior_mean,
            dispersion=prior_dispersion,
            share=prior.negative_share,
            source="prior",
        )
    history = usual.streams.get(stream, Stream())
    source, mean, times = _mean(usual, history, hour_of_week(at))
    return Expectation(
        per_hour=max(mean, LEAST_PEOPLE_PER_HOUR),
        dispersion=min(max(history.dispersion, prior_dispersion), MAX_DISPERSION),
        share=usual.negative_share,
        source=source,
        times=times,
    )


def too_many(expected: float, dispersion: float, chance: float) -> int:
    """The smallest count that chance alone reaches with at most this probability.

    Args:
        expected: mean count in the window.
        dispersion: variance over mean, at least 1.
        chance: the probability, above 0.
    """
    if expected <= 0:
        return 1
    rounded = float(f"{expected:.2g}") if expected < 1 else float(f"{expected:.3g}")
    return _too_many(rounded, round(max(dispersion, 1.0), 1), chance)


def limit_in(expectation: Expectation, people: float, window_ms: int, false_alarms: float) -> int:
    """How many people in a window are too many.

    The variance of bursty counts shrinks with the window faster than their mean (a gamma-mixed
    Poisson), so the dispersion above 1 is taken in proportion to the window.

    Args:
        expectation: the usual.
        people: expected in the window, from the usual or, if larger, from the volume.
        window_ms: the window.
        false_alarms: how often a month chance alone may reach the limit.
    """
    dispersion = 1 + (expectation.dispersion - 1) * min(window_ms / HOUR_MS, 1.0)
    return too_many(people, dispersion, min(false_alarms * window_ms / MONTH_MS, 0.5))


def fold_hour(usual: Usual, prior: Prior, hour: int, counts: HourCounts) -> Usual:
    """The history with one more hour; an hour before `folded_upto` changes nothing.

    A count beyond its limit is folded in as the limit, so that a crisis doesn't become the usual.

    Args:
        usual: the history.
        prior: stands in where there is none.
        hour: the hour's start, ms.
        counts: what the hour held.
    """
    if hour < usual.folded_upto:
        return usual
    slot = hour_of_week(hour)
    streams = {
        name: _fold_stream(usual, prior, hour, name, counts.people.get(name, 0))
        for name in {*usual.streams, *(name for name, people in counts.people.items() if people)}
    }
    share = usual.negative_share
    if counts.total:
        observed = min(counts.negative / counts.total, 0.5)
        start = share if usual.hours else prior.negative_share
        share = start + AVERAGE_WEIGHT * (observed - start)
    elif not usual.hours:
        share = prior.negative_share
    return Usual(
        folded_upto=hour + HOUR_MS,
        hours=usual.hours + 1,
        weeks=(*usual.weeks[:slot], usual.weeks[slot] + 1, *usual.weeks[slot + 1 :]),
        negative_share=share,
        streams=streams,
    )


def _mean(usual: Usual, history: Stream, slot: int) -> tuple[Source, float, int]:
    """Where the mean comes from, the mean, and how often the hour was seen."""
    if usual.weeks[slot] >= MIN_SLOT_WEEKS:
        return "hour_of_week", history.slots[slot], usual.weeks[slot]
    same_hour = range(slot % HOURS_A_DAY, SLOTS, HOURS_A_DAY)
    days = sum(usual.weeks[one] for one in same_hour)
    if days >= MIN_DAYS:
        total = sum(usual.weeks[one] * history.slots[one] for one in same_hour)
        return "hour_of_day", total / days, days
    return "average", history.average, 0


def _fold_stream(usual: Usual, prior: Prior, hour: int, name: str, people: int) -> Stream:
    history = usual.streams.get(name, Stream())
    slot = hour_of_week(hour)
    slot_weight = max(SLOT_WEIGHT, 1 / (usual.weeks[slot] + 1))
    average_weight = max(AVERAGE_WEIGHT, 1 / (usual.hours + 1))
    expectation = expect(usual, prior, name, hour, severe=name.endswith("_severe"))
    limit = too_many(expectation.per_hour, expectation.dispersion, HOUR_MS / MONTH_MS)
    match expectation.source:
        case "prior":
            count = people  # nothing is known that could call it unusual
        case "hour_of_week":
            count = min(people, limit)
        case _:
            count = min(people, YOUNG_CAP * limit)
    surprise = (count - expectation.per_hour) ** 2 / max(expectation.per_hour, 0.1)
    slots = list(history.slots)
    slots[slot] += slot_weight * (count - slots[slot])
    return replace(
        history,
        slots=tuple(slots),
        average=history.average + average_weight * (count - history.average),
        dispersion=history.dispersion + average_weight * (surprise - history.dispersion),
    )


@lru_cache(maxsize=4096)
def _too_many(expected: float, dispersion: float, chance: float) -> int:
    """Sum the upper tail from far out inwards until it passes `chance`."""
    count = math.floor(expected)
    masses = [_mass(count, expected, dispersion)]
    while masses[-1] > chance * 1e-6 or count < expected + 1:
        count += 1
        masses.append(_mass(count, expected, dispersion))
    tail = 0.0
    for mass in reversed(masses):
        tail += mass
        if tail > chance:
            return count + 1
        count -= 1
    return max(count + 1, 1)


def _mass(count: int, mean: float, dispersion: float) -> float:
    """Probability of a count: Poisson, or negative binomial where the variance is larger."""
    if dispersion <= 1.0:
        return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    size = mean / (dispersion - 1)
    return math.exp(
        math.lgamma(size + count)
        - math.lgamma(size)
        - math.lgamma(count + 1)
        - size * math.log(dispersion)
        + count * math.log1p(-1 / dispersion)
    )
