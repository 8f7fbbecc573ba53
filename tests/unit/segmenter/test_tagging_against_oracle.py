"""The segmenter's decisions against a sequential model that keeps everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from services.segmenter.domain.fan import NEVER, Fan
from services.segmenter.domain.record import dump_fan, load_fan
from services.segmenter.domain.rules_file import parse_rules
from services.segmenter.domain.tagging import advance, apply_event, expiry_cause
from shared.events import Event, FanUnfollowed, MessageReceived, TagAssigned, TagEvent
from tests.support.fan_histories import KEY, RULES_TEXT, START, histories
from tests.support.fan_histories import WHO as WHO_SAYS
from tests.support.oracle_segmenter import expected_changes, expected_tags

BOOK = parse_rules(RULES_TEXT, "tags.yaml")
RULES = yaml.safe_load(RULES_TEXT)["tags"]
WHO = ("wechat", "gh_1", "openid-1")

Change = tuple[str, str, str, int, tuple[str, ...], int, str]


def _run(
    history: Sequence[Event],
    *,
    ticks: Iterable[int] = (),
    stored_at: Iterable[int] = (),
    early: bool = False,
) -> tuple[Fan, list[TagEvent]]:
    """Apply a history, with clock ticks and reloads from the store.

    Args:
        history: one fan's events.
        ticks: instants at which the clock looks; before the first event that is not earlier.
        stored_at: indexes of events after which the state is written and read back.
        early: every tick but the last comes one event too early, as if that event were late.
    """
    fan, changes = Fan(), []
    waiting = sorted(ticks)
    reloads = set(stored_at)
    for index, event in enumerate(history):
        soon = history[min(index + early, len(history) - 1)].occurred_at
        while waiting and waiting[0] <= max(fan.clock, event.occurred_at, soon):
            if (moved := advance(BOOK, fan, WHO, waiting.pop(0))) is not None:
                fan = moved[0]
                changes += moved[1]
        fan, announced = apply_event(BOOK, fan, WHO, event, f"id-{index}")
        changes += announced
        if index in reloads:
            fan = load_fan(dump_fan(fan))
    return fan, changes


def _seen(changes: Sequence[TagEvent]) -> list[Change]:
    return [
        (type(c).__name__, c.tag, c.because, c.occurred_at, c.tags, c.number, c.cause)
        for c in changes
    ]


def _expected(history: Sequence[Event], now: int | None = None) -> list[Change]:
    changes = expected_changes(history, RULES, now=now).get(KEY, [])
    return [
        (
            c.type,
            c.tag,
            c.because,
            c.at,
            c.tags,
            c.number,
            expiry_cause(KEY, c.tag, c.at) if c.event is None else f"id-{c.event}",
        )
        for c in changes
    ]


@given(histories())
@settings(max_examples=400, deadline=None)
def test_tags_and_their_changes_equal_the_sequential_model(history: list[Event]) -> None:
    fan, changes = _run(history)
    assert set(fan.tags) == expected_tags(history, RULES).get(KEY, set())
    assert _seen(changes) == _expected(history)


@given(histories(), st.lists(st.integers(0, 59), max_size=10))
@settings(max_examples=100, deadline=None)
def test_reading_the_state_back_from_the_store_changes_nothing(
    history: list[Event], stored_at: list[int]
) -> None:
    assert _run(history, stored_at=stored_at) == _run(history)


@given(histories(late=False), st.lists(st.integers(0, 300_000), max_size=20))
@settings(max_examples=200, deadline=None)
def test_clock_ticks_between_events_change_neither_tags_nor_announcements(
    history: list[Event], offsets: list[int]
) -> None:
    ticks = [history[0].occurred_at + offset for offset in offsets]
    assert _run(history, ticks=ticks) == _run(history)


@given(histories(), st.lists(st.integers(0, 300_000), max_size=20))
@settings(max_examples=200, deadline=None)
def test_with_late_events_and_ticks_no_instant_of_expiry_is_announced_twice(
    history: list[Event], offsets: list[int]
) -> None:
    fan, changes = _run(history, ticks=[START + offset for offset in offsets], early=True)
    causes = [change.cause for change in changes if change.because == "time"]
    assert len(causes) == len(set(causes))
    assert [change.number for change in changes] == list(range(1, fan.number + 1))
    held: set[str] = set()
    for change in changes:
        held = held | {change.tag} if isinstance(change, TagAssigned) else held - {change.tag}
        assert set(change.tags) == held
    assert set(fan.tags) == held


def test_a_late_event_does_not_give_again_what_the_clock_has_ended() -> None:
    def says(at: int) -> MessageReceived:
        who = WHO_SAYS | {"occurred_at": START + at}
        return MessageReceived(message_type="text", text="退款", **who)

    fan, _ = apply_event(BOOK, Fan(), WHO, says(0), "a")
    moved = advance(BOOK, fan, WHO, START + 60_000)
    assert moved is not None
    fan, changes = apply_event(BOOK, moved[0], WHO, says(-1_000), "b")
    assert (dict(fan.tags), changes) == ({}, [])


@given(histories())
@settings(max_examples=200, deadline=None)
def test_time_alone_ends_every_tag_that_has_an_end_and_only_once(history: list[Event]) -> None:
    fan, changes = _run(history)
    late = fan.clock + 10 * 60_000
    moved = advance(BOOK, fan, WHO, late)
    if moved is not None:
        fan = moved[0]
        changes += moved[1]
    assert _seen(changes) == _expected(history, now=late)
    assert all(held.until == NEVER for held in fan.tags.values())
    assert advance(BOOK, fan, WHO, late) is None
    causes = [c.cause for c in changes if c.because == "time"]
    assert len(causes) == len(set(causes))


@given(histories())
@settings(max_examples=200, deadline=None)
def test_the_due_instant_is_exactly_when_time_changes_something(history: list[Event]) -> None:
    fan, _ = _run(history)
    if fan.due == NEVER:
        assert advance(BOOK, fan, WHO, NEVER - 1) is None
        return
    assert advance(BOOK, fan, WHO, fan.due - 1) is None
    moved = advance(BOOK, fan, WHO, fan.due)
    assert moved is not None
    assert [change.because for change in moved[1]].count("time") >= 1


@given(histories())
@settings(max_examples=100, deadline=None)
def test_the_state_given_is_never_changed(history: list[Event]) -> None:
    fan = Fan()
    for index, event in enumerate(history):
        before = dump_fan(fan)
        after, _ = apply_event(BOOK, fan, WHO, event, f"id-{index}")
        advance(BOOK, fan, WHO, min(fan.due, NEVER - 1))
        assert dump_fan(fan) == before
        fan = after


@given(histories(), histories(leaving=False))
@settings(max_examples=100, deadline=None)
def test_who_left_and_follows_again_is_as_new_but_for_the_running_number(
    past: list[Event], life: list[Event]
) -> None:
    leaving = FanUnfollowed.model_validate(
        {**past[-1].model_dump(), "occurred_at": max(event.occurred_at for event in past)}
    )
    gone, _ = _run([*past, leaving])
    assert dump_fan(gone) == dump_fan(Fan(number=gone.number, clock=gone.clock, following=False)), (
        "nothing but number and clock may be left of a fan who left"
    )
    history = [*past, leaving, *life]
    fan, changes = _run(history)
    assert set(fan.tags) == expected_tags(history, RULES)[KEY]
    assert [c.number for c in changes] == list(range(1, len(changes) + 1))
