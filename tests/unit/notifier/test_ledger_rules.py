"""The ledger's rules one by one, each at its edge."""

from __future__ import annotations

import pytest

from services.notifier.domain.ledger import (
    MASS_SENDS_A_MONTH,
    Debit,
    DebitKind,
    Ledger,
    Room,
    find_room,
    prune,
)
from services.notifier.domain.periods import day_of, month_start
from services.notifier.domain.windows import Act

NOW = 1_800_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def charged(*pushes: str, at: int = NOW, until: int | None = None) -> Ledger:
    return Ledger(tuple(Debit(push, DebitKind.MESSAGE, at, until) for push in pushes))


@pytest.mark.parametrize(
    ("act", "messages", "length"),
    [
        (Act.MESSAGE, 5, 48 * HOUR),
        (Act.CLICK, 3, MINUTE),
        (Act.SUBSCRIBE, 3, MINUTE),
        (Act.SCAN, 3, MINUTE),
    ],
)
def test_a_wechat_window_takes_so_many_messages_and_lasts_so_long(
    act: Act, messages: int, length: int
) -> None:
    ledger = Ledger()
    windows = {act: NOW}
    for number in range(messages):
        assert find_room(ledger, windows, "wechat", NOW + number) is Room.FREE
        ledger = ledger.charge(f"p{number}", DebitKind.MESSAGE, NOW + number)
    assert find_room(ledger, windows, "wechat", NOW + 10) is Room.SPENT
    assert find_room(Ledger(), windows, "wechat", NOW + length - 5_001) is Room.FREE
    assert find_room(Ledger(), windows, "wechat", NOW + length - 5_000) is Room.CLOSED


def test_a_message_is_charged_to_every_window_open_then_and_needs_room_in_one() -> None:
    windows = {Act.MESSAGE: NOW, Act.CLICK: NOW}
    ledger = charged("a", "b", "c", at=NOW + 1)
    assert find_room(ledger, {Act.CLICK: NOW}, "wechat", NOW + 2) is Room.SPENT
    assert find_room(ledger, windows, "wechat", NOW + 2) is Room.FREE
    ledger = charged("a", "b", "c", "d", "e", at=NOW + 1)
    assert find_room(ledger, windows, "wechat", NOW + 2) is Room.SPENT


def test_an_act_renews_its_own_window_only() -> None:
    ledger = charged("a", "b", "c", at=NOW, until=NOW + 100)
    assert find_room(ledger, {Act.CLICK: NOW}, "wechat", NOW + 2_000) is Room.SPENT
    assert find_room(ledger, {Act.CLICK: NOW + 1_000}, "wechat", NOW + 2_000) is Room.FREE
    spent = charged("a", "b", "c", "d", "e", at=NOW, until=NOW + 100)
    windows = {Act.MESSAGE: NOW, Act.CLICK: NOW + 1_000}
    assert find_room(spent, {Act.MESSAGE: NOW}, "wechat", NOW + 2_000) is Room.SPENT
    assert find_room(spent, windows, "wechat", NOW + 2_000) is Room.FREE


def test_a_call_that_may_have_arrived_after_a_new_act_is_charged_to_the_new_window() -> None:
    unsettled = charged("a", "b", "c", at=NOW)
    renewed = {Act.CLICK: NOW + 10_000}
    assert find_room(unsettled, renewed, "wechat", NOW + 11_000) is Room.SPENT
    settled = charged("a", "b", "c", at=NOW, until=NOW + 9_999)
    assert find_room(settled, renewed, "wechat", NOW + 11_000) is Room.FREE
    late = charged("a", "b", "c", at=NOW, until=NOW + 10_000)
    assert find_room(late, renewed, "wechat", NOW + 11_000) is Room.SPENT


def test_a_call_without_news_counts_as_over_after_a_minute() -> None:
    ledger = charged("a", "b", "c", at=NOW)
    assert find_room(ledger, {Act.CLICK: NOW + MINUTE}, "wechat", NOW + MINUTE) is Room.SPENT
    after = {Act.CLICK: NOW + MINUTE + 1}
    assert find_room(ledger, after, "wechat", NOW + MINUTE + 2) is Room.FREE


def test_a_platform_that_refuses_is_believed_until_the_fan_acts_again() -> None:
    ledger = charged("a").refuse("a", NOW + 1)
    assert ledger.debits == ()
    assert find_room(ledger, {Act.MESSAGE: NOW}, "wechat", NOW + 2) is Room.SPENT
    assert find_room(ledger, {Act.MESSAGE: NOW + 2}, "wechat", NOW + 3) is Room.FREE


def test_weibo_takes_any_number_within_48_hours_of_an_act() -> None:
    ledger = charged(*(f"p{number}" for number in range(50)))
    assert find_room(ledger, {Act.CLICK: NOW}, "weibo", NOW + 47 * HOUR) is Room.FREE
    assert find_room(ledger, {Act.CLICK: NOW}, "weibo", NOW + 48 * HOUR) is Room.CLOSED


def test_a_push_is_debited_once_however_often_it_is_charged() -> None:
    ledger = Ledger().charge("a", DebitKind.MESSAGE, NOW).charge("a", DebitKind.MESSAGE, NOW + 5)
    assert ledger.debits == (Debit("a", DebitKind.MESSAGE, NOW + 5),)


def test_a_mass_send_counts_in_every_month_and_day_in_which_it_may_have_been_accepted() -> None:
    month = month_start(NOW + 40 * DAY)
    ledger = Ledger().charge("a", DebitKind.MASS, month - HOUR)
    assert ledger.mass_sent_since(month_start(month - HOUR)) == 1
    assert ledger.mass_sent_since(month) == 1
    assert ledger.sent_on(day_of(month)) == 1
    known = ledger.settle("a", month - 1)
    assert known.mass_sent_since(month) == 0
    assert known.sent_on(day_of(month)) == 0


def test_pruning_keeps_what_a_limit_still_counts() -> None:
    first = month_start(NOW + 40 * DAY)
    ledger = Ledger(
        (
            Debit("mass", DebitKind.MASS, first + 1, first + 2),
            Debit("message", DebitKind.MESSAGE, first + 1, first + 2),
        )
    )
    assert prune(ledger, first + 48 * HOUR).debits == ledger.debits
    assert [one.push for one in prune(ledger, first + 25 * DAY).debits] == ["mass"]
    assert prune(ledger, first + 35 * DAY).debits == ()


def test_a_service_account_may_send_a_fan_four_mass_sends_a_month() -> None:
    assert MASS_SENDS_A_MONTH == 4  # WeChat's number, which the senders take from here
