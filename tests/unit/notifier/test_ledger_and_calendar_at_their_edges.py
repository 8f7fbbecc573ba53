"""A debit's day, a window's neighbours, a month's last day, and a machine in another zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from services.notifier.domain import periods
from services.notifier.domain.decide_push import Send
from services.notifier.domain.ledger import Debit, DebitKind, Ledger, Room, find_room, prune
from services.notifier.domain.periods import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    QuietHours,
    day_of,
    day_start,
    month_start,
    next_month_start,
    parse_quiet_hours,
)
from services.notifier.domain.windows import Act
from tests.unit.notifier.test_what_stands_against_a_push import (
    FAN,
    MASS,
    MIDNIGHT,
    NOON,
    RULES,
    decided,
)


def settled(*pushes: str, at: int, kind: DebitKind = DebitKind.MESSAGE) -> Ledger:
    return Ledger(tuple(Debit(push, kind, at, at) for push in pushes))


def test_a_debit_at_midnight_is_one_of_the_new_day() -> None:
    day = day_of(MIDNIGHT)
    assert day_start(day) == MIDNIGHT
    for at, counts in ((MIDNIGHT, [0, 1, 0]), (MIDNIGHT - 1, [1, 0, 0])):
        ledger = settled("a", at=at)
        assert [ledger.sent_on(one) for one in (day - 1, day, day + 1)] == counts
    across = Ledger((Debit("a", DebitKind.MESSAGE, MIDNIGHT - 1, MIDNIGHT),))
    assert [across.sent_on(one) for one in (day - 1, day, day + 1)] == [1, 1, 0]


def test_its_own_debit_stands_against_no_push() -> None:
    at = NOON - 1
    window = settled("a", "b", "c", "d", "p1", at=at)
    many = replace(RULES, fan_cap_a_day=99)
    fan = replace(FAN, ledger=window)
    assert decided(fan, rules=many) == Send(DebitKind.MESSAGE)
    month = settled("a", "b", "c", "p1", at=at, kind=DebitKind.MASS)
    rules = replace(MASS, fan_cap_a_day=99)
    assert decided(replace(FAN, ledger=month), rules=rules) == Send(DebitKind.MASS)


@pytest.mark.parametrize(
    "first", [{Act.CLICK: NOON - HOUR_MS}, {Act.CLICK: NOON - 30_000}, {Act.SCAN: NOON - 10}]
)
def test_a_window_that_is_closed_or_spent_does_not_hide_the_next_one(first: dict[Act, int]) -> None:
    spent = settled("a", "b", "c", at=NOON - 5)
    windows = {**first, Act.MESSAGE: NOON - 20_000}
    assert find_room(spent, windows, "wechat", NOON) is Room.FREE
    refused = Ledger(refused_at=NOON - 25_000)
    assert find_room(refused, windows, "wechat", NOON) is Room.FREE


def test_a_refusal_spends_the_windows_that_opened_up_to_its_instant() -> None:
    ledger = Ledger(refused_at=NOON - 10)
    assert find_room(ledger, {Act.MESSAGE: NOON - 10}, "wechat", NOON) is Room.SPENT
    assert find_room(ledger, {Act.MESSAGE: NOON - 9}, "wechat", NOON) is Room.FREE


def test_a_mass_send_of_the_first_is_kept_to_the_months_last_instant_and_a_day_longer() -> None:
    first = month_start(NOON)
    last = next_month_start(NOON) - 1
    ledger = settled("a", "b", at=first, kind=DebitKind.MASS)
    assert prune(ledger, last).debits == ledger.debits
    assert prune(ledger, last + DAY_MS).debits == ledger.debits, "the clock may be set back"
    assert prune(ledger, last + DAY_MS + 1).debits == ()
    charged = ledger.charge("c", DebitKind.MASS, last)
    assert charged.mass_sent_since(first) == 3


def test_quiet_hours_of_a_day_begin_with_their_first_minute_and_end_before_their_last() -> None:
    lunch = QuietHours(12 * 60, 13 * 60)
    assert lunch.ends_at(NOON) == NOON + HOUR_MS
    assert lunch.ends_at(NOON - 1) is None
    assert lunch.ends_at(NOON + HOUR_MS - 1) == NOON + HOUR_MS
    assert lunch.ends_at(NOON + HOUR_MS) is None


def test_no_quiet_hours_means_none_at_any_minute_of_the_day() -> None:
    none = parse_quiet_hours("")
    assert none == QuietHours(0, 0)
    assert {none.ends_at(MIDNIGHT + minute * MINUTE_MS) for minute in range(24 * 60)} == {None}


@pytest.fixture(params=["America/New_York", "Asia/Tokyo", "Pacific/Kiritimati"])
def another_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own zone, which must decide nothing."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("another_zone")
def test_the_calendar_is_shanghais_wherever_the_machine_stands() -> None:
    new_year = 1_798_732_800_000  # 2027-01-01 00:00 in Shanghai
    assert periods.day_name(new_year) == "2027-01-01"
    assert periods.day_name(new_year - 1) == "2026-12-31"
    assert month_start(new_year) == next_month_start(new_year - 1) == new_year
    assert month_start(new_year - 1) == new_year - 31 * DAY_MS
    assert next_month_start(new_year) == new_year + 31 * DAY_MS
    assert periods.week_name(new_year) == "week-2026-12-28"
    assert (periods.day_of(new_year), day_start(periods.day_of(new_year))) == (20_819, new_year)
