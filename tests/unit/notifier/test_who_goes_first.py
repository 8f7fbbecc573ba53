"""Deadlines of pushes, and the parts of the queue that they lie in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.campaigns import (
    Campaign,
    Content,
    ContentKind,
    Repeat,
    occurrence_at,
    period_of,
)
from services.notifier.domain.pushes import Push, PushState, call, drop, hold, plan, sent, wake
from services.notifier.domain.queueing import LONGEST_MS, Lane, lane_of, window_end
from shared.events import FanFollowed, LinkViewed, MessageReceived, QrScanned

NOON = 1_800_000_000_000 // 86_400_000 * 86_400_000 + 4 * 3_600_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def push(*, audience: bool = False) -> Push:
    cause = "c1" if audience else "event-1"
    return Push("p1", "c1", "wechat:b", "wechat:b:f", "once", "m", cause, 0, NOON)


def held(row: Push, look_at: int) -> Push:
    return hold(row, "window_closed", NOON, not_before=None, look_at=look_at).state


def test_a_triggered_push_has_a_minute_and_an_audiences_an_hour() -> None:
    triggered, audience = plan(push()).state, plan(push(audience=True)).state
    assert (triggered.deadline, triggered.lane) == (NOON + MINUTE, Lane.SOON)
    assert (audience.deadline, audience.lane) == (NOON + HOUR, Lane.LATER)


def test_what_was_held_queues_anew_from_its_next_look() -> None:
    assert held(plan(push()).state, NOON + DAY).deadline == NOON + DAY + MINUTE
    assert held(plan(push(audience=True)).state, NOON + DAY).deadline == NOON + DAY + HOUR


def test_an_act_gives_a_held_push_until_its_window_ends() -> None:
    row = held(plan(push(audience=True)).state, NOON + 9 * HOUR)
    change = wake(row, NOON + HOUR, NOON + HOUR + 55_000)
    assert change is not None
    woken = change.state
    assert (woken.deadline, woken.lane, woken.look_at) == (NOON + HOUR + 55_000, Lane.SOON, 0)


def test_without_a_window_a_woken_push_has_its_usual_time() -> None:
    row = held(plan(push(audience=True)).state, NOON + 9 * HOUR)
    change = wake(row, NOON + HOUR)
    assert change is not None
    assert (change.state.deadline, change.state.lane) == (NOON + 2 * HOUR, Lane.LATER)


def test_waking_never_makes_a_deadline_later() -> None:
    row = held(plan(push()).state, NOON + MINUTE)
    change = wake(row, NOON + 2 * MINUTE)
    assert change is not None
    assert change.state.deadline == row.deadline


def test_what_is_called_or_over_is_in_no_lane() -> None:
    row = plan(push()).state
    over = [call(row, NOON, "a"), sent(row, NOON, "m"), drop(row, "expired", NOON)]
    assert {change.state.lane for change in over} == {""}
    assert {change.state.deadline for change in over} == {row.deadline}


@given(
    audience=st.booleans(),
    look_at=st.integers(NOON - DAY, NOON + DAY),
    woken_at=st.none() | st.integers(NOON - DAY, NOON + DAY),
    window=st.none() | st.integers(-DAY, 2 * DAY),
)
def test_what_is_due_is_never_beyond_its_lanes_reach(
    audience: bool,  # noqa: FBT001 - a drawn value
    look_at: int,
    woken_at: int | None,
    window: int | None,
) -> None:
    """The query for what is due reads no later deadline."""
    row = held(plan(push(audience=audience)).state, look_at)
    due_from = look_at
    if woken_at is not None:
        change = wake(row, woken_at, None if window is None else woken_at + window)
        assert change is not None
        row, due_from = change.state, woken_at
    assert row.state is PushState.HELD
    assert row.deadline <= due_from + LONGEST_MS[Lane(row.lane)]


def test_the_lane_is_soon_up_to_a_minute() -> None:
    assert lane_of(NOON + MINUTE, NOON) is Lane.SOON
    assert lane_of(NOON + MINUTE + 1, NOON) is Lane.LATER
    assert lane_of(NOON - DAY, NOON) is Lane.SOON


@pytest.mark.parametrize(
    ("kind", "fields", "open_for"),
    [
        (MessageReceived, {"message_type": "text"}, 48 * HOUR - 5_000),
        (FanFollowed, {}, MINUTE - 5_000),
        (QrScanned, {"scene": "s"}, MINUTE - 5_000),
    ],
)
def test_a_window_ends_where_the_ledger_would_take_no_call_any_more(
    kind: type[MessageReceived], fields: dict[str, str], open_for: int
) -> None:
    who = {"platform": "wechat", "account": "b", "fan": "f", "authenticated_by": "wechat_safe"}
    event = kind.model_validate({"occurred_at": NOON, **who, **fields})
    assert window_end(event) == NOON + open_for


def test_an_act_that_opens_no_window_has_no_end() -> None:
    fields = {"platform": "wechat", "account": "b", "fan": "f", "url": "https://example.com"}
    event = LinkViewed.model_validate(
        {"occurred_at": NOON, "authenticated_by": "wechat_safe", **fields}
    )
    assert window_end(event) is None


@given(at=st.integers(NOON - 400 * DAY, NOON + 400 * DAY), repeat=st.sampled_from(Repeat))
def test_a_period_is_exactly_the_instants_of_its_occurrence(at: int, repeat: Repeat) -> None:
    content = Content(ContentKind.TEXT, "x")
    campaign = Campaign("c", "n", "wechat:b", "m", content, False, 0, 0, repeat, 0)
    period = period_of(campaign, at)
    if repeat is Repeat.ONCE:
        assert period is None
        return
    assert period is not None
    start, end = period
    name = occurrence_at(campaign, at)
    assert occurrence_at(campaign, start) == occurrence_at(campaign, end - 1) == name
    assert name not in {occurrence_at(campaign, start - 1), occurrence_at(campaign, end)}
    assert start <= at < end
