"""The platforms' calendar (Asia/Shanghai) as arithmetic on milliseconds, and quiet hours.

China has kept UTC+8 without daylight saving since 1991, so a day is arithmetic; only months need a
calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
SHANGHAI_OFFSET_MS: Final = 8 * HOUR_MS
BOUNDARY_MARGIN_MS: Final = 2 * MINUTE_MS
"""Nearer than this to midnight nobody can be sure which day the platform has."""
_DECEMBER: Final = 12
_MONDAY_OFFSET_DAYS: Final = 3
"""1970-01-01 was a Thursday."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one minute of the day to another, in Shanghai; may span midnight. Equal means none."""

    start_minute: int = 22 * 60
    end_minute: int = 8 * 60

    def ends_at(self, now: int) -> int | None:
        """When the quiet hours that run at `now` end; None outside them."""
        minute = (now + SHANGHAI_OFFSET_MS) % DAY_MS // MINUTE_MS
        start, end = self.start_minute, self.end_minute
        quiet = start <= minute < end if start <= end else minute >= start or minute < end
        if not quiet:
            return None
        left = (end - minute) % (24 * 60)
        return now - now % MINUTE_MS + left * MINUTE_MS


def parse_quiet_hours(text: str) -> QuietHours:
    """Read `22:00-08:00`; an empty text means none.

    Raises:
        ValueError: it is neither.
    """
    if not text:
        return QuietHours(0, 0)
    start, dash, end = text.partition("-")
    if not dash:
        raise ValueError("quiet hours look like 22:00-08:00, or are empty")
    return QuietHours(_parse_minute(start), _parse_minute(end))


def day_of(now: int) -> int:
    """Number of the Shanghai day, counted from 1970-01-01."""
    return (now + SHANGHAI_OFFSET_MS) // DAY_MS


def day_start(day: int) -> int:
    """First millisecond of a day."""
    return day * DAY_MS - SHANGHAI_OFFSET_MS


def month_start(now: int) -> int:
    """First millisecond of the Shanghai month of `now`."""
    local = _local(now)
    return _from_local(local.year, local.month)


def next_month_start(now: int) -> int:
    """First millisecond of the Shanghai month after the one of `now`."""
    local = _local(now)
    if local.month == _DECEMBER:
        return _from_local(local.year + 1, 1)
    return _from_local(local.year, local.month + 1)


def day_name(now: int) -> str:
    """`2026-11-22`."""
    return _local(now).strftime("%Y-%m-%d")


def week_name(now: int) -> str:
    """The Shanghai week by its Monday, `week-2026-11-16`."""
    return "week-" + day_name(week_start(now))


def week_start(now: int) -> int:
    """First millisecond of the Shanghai week of `now`, a Monday."""
    day = day_of(now)
    return day_start(day - (day + _MONDAY_OFFSET_DAYS) % 7)


def near_boundary(now: int) -> bool:
    """Whether `now` is within two minutes of a Shanghai midnight."""
    since = (now + SHANGHAI_OFFSET_MS) % DAY_MS
    return since < BOUNDARY_MARGIN_MS or DAY_MS - since <= BOUNDARY_MARGIN_MS


def after_midnight(now: int) -> int:
    """First instant of the next Shanghai day at which its number is sure."""
    return day_start(day_of(now) + 1) + BOUNDARY_MARGIN_MS


def after_month(now: int) -> int:
    """First instant of the next Shanghai month at which its number is sure."""
    return next_month_start(now) + BOUNDARY_MARGIN_MS


def _local(now: int) -> datetime:
    return datetime.fromtimestamp((now + SHANGHAI_OFFSET_MS) // 1000, UTC)


def _from_local(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000 - SHANGHAI_OFFSET_MS


def _parse_minute(text: str) -> int:
    hour, colon, minute = text.strip().partition(":")
    if not colon or not (hour.isdecimal() and minute.isdecimal()):
        raise ValueError("a time of day looks like 22:00")
    total = int(hour) * 60 + int(minute)
    if total >= 24 * 60 or int(minute) >= 60:  # noqa: PLR2004 - minutes in an hour
        raise ValueError("a time of day is between 00:00 and 23:59")
    return total
