"""Folding facts into a document: whatever is repeated or rewound, each id counts once."""

from __future__ import annotations

import bson
from hypothesis import given
from hypothesis import strategies as st

from shared.kafka import bookkeeping
from shared.kafka.bookkeeping import RING_SIZE, Bookkeeping, Ring
from shared.kafka.fold import Held, fold
from shared.kafka.handler import Fact
from shared.kafka.limits import (
    MAX_IN_A_ROW,
    MAX_IN_WINDOW,
    WINDOW_RECORDS,
    DeadLetterLimit,
    Outcome,
)
from tests.support.counting_handler import Clicks, CountingHandler, click

HANDLER = CountingHandler()
BEGAN = 1_700_000_000_000


def facts(ids: list[int], partition: int = 0) -> list[Fact]:
    return [
        Fact(click(at=BEGAN + n), f"e{n}", "/s", "fan-events.v1", partition, offset)
        for offset, n in enumerate(ids)
    ]


def apply(held: Held[Clicks], some: list[Fact]) -> None:
    fold(held, some, HANDLER, epoch="1", source="/test")


def stored(held: Held[Clicks]) -> Held[Clicks]:
    """As it comes back from the store."""
    raw = bson.decode(bson.encode({"l": bookkeeping.dump(held.book), **HANDLER.dump(held.state)}))
    return Held(held.version, bookkeeping.load(raw["l"]), HANDLER.load(raw))


@given(
    ids=st.lists(st.integers(0, 60), max_size=120),
    cuts=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 30)), max_size=12),
)
def test_any_batches_and_any_rewinds_give_the_state_of_one_pass(
    ids: list[int], cuts: list[tuple[int, int]]
) -> None:
    all_facts = facts(ids)
    once: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
    apply(once, all_facts)
    many: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
    at = 0
    for size, rewind in cuts:
        apply(many, all_facts[at : at + size])
        many = stored(many)
        at = max(0, at + size - rewind)
    apply(many, all_facts[min(at, len(all_facts)) :])
    assert many.state == once.state
    assert [e.id for e in many.book.outbox] == [e.id for e in once.book.outbox]
    assert many.state.clicks == len(set(ids))
    if ids:
        mark = many.book.mark("1", "fan-events.v1", 0)
        assert mark.applied + mark.duplicates == len(ids)


@given(times=st.lists(st.integers(0, 10_000), min_size=1, max_size=3 * RING_SIZE))
def test_a_ring_never_calls_a_seen_event_new(times: list[int]) -> None:
    ring = Ring([], [], bookkeeping.NOTHING_DROPPED)
    seen: list[tuple[str, int]] = []
    for number, time in enumerate(times):
        if ring.tell(f"e{number}", time) == "new":
            ring.add(f"e{number}", time)
            seen.append((f"e{number}", time))
    assert all(ring.tell(event_id, time) != "new" for event_id, time in seen)
    assert len(ring.ids) <= RING_SIZE
    assert ring.times == sorted(ring.times)


def test_each_source_has_a_ring_of_its_own() -> None:
    held: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
    first = Fact(click(at=BEGAN), "e", "/one", "fan-events.v1", 0, 0)
    flood = facts(list(range(1, 2 * RING_SIZE)))
    for offset, fact in enumerate(flood, start=1):
        fact.offset = offset
    again = Fact(click(at=BEGAN), "e", "/one", "fan-events.v1", 0, len(flood) + 1)
    same_id = Fact(click(at=BEGAN), "e", "/two", "fan-events.v1", 0, len(flood) + 2)
    folded = fold(held, [first, *flood, again, same_id], HANDLER, epoch="1", source="/test")
    assert (folded.applied, folded.duplicates, folded.dead) == (len(flood) + 2, 1, [])


def test_one_wrong_clock_does_not_make_what_follows_look_late() -> None:
    ring = Ring([], [], bookkeeping.NOTHING_DROPPED)
    ring.add("from the future", BEGAN + 10**9)
    for number in range(2 * RING_SIZE):
        assert ring.tell(f"e{number}", BEGAN + number) == "new"
        ring.add(f"e{number}", BEGAN + number)


OUTCOMES: tuple[Outcome, ...] = ("done", "done", "failed", "late")


@given(st.lists(st.sampled_from(OUTCOMES), max_size=2 * WINDOW_RECORDS), st.integers(1, 500))
def test_the_limit_judges_alike_however_the_outcomes_are_split(
    outcomes: list[Outcome], size: int
) -> None:
    def stops_at(batch: int) -> int | None:
        limit = DeadLetterLimit()
        for first in range(0, len(outcomes), batch):
            some = outcomes[first : first + batch]
            index = limit.one_too_many(some)
            if index is not None:
                return first + index
            limit.remember(some)
        return None

    def by_hand() -> int | None:
        judged = [
            (n, outcome == "failed") for n, outcome in enumerate(outcomes) if outcome != "late"
        ]
        dead = [failed for _, failed in judged]
        for at, (n, failed) in enumerate(judged):
            row = dead[max(0, at - MAX_IN_A_ROW) : at + 1]
            window = dead[max(0, at - WINDOW_RECORDS + 1) : at + 1]
            if failed and (sum(row) > MAX_IN_A_ROW or sum(window) > MAX_IN_WINDOW):
                return n
        return None

    assert stops_at(size) == stops_at(1) == by_hand()


def test_a_thousand_late_records_are_no_row_of_failures() -> None:
    limit = DeadLetterLimit()
    assert limit.one_too_many(["late"] * 1_000) is None
    limit.remember(["late"] * 1_000)
    assert limit.one_too_many(["failed"] * MAX_IN_A_ROW) is None
    assert limit.one_too_many(["failed"] * (MAX_IN_A_ROW + 1)) == MAX_IN_A_ROW
