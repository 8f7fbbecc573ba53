"""What a call's outcome means for slots, ledgers and the next look: at the very edges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.notifier.domain.account import (
    MASS_CALLS_A_DAY,
    MASS_CALLS_A_MINUTE,
    Account,
    Incident,
    Slot,
    Stop,
    Wave,
    apply_incident,
    call_free_at,
    close_wave,
    mass_free_at,
    open_wave,
    repeat_wave,
    stop_channel,
)
from services.notifier.domain.campaigns import Campaign, Content, ContentKind, Repeat, is_triggered
from services.notifier.domain.ledger import CALL_HORIZON_MS, DebitKind, Ledger
from services.notifier.domain.periods import DAY_MS, HOUR_MS, MINUTE_MS
from services.notifier.domain.pushes import Push, PushState
from services.notifier.domain.reactions import (
    Receipt,
    name_outcome,
    settle_ledger,
    settle_push,
    stop_after,
)
from shared.events import IncidentOpened, PushSent
from shared.platforms.outcomes import Accepted, Reaction, Reason, Refused, Unknown

NOON = 1_800_000_000_000 // DAY_MS * DAY_MS + 4 * HOUR_MS
MIDNIGHT = NOON + 12 * HOUR_MS
WAVE = Wave("w1", "c1", 2, at=NOON, try_at=NOON + MINUTE_MS)
PUSH = Push(
    id="p1",
    campaign="c1",
    account="wechat:brand",
    fan="wechat:brand:f1",
    occurrence="once",
    channel="wechat_mass_send",
    cause="c1",
    cause_at=0,
    created_at=NOON,
    state=PushState.CALLING,
)
LOST = Unknown(Reason.TIMEOUT)
SPARE = 5


@pytest.mark.parametrize(("outcome", "slots"), [("accepted", 1), ("unknown", 1), ("refused", 0)])
def test_only_a_refused_wave_gives_its_slot_back(outcome: str, slots: int) -> None:
    account = open_wave(Account(), WAVE)
    closed = close_wave(account, replace(WAVE, outcome=outcome, known_at=NOON + 7))
    assert closed.wave is None
    assert closed.slots == (Slot("w1", NOON, NOON + 7),) * slots
    free_at = mass_free_at(closed, "subscription", NOON + 10)
    assert free_at == (MIDNIGHT + 2 * MINUTE_MS if slots else NOON + 10)
    assert mass_free_at(closed, "service", NOON + 10) == NOON + 10


def test_a_wave_that_is_closed_twice_takes_one_slot() -> None:
    known = replace(WAVE, outcome="unknown", known_at=NOON + 7)
    once = close_wave(open_wave(Account(), WAVE), known)
    again = close_wave(once, replace(known, known_at=NOON + 9))
    assert again.slots == (Slot("w1", NOON, NOON + 9),)
    other = close_wave(again, replace(known, id="w2"))
    assert [slot.wave for slot in other.slots] == ["w1", "w2"]


@pytest.mark.parametrize(
    ("at", "until", "today", "tomorrow"),
    [
        (MIDNIGHT - 2, MIDNIGHT - 1, True, False),
        (MIDNIGHT - 2, MIDNIGHT, True, True),
        (MIDNIGHT - 1, MIDNIGHT + HOUR_MS, True, True),
        (MIDNIGHT, MIDNIGHT + 1, False, True),
        (MIDNIGHT - DAY_MS - 1, MIDNIGHT - DAY_MS - 1, False, False),
        (MIDNIGHT - DAY_MS - 1, MIDNIGHT - DAY_MS, True, False),
    ],
)
def test_a_slot_across_midnight_is_one_of_both_days(
    at: int, until: int, *, today: bool, tomorrow: bool
) -> None:
    account = Account(slots=(Slot("w", at, until),))
    late, early = MIDNIGHT - 1, MIDNIGHT
    assert (mass_free_at(account, "subscription", late) > late) is today
    assert (mass_free_at(account, "subscription", early) > early) is tomorrow


@pytest.mark.parametrize(
    ("length", "most"), [(MINUTE_MS, MASS_CALLS_A_MINUTE), (DAY_MS, MASS_CALLS_A_DAY)]
)
def test_calls_are_spared_for_people_and_free_again_when_the_oldest_is_over(
    length: int, most: int
) -> None:
    allowed = most - SPARE
    spread = tuple(NOON - length + 1 + number for number in range(allowed))
    busy = Account(calls=spread)
    assert call_free_at(busy, NOON) == NOON + 1
    assert call_free_at(Account(calls=spread[1:]), NOON) == NOON
    assert call_free_at(busy, NOON + 1) == NOON + 1
    assert mass_free_at(busy, "service", NOON) == NOON + 1
    shuffled = Account(calls=tuple(reversed(spread)))
    assert call_free_at(shuffled, NOON) == NOON + 1
    one_more = Account(calls=(*spread, NOON))
    assert call_free_at(one_more, NOON) == NOON + 2


def test_a_repeated_call_is_a_call_with_the_same_key() -> None:
    account = open_wave(Account(calls=(1, 2)), WAVE)
    assert account.calls == (1, 2, NOON)
    again = repeat_wave(account, WAVE, NOON + 61_000, NOON + 99_000)
    assert again.calls == (1, 2, NOON, NOON + 61_000)
    assert again.wave == replace(WAVE, tries=2, try_at=NOON + 99_000)


def test_a_stop_is_over_at_its_end_and_then_forgotten() -> None:
    account = stop_channel(Account(), "a", Stop("busy", NOON + 10), NOON)
    assert account.stop_of("a", NOON + 9) == Stop("busy", NOON + 10)
    assert account.stop_of("a", NOON + 10) is None
    assert account.stop_of("b", NOON) is None
    at_its_end = stop_channel(account, "b", Stop("busy", NOON + 99), NOON + 10)
    assert set(at_its_end.stops) == {"b"}
    before = stop_channel(account, "b", Stop("busy", NOON + 99), NOON + 9)
    assert set(before.stops) == {"a", "b"}


def test_news_of_an_incident_count_by_their_number() -> None:
    def news(number: int, *, pause: bool) -> IncidentOpened:
        return IncidentOpened(
            occurred_at=NOON + number,
            platform="wechat",
            account="brand",
            incident="i1",
            subject="service",
            severity=2,
            number=number,
            pause_promotions=pause,
        )

    account = apply_incident(Account(), news(2, pause=True))
    assert account.incidents == {"i1": Incident(2, pausing=True, at=NOON + 2)}
    assert apply_incident(account, news(2, pause=False)) == account
    assert apply_incident(account, news(1, pause=False)).paused
    assert not apply_incident(account, news(3, pause=False)).paused


def test_a_call_whose_outcome_is_unknown_may_be_charged_until_its_horizon() -> None:
    ledger = Ledger().charge("p1", DebitKind.MASS, NOON)
    settled = settle_ledger(ledger, "p1", LOST, NOON + 5)
    (debit,) = settled.debits
    assert debit.until == NOON + 5 + CALL_HORIZON_MS
    assert debit.touches(NOON + 5 + CALL_HORIZON_MS)
    assert not debit.touches(NOON + 5 + CALL_HORIZON_MS + 1)
    known = settle_ledger(ledger, "p1", Accepted(Receipt()), NOON + 5)
    assert known.debits[0].until == NOON + 5


def test_a_lost_call_right_before_midnight_counts_for_both_days() -> None:
    ledger = Ledger().charge("p1", DebitKind.MESSAGE, MIDNIGHT - 2_000)
    settled = settle_ledger(ledger, "p1", LOST, MIDNIGHT - 1_000)
    today = (MIDNIGHT + 8 * HOUR_MS) // DAY_MS - 1
    assert [settled.sent_on(day) for day in (today - 1, today, today + 1, today + 2)] == [
        0,
        1,
        1,
        0,
    ]


@pytest.mark.parametrize(
    ("reaction", "debits", "refused_at", "gone_at"),
    [
        (Reaction.WAIT_FAN, 0, NOON + 5, 0),
        (Reaction.DROP_FAN, 0, 0, NOON + 5),
        (Reaction.DROP, 0, 0, 0),
        (Reaction.STOP, 0, 0, 0),
        (Reaction.RETRY, 0, 0, 0),
    ],
)
def test_a_definite_refusal_credits_back_and_believes_the_platform(
    reaction: Reaction, debits: int, refused_at: int, gone_at: int
) -> None:
    ledger = Ledger().charge("p1", DebitKind.MESSAGE, NOON)
    found = settle_ledger(ledger, "p1", Refused(Reason.COUNT_SPENT, reaction), NOON + 5)
    assert (len(found.debits), found.refused_at, found.gone_at) == (debits, refused_at, gone_at)


def refused(reaction: Reaction) -> Refused:
    return Refused(Reason.NOT_AUTHORISED, reaction)


@pytest.mark.parametrize(
    ("reaction", "account", "wait"),
    [
        (Reaction.WAIT_MINUTE, "wechat:brand", MINUTE_MS),
        (Reaction.WAIT_QUOTA, "wechat:brand", 12 * HOUR_MS + 2 * MINUTE_MS),
        (Reaction.WAIT_QUOTA, "weibo:brand", HOUR_MS),
        (Reaction.STOP, "wechat:brand", HOUR_MS),
        (Reaction.RETRY, "wechat:brand", 5_000),
        (Reaction.REFRESH_TOKEN, "wechat:brand", 5_000),
    ],
)
def test_a_stopped_channel_is_tried_again_when_its_reason_says_so(
    reaction: Reaction, account: str, wait: int
) -> None:
    stop = Stop("not_authorised", NOON + wait)
    assert stop_after(refused(reaction), account, NOON) == stop
    row = settle_push(replace(PUSH, account=account), refused(reaction), NOON).state
    assert (row.state, row.reason) == (PushState.HELD, "not_authorised")
    assert (row.not_before, row.look_at, row.waits_for_fan) == (NOON + wait, NOON + wait, False)


def test_a_push_that_only_its_fan_can_free_is_tried_hourly() -> None:
    row = settle_push(PUSH, refused(Reaction.WAIT_FAN), NOON).state
    assert (row.state, row.look_at, row.not_before) == (PushState.HELD, NOON + HOUR_MS, 0)
    assert row.waits_for_fan
    assert stop_after(refused(Reaction.WAIT_FAN), "wechat:brand", NOON) is None


@pytest.mark.parametrize("reaction", [Reaction.DROP, Reaction.DROP_FAN, Reaction.FIX])
def test_a_final_refusal_ends_the_push_and_stops_no_channel(reaction: Reaction) -> None:
    row = settle_push(PUSH, refused(reaction), NOON).state
    assert (row.state, row.reason) == (PushState.REFUSED, "not_authorised")
    assert stop_after(refused(reaction), "wechat:brand", NOON) is None


def test_an_accepted_call_is_sent_and_a_lost_one_is_unknown() -> None:
    change = settle_push(PUSH, Accepted(Receipt("m1")), NOON)
    assert (change.state.state, change.state.message_id) == (PushState.SENT, "m1")
    assert isinstance(change.announcements[0].event, PushSent)
    assert settle_push(PUSH, LOST, NOON).state.state is PushState.UNKNOWN
    assert stop_after(LOST, "wechat:brand", NOON) is None
    names = [name_outcome(one) for one in (Accepted(Receipt()), refused(Reaction.DROP), LOST)]
    assert names == ["accepted", "refused", "unknown"]


def test_a_campaign_is_triggered_from_the_whole_second_in_which_it_was_made() -> None:
    made = NOON + 999
    campaign = Campaign(
        id="c1",
        name="c1",
        account="wechat:brand",
        channel="wechat_customer_message",
        content=Content(ContentKind.TEXT, "你好"),
        promotion=False,
        not_before=0,
        expires=NOON + HOUR_MS,
        repeat=Repeat.ONCE,
        created_at=made,
        trigger_tag="new",
    )

    def triggered(at: int) -> bool:
        return is_triggered(campaign, "new", "wechat:brand", at)

    assert [triggered(NOON + late) for late in (-1, 0, 998, 999, 1_000)] == [False, *[True] * 4]
    assert [triggered(NOON + HOUR_MS + late) for late in (-1, 0)] == [True, False]
    assert not is_triggered(campaign, "old", "wechat:brand", made)
    assert not is_triggered(campaign, "new", "wechat:other", made)
    assert not is_triggered(replace(campaign, cancelled=True), "new", "wechat:brand", made)
