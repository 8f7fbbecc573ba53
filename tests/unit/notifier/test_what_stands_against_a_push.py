"""The one decision about a push, without anything around it: each reason at its very edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.notifier.domain.account import Account, Incident, Stop, Wave
from services.notifier.domain.campaigns import Campaign, Content, ContentKind, Repeat
from services.notifier.domain.decide_push import (
    LONGEST_LOOK_MS,
    SHORTEST_LOOK_MS,
    Context,
    Drop,
    Hold,
    Moment,
    PushRules,
    Send,
    Verdict,
    backoff,
    decide_push,
)
from services.notifier.domain.fan import Fan, FanFacts, FanTags
from services.notifier.domain.ledger import MOST_DEBITS, Debit, DebitKind, Ledger
from services.notifier.domain.periods import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    QuietHours,
    after_midnight,
    after_month,
    month_start,
    near_boundary,
    next_month_start,
    parse_quiet_hours,
)
from services.notifier.domain.pushes import Push
from services.notifier.domain.waves import (
    MOST_FANS,
    REPEAT_FOR_MS,
    must_wait,
    next_try,
    wave_size,
    why_ended,
)
from services.notifier.domain.windows import Act, act_of
from shared.events import FanFollowed, LinkViewed, MenuClicked, MessageReceived, OtherReceived

NOON = 1_800_000_000_000 // DAY_MS * DAY_MS + 4 * HOUR_MS
MIDNIGHT = NOON + 12 * HOUR_MS
RULES = PushRules(DebitKind.MESSAGE, QuietHours(0, 0), fan_cap_a_day=3)
MASS = replace(RULES, charge=DebitKind.MASS)
FAN = Fan(
    FanFacts(
        seen_at=NOON - 5,
        following=True,
        following_at=NOON - DAY_MS,
        windows={Act.MESSAGE: NOON - 5},
    ),
    FanTags(("new",), 1),
)
CAMPAIGN = Campaign(
    id="c1",
    name="c1",
    account="wechat:brand",
    channel="wechat_customer_message",
    content=Content(ContentKind.TEXT, "你好"),
    promotion=False,
    not_before=0,
    expires=NOON + 30 * DAY_MS,
    repeat=Repeat.ONCE,
    created_at=NOON - DAY_MS,
    trigger_tag="new",
)
ROW = Push(
    id="p1",
    campaign="c1",
    account="wechat:brand",
    fan="wechat:brand:f1",
    occurrence="once",
    channel="wechat_customer_message",
    cause="event-1",
    cause_at=NOON - 5,
    created_at=NOON - 5,
)


def decided(
    fan: Fan = FAN,
    row: Push = ROW,
    *,
    campaign: Campaign = CAMPAIGN,
    account: Account | None = None,
    now: int = NOON,
    unsure_until: int | None = None,
    rules: PushRules = RULES,
) -> Verdict:
    moment = Moment(now, unsure_until)
    return decide_push(fan, row, Context(campaign, account or Account(), moment, rules))


def with_facts(**changes: Any) -> Fan:
    return replace(FAN, facts=replace(FAN.facts, **changes))


def debits(number: int, *, at: int = NOON - 1, kind: DebitKind = DebitKind.MESSAGE) -> Ledger:
    return Ledger(tuple(Debit(f"other{n}", kind, at, at) for n in range(number)))


def test_where_nothing_stands_against_it_a_push_goes_and_is_charged_as_its_channel_says() -> None:
    assert decided() == Send(DebitKind.MESSAGE)
    assert decided(rules=MASS) == Send(DebitKind.MASS)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"cancelled": True}, Drop("cancelled")),
        ({"expires": NOON}, Drop("expired")),
        ({"expires": NOON + 1}, Send(DebitKind.MESSAGE)),
        ({"not_before": NOON}, Send(DebitKind.MESSAGE)),
        ({"not_before": NOON + 1}, Hold("not_yet", NOON + 1, NOON + 1)),
        ({"not_before": NOON + 9, "cancelled": True}, Drop("cancelled")),
        ({"not_before": NOON + 9, "expires": NOON + 5}, Hold("not_yet", NOON + 9, NOON + 5)),
    ],
)
def test_a_campaign_has_its_time(changes: dict[str, Any], verdict: Verdict) -> None:
    assert decided(campaign=replace(CAMPAIGN, **changes)) == verdict


@pytest.mark.parametrize(
    ("after_noon", "verdict"),
    [
        (-12 * HOUR_MS - 1, Hold("not_yet", NOON - 12 * HOUR_MS, NOON - 12 * HOUR_MS)),
        (-12 * HOUR_MS, Send(DebitKind.MESSAGE)),
        (12 * HOUR_MS - 1, Send(DebitKind.MESSAGE)),
        (12 * HOUR_MS, Drop("period_over")),
    ],
)
def test_a_repeat_goes_from_the_first_millisecond_of_its_day_to_the_last(
    after_noon: int, verdict: Verdict
) -> None:
    row, daily = replace(ROW, created_at=NOON), replace(CAMPAIGN, repeat=Repeat.DAY)
    assert decided(row=row, campaign=daily, now=NOON + after_noon) == verdict


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"opted_out": True}, "opted_out"),
        ({"following": False}, "not_following"),
        ({"opted_out": True, "following": None}, "opted_out"),
    ],
)
def test_a_fan_who_opted_out_or_left_gets_nothing(facts: dict[str, Any], reason: str) -> None:
    assert decided(with_facts(**facts)) == Drop(reason)
    waiting = replace(CAMPAIGN, not_before=NOON + 9)
    assert decided(with_facts(**facts), campaign=waiting) == Drop(reason), "a drop wins"


def test_facts_as_new_as_the_cause_decide_and_older_ones_do_not() -> None:
    waits = Hold("waiting_for_facts", None, NOON + SHORTEST_LOOK_MS, waits_for_fan=True)
    assert decided(with_facts(seen_at=NOON - 6)) == waits
    assert decided(with_facts(seen_at=NOON - 6, opted_out=True)) == waits
    assert decided(with_facts(seen_at=NOON - 5, opted_out=True)) == Drop("opted_out")
    assert decided(with_facts(following=None)) == waits


@pytest.mark.parametrize(
    ("gone_at", "gone"), [(0, False), (NOON - DAY_MS - 1, False), (NOON - DAY_MS, True)]
)
def test_a_platform_that_says_that_a_fan_left_is_believed_until_the_fan_acts(
    gone_at: int, *, gone: bool
) -> None:
    fan = replace(FAN, ledger=Ledger(gone_at=gone_at))
    assert decided(fan) == (Drop("not_following") if gone else Send(DebitKind.MESSAGE))
    never = replace(with_facts(following_at=0), ledger=Ledger(gone_at=0))
    assert decided(never) == Send(DebitKind.MESSAGE)


def test_a_fan_without_the_tag_gets_nothing() -> None:
    assert decided(replace(FAN, tags=FanTags(("old",), 2))) == Drop("tag_lost")
    audience = replace(CAMPAIGN, trigger_tag=None, audience_tag="old")
    assert decided(campaign=audience) == Drop("tag_lost")


def test_promotions_wait_for_an_incident_and_other_pushes_do_not() -> None:
    paused = Account(incidents={"i1": Incident(1, pausing=True, at=NOON)})
    promotion = replace(CAMPAIGN, promotion=True)
    held = Hold("promotions_paused", None, NOON + MINUTE_MS)
    assert decided(campaign=promotion, account=paused) == held
    assert decided(account=paused) == Send(DebitKind.MESSAGE)
    assert decided(campaign=promotion) == Send(DebitKind.MESSAGE)


def test_a_stopped_channel_holds_until_its_end() -> None:
    stopped = Account(
        stops={CAMPAIGN.channel: Stop("busy", NOON + 7), "other": Stop("x", NOON + 9)}
    )
    assert decided(account=stopped) == Hold("channel_stopped_busy", NOON + 7, NOON + 7)
    assert decided(account=stopped, now=NOON + 7) == Send(DebitKind.MESSAGE)


@pytest.mark.parametrize(("until", "look_at"), [(NOON + 9_000, 9_000), (NOON, SHORTEST_LOOK_MS)])
def test_only_what_is_bound_to_the_calendar_waits_for_a_sure_clock(
    until: int, look_at: int
) -> None:
    held = Hold("clock_unsure", None, NOON + look_at)
    assert decided(rules=MASS, unsure_until=until) == held
    assert decided(unsure_until=until) == Send(DebitKind.MESSAGE)


def test_the_cap_of_a_day_holds_until_the_next_day_outside_its_quiet_hours() -> None:
    assert decided(replace(FAN, ledger=debits(2))) == Send(DebitKind.MESSAGE)
    full = replace(FAN, ledger=debits(3))
    assert decided(full) == Hold("fan_cap", MIDNIGHT, MIDNIGHT)
    night = replace(RULES, quiet_hours=QuietHours(22 * 60, 8 * 60))
    morning = MIDNIGHT + 8 * HOUR_MS
    assert decided(full, rules=night) == Hold("fan_cap", morning, morning)
    own = replace(FAN, ledger=Ledger((*debits(2).debits, Debit("p1", DebitKind.MESSAGE, NOON))))
    assert decided(own) == Send(DebitKind.MESSAGE), "its own debit does not stand against it"
    yesterday = replace(FAN, ledger=debits(3, at=MIDNIGHT - DAY_MS - 1))
    assert decided(yesterday) == Send(DebitKind.MESSAGE)


def test_a_full_ledger_takes_no_push() -> None:
    many = replace(RULES, fan_cap_a_day=10_000)
    weibo = replace(CAMPAIGN, account="weibo:brand")
    held = Hold("ledger_full", NOON + DAY_MS, NOON + DAY_MS)
    full = replace(FAN, ledger=debits(MOST_DEBITS))
    assert decided(full, campaign=weibo, rules=many) == held
    nearly = replace(FAN, ledger=debits(MOST_DEBITS - 1))
    assert decided(nearly, campaign=weibo, rules=many) == Send(DebitKind.MESSAGE)
    old = replace(FAN, ledger=debits(MOST_DEBITS, at=NOON - 4 * DAY_MS))
    assert decided(old, campaign=weibo, rules=many) == Send(DebitKind.MESSAGE)


def test_a_month_of_mass_sends_is_spent_after_four_of_them() -> None:
    first = month_start(NOON)
    rules = replace(MASS, fan_cap_a_day=100)

    def after(number: int, *, at: int = first, rules: PushRules = rules) -> Verdict:
        ledger = debits(number, at=at, kind=DebitKind.MASS)
        return decided(replace(FAN, ledger=ledger), rules=rules)

    assert after(3) == Send(DebitKind.MASS)
    assert after(4) == Hold("month_spent", after_month(NOON), after_month(NOON))
    assert after(4, at=first - 1) == Send(DebitKind.MASS)
    assert after(9, rules=replace(rules, mass_sends_a_month=None)) == Send(DebitKind.MASS)


def test_without_a_window_it_waits_for_the_fan_and_is_looked_at_within_the_hour() -> None:
    closed = Hold("window_closed", None, NOON + HOUR_MS, waits_for_fan=True)
    assert decided(with_facts(windows={})) == closed
    soon = replace(CAMPAIGN, expires=NOON + 9)
    capped = Hold("window_closed", None, NOON + 9, waits_for_fan=True)
    assert decided(with_facts(windows={}), campaign=soon) == capped
    assert decided(with_facts(windows={}), rules=MASS) == Send(DebitKind.MASS)


@pytest.mark.parametrize(
    ("cause", "acted", "within", "goes"),
    [
        ("event-1", 60_000, 60_000, True),
        ("event-1", 60_001, 60_000, False),
        ("event-1", 0, 0, False),
        ("c1", 1, 60_000, False),
    ],
)
def test_only_an_answer_to_a_fresh_act_breaks_the_quiet_hours(
    cause: str, acted: int, within: int, *, goes: bool
) -> None:
    night = replace(RULES, quiet_hours=QuietHours(11 * 60, 13 * 60), reply_within=within)
    fan = with_facts(windows={Act.MESSAGE: NOON - acted}, seen_at=NOON)
    held = Hold("quiet_hours", NOON + HOUR_MS, NOON + HOUR_MS)
    found = decided(fan, replace(ROW, cause=cause), rules=night)
    assert found == (Send(DebitKind.MESSAGE) if goes else held)


@pytest.mark.parametrize(
    ("age", "wait"),
    [
        (0, SHORTEST_LOOK_MS),
        (1_003, SHORTEST_LOOK_MS),
        (1_004, 251),
        (40_003, 10_000),
        (4 * LONGEST_LOOK_MS - 1, LONGEST_LOOK_MS - 1),
        (4 * LONGEST_LOOK_MS + 4, LONGEST_LOOK_MS),
        (DAY_MS, LONGEST_LOOK_MS),
    ],
)
def test_what_waits_for_news_is_looked_at_ever_more_seldom(age: int, wait: int) -> None:
    assert backoff(replace(ROW, created_at=NOON - age), NOON) == wait


@pytest.mark.parametrize(
    ("waiting", "size"),
    [
        (0, 0),
        (1, 0),
        (2, 2),
        (3, 3),
        (MOST_FANS, MOST_FANS),
        (MOST_FANS + 1, MOST_FANS - 1),
        (MOST_FANS + 2, MOST_FANS),
        (5 * MOST_FANS, MOST_FANS),
    ],
)
def test_no_wave_names_a_single_fan_and_none_leaves_one_behind(waiting: int, size: int) -> None:
    assert wave_size(waiting) == size


WAVE = Wave("w", "c1", 2, at=NOON, try_at=NOON)


def test_a_lost_wave_is_asked_again_after_a_minute_and_then_ever_more_seldom() -> None:
    waits = [next_try(replace(WAVE, tries=tries), NOON) - NOON for tries in range(1, 9)]
    assert waits == [61_000, 122_000, 244_000, 488_000, *[600_000] * 4]


def test_a_wave_ends_unknown_when_its_key_is_no_longer_checked_or_it_is_cancelled() -> None:
    assert why_ended(WAVE, CAMPAIGN, NOON + REPEAT_FOR_MS - 1) is None
    assert why_ended(WAVE, CAMPAIGN, NOON + REPEAT_FOR_MS) == "key_expired"
    assert why_ended(WAVE, replace(CAMPAIGN, cancelled=True), NOON) == "cancelled_in_call"


def test_a_wave_is_not_repeated_in_quiet_hours_or_while_promotions_are_paused() -> None:
    paused = Account(incidents={"i1": Incident(1, pausing=True, at=NOON)})
    promotion = replace(CAMPAIGN, promotion=True)
    loud, quiet = QuietHours(0, 0), QuietHours(11 * 60, 13 * 60)
    assert not must_wait(promotion, Account(), loud, NOON)
    assert must_wait(promotion, paused, loud, NOON)
    assert not must_wait(CAMPAIGN, paused, loud, NOON)
    assert must_wait(CAMPAIGN, Account(), quiet, NOON)


@pytest.mark.parametrize(
    ("minute", "left"),
    [(22 * 60 - 1, None), (22 * 60, 600), (0, 480), (8 * 60 - 1, 1), (8 * 60, None)],
)
def test_quiet_hours_over_midnight_begin_and_end_with_their_minutes(
    minute: int, left: int | None
) -> None:
    start = MIDNIGHT + minute * MINUTE_MS
    for late in (0, 1, MINUTE_MS - 1):
        ends = QuietHours(22 * 60, 8 * 60).ends_at(start + late)
        assert ends == (None if left is None else start + left * MINUTE_MS)


def test_the_times_of_quiet_hours_are_read_to_the_minute() -> None:
    assert parse_quiet_hours("00:00-23:59") == QuietHours(0, 23 * 60 + 59)
    assert parse_quiet_hours(" 1:05 - 13:7 ") == QuietHours(65, 13 * 60 + 7)
    for text in ("24:00-08:00", "22:00-08:60", "22:00-24:00"):
        with pytest.raises(ValueError, match="between"):
            parse_quiet_hours(text)
    for text in ("-1:00-08:00", "22-08", "22:00", "22:00-", "1:x-2:00", "1:00-x:00"):
        with pytest.raises(ValueError, match="look"):
            parse_quiet_hours(text)


def test_near_midnight_means_two_minutes_before_and_less_than_two_after() -> None:
    near = [near_boundary(MIDNIGHT + off) for off in (-120_001, -120_000, -1, 0, 119_999, 120_000)]
    assert near == [False, True, True, True, True, False]
    assert after_midnight(MIDNIGHT - 1) == MIDNIGHT + 120_000
    assert after_midnight(MIDNIGHT) == MIDNIGHT + DAY_MS + 120_000
    january = next_month_start(NOON)
    assert after_month(january - 1) == january + 120_000
    assert after_month(january) == next_month_start(january) + 120_000


def test_only_some_of_what_fans_do_opens_a_window() -> None:
    about = {
        "occurred_at": NOON,
        "platform": "wechat",
        "account": "brand",
        "fan": "f1",
        "authenticated_by": "wechat_safe",
    }
    kinds = {
        "event.SCANCODE_push": Act.CLICK,
        "event.scancode_waitmsg": Act.CLICK,
        "event.Subscribe": Act.SUBSCRIBE,
        "event.scan_follow": Act.SUBSCRIBE,
        "event.location": None,
    }
    found = {
        kind: act_of(OtherReceived.model_validate({**about, "kind": kind, "fields": {}}))
        for kind in kinds
    }
    assert found == kinds
    assert act_of(FanFollowed.model_validate(about)) is Act.SUBSCRIBE
    assert act_of(MenuClicked.model_validate({**about, "menu_key": "m"})) is Act.CLICK
    message = {**about, "message_type": "text", "text": "hi"}
    assert act_of(MessageReceived.model_validate(message)) is Act.MESSAGE
    assert act_of(LinkViewed.model_validate({**about, "url": "https://x.example"})) is None
