"""What may come of judging a subject, what it is measured against, and the reasons given. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.sentiment.domain.incidents.comments import SEVERE
from services.sentiment.domain.incidents.usual import (
    HOUR_MS,
    MINUTE_MS,
    Prior,
    Source,
    Usual,
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When negative comments become an incident."""

    windows_ms: tuple[int, ...] = (MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS)
    least_people: Mapping[int, int] = field(default_factory=lambda: {0: 8, 2: 4, 3: 3})
    """Different people below which nothing is an incident, by severity."""
    false_alarms_a_month: float = 0.5
    """How often chance alone may open an incident of an account, over all subjects and windows."""
    severe_false_alarms_a_month: float = 1.0
    horizon_ms: int = 6 * HOUR_MS
    """How far back comments are looked at, by event time."""
    late_after_ms: int = 15 * MINUTE_MS
    """An incident whose comments are older than this says so."""
    quiet_ms: int = 30 * MINUTE_MS
    """How long it must be calm before an acknowledged incident ends by itself."""
    quiet_share: float = 0.5
    """Calm means fewer people than this share of the limit that opened it."""
    page_again_people_factor: float = 2.0
    """An acknowledged incident pages again when it has so many times the people that were known."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an incident was opened, in numbers."""

    level: int
    """3 or 2: counted were comments at least that severe; 0: all negative ones."""
    window_ms: int
    people: int
    limit: int
    expected: float
    """Usual number of people in such a window."""
    source: Source
    times: int
    """How often this hour was seen before, for `hour_of_week` and `hour_of_day`."""
    crossed_at: int
    """Event time of the comment that first reached the limit, ms."""
    copied_people: int
    """People whose comment is a copy of the commonest text; 0 unless that is a flood."""
    late: bool
    """The comments came to us long after they were written."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What belongs to an incident by now."""

    severity: int
    people: int
    comments: int
    first_at: int
    last_at: int
    samples: tuple[str, ...]
    """Ids of comments worth reading: gravest first, no two alike."""
    trace: str = ""
    """The `traceparent` of the newest comment that came with one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Enough different people: a new incident."""

    subject: str
    reason: Reason
    picture: Picture


@dataclass(frozen=True, slots=True)
class Joined:
    """The incident that is open goes on; this is its picture now."""

    subject: str
    picture: Picture
    worse: bool = False
    """It is worse than what the person knew who acknowledged it."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The incident is over."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing to do."""

    subject: str
    reason: str


Judgement = Opened | Joined | Resolved | Quiet


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What comments are measured against."""

    usual: Usual
    """The account's history."""
    prior: Prior
    """Stands in for it."""
    thresholds: Thresholds


@dataclass(frozen=True, slots=True)
class Current:
    """What the judgement needs to know of the incident that is open."""

    started_at: int
    """Event time from which comments belong to it."""
    limit: int
    window_ms: int
    level: int
    changed_at: int
    """When a person acknowledged it, or it opened: calm is counted from here at the earliest."""
    acknowledged: bool
    known_severity: int = 0
    """What the person knew who acknowledged it."""
    known_people: int = 0


def got_worse(known: tuple[int, int], now: tuple[int, int], people_factor: float) -> bool:
    """Whether there is more than somebody knew: a graver hazard, or many times the people.

    Args:
        known: severity and people that the person knew of.
        now: severity and people by now.
        people_factor: see `Thresholds.page_again_people_factor`.
    """
    graver = now[0] > known[0] and now[0] >= SEVERE
    return graver or now[1] >= people_factor * known[1]
