"""The platform's time, and its calendar in Shanghai."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain import periods
from services.notifier.domain.periods import QuietHours, parse_quiet_hours
from services.notifier.domain.platform_clock import PlatformClock, Reading

SHANGHAI = timezone(timedelta(hours=8))
NOON = int(datetime(2026, 11, 22, 12, tzinfo=SHANGHAI).timestamp() * 1000)
MINUTE = 60_000
INSTANTS = st.integers(1_600_000_000_000, 2_200_000_000_000)


def heard(offset: int = 0, at: Reading | None = None) -> PlatformClock:
    at = at or Reading(NOON, 1_000)
    return PlatformClock().hear((at.wall + offset) // 1000 * 1000, at)


def test_an_unheard_platform_has_our_time_and_is_not_sure() -> None:
    at = Reading(NOON, 1_000)
    assert PlatformClock().now(at) == NOON
    assert PlatformClock().unsure_until(at) == NOON


@pytest.mark.parametrize("offset", [-600_000, 0, 1_800_000])
def test_ours_is_corrected_by_the_date_of_the_last_answer(offset: int) -> None:
    clock = heard(offset)
    later = Reading(NOON + MINUTE, 1_000 + MINUTE)
    assert abs(clock.now(later) - (NOON + MINUTE + offset)) <= 1_000


def test_after_five_minutes_without_an_answer_it_is_not_sure() -> None:
    clock = heard()
    assert clock.unsure_until(Reading(NOON + 5 * MINUTE, 1_000 + 5 * MINUTE)) is None
    assert clock.unsure_until(Reading(NOON + 5 * MINUTE + 1, 1_001 + 5 * MINUTE)) is not None


@pytest.mark.parametrize("jump", [-3_600_000, -30_001, 30_001, 3_600_000])
def test_after_a_jump_of_our_clock_it_is_not_sure_until_heard_again(jump: int) -> None:
    clock = heard()
    jumped = Reading(NOON + 1_000 + jump, 2_000)
    assert abs(clock.now(jumped) - (NOON + 1_000)) <= 1_000, "a jump must not move the platform"
    assert clock.unsure_until(jumped) is not None
    assert clock.hear(NOON + 1_000, jumped).unsure_until(jumped) is None


def test_a_platform_that_contradicts_itself_is_sure_only_when_it_repeats_it() -> None:
    clock = heard()
    second = clock.hear(NOON + 60 * MINUTE, Reading(NOON + 1_000, 2_000))
    assert second.unsure_until(Reading(NOON + 1_000, 2_000)) is not None
    third = second.hear(NOON + 60 * MINUTE + 1_000, Reading(NOON + 2_000, 3_000))
    assert third.unsure_until(Reading(NOON + 2_000, 3_000)) is None


@pytest.mark.parametrize(("off", "unsure"), [(-121, 0), (-119, 1), (0, 1), (119, 1), (121, 0)])
def test_within_two_minutes_of_midnight_it_is_not_sure(off: int, unsure: int) -> None:
    midnight = NOON + 12 * 60 * MINUTE
    at = Reading(midnight + off * 1000, 5_000)
    clock = heard(at=at)
    assert (clock.unsure_until(at) is not None) == bool(unsure)


@given(INSTANTS)
def test_days_and_months_are_those_of_shanghai(now: int) -> None:
    local = datetime.fromtimestamp(now / 1000, SHANGHAI)
    assert periods.day_name(now) == local.strftime("%Y-%m-%d")
    day = periods.day_of(now)
    assert periods.day_start(day) <= now < periods.day_start(day + 1)
    first = datetime.fromtimestamp(periods.month_start(now) / 1000, SHANGHAI)
    assert (first.year, first.month, first.day, first.hour) == (local.year, local.month, 1, 0)
    following = datetime.fromtimestamp(periods.next_month_start(now) / 1000, SHANGHAI)
    assert (following.year * 12 + following.month) - (local.year * 12 + local.month) == 1
    monday = periods.week_name(now).removeprefix("week-")
    assert datetime.strptime(monday, "%Y-%m-%d").replace(tzinfo=UTC).weekday() == 0


@given(INSTANTS, st.integers(0, 1439), st.integers(0, 1439))
def test_quiet_hours_end_outside_themselves_within_a_day(now: int, start: int, end: int) -> None:
    quiet = QuietHours(start, end)
    ends_at = quiet.ends_at(now)
    if start == end:
        assert ends_at is None
    if ends_at is not None:
        assert now < ends_at <= now + 24 * 60 * MINUTE
        assert quiet.ends_at(ends_at) is None


@pytest.mark.parametrize("text", ["22", "22:00", "25:00-08:00", "22:60-08:00", "a:b-c:d"])
def test_quiet_hours_that_nobody_can_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|look like"):
        parse_quiet_hours(text)


def test_quiet_hours_are_read_from_text_and_may_be_none() -> None:
    assert parse_quiet_hours("22:00-08:00") == QuietHours()
    assert parse_quiet_hours("").ends_at(NOON) is None
