"""The bounds that decide what is new, what is set aside and what stops: each at its very edge."""

from __future__ import annotations

import pytest

from shared.errors import DeadLetterReason
from shared.events import Event
from shared.kafka import bookkeeping
from shared.kafka.bookkeeping import OUTBOX_LIMIT, RING_SIZE, Bookkeeping, Entry, Ring
from shared.kafka.fold import Held, OutboxFullError, change, fold
from shared.kafka.handler import Announcement, Change, Fact
from shared.kafka.limits import (
    MAX_IN_A_ROW,
    MAX_IN_WINDOW,
    WINDOW_RECORDS,
    DeadLetterLimit,
    Outcome,
)
from shared.store.ports import owner_text
from tests.support.counting_handler import REJECT, Clicks, CountingHandler, click

BEGAN = 1_700_000_000_000
HANDLER = CountingHandler()
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
DONE: Outcome = "done"
FAILED: Outcome = "failed"


def full_ring() -> Ring:
    """A ring that has dropped one id, the one of `BEGAN`."""
    ring = Ring([], [], bookkeeping.NOTHING_DROPPED)
    for number in range(RING_SIZE + 1):
        ring.add(f"e{number}", BEGAN + number)
    return ring


def test_an_id_of_exactly_the_newest_dropped_time_is_not_new() -> None:
    ring = full_ring()
    assert ring.dropped == BEGAN
    assert ring.tell("e0", BEGAN) == "too_old", "the id that was dropped"
    assert ring.tell("another", BEGAN) == "too_old", "it can't be told from the one dropped"
    assert ring.tell("another", BEGAN + 1) == "new"
    assert ring.tell("another", BEGAN - 1) == "too_old"


def test_an_id_that_is_still_remembered_is_a_duplicate_however_old() -> None:
    ring = full_ring()
    assert ring.tell("e1", BEGAN) == "duplicate"
    assert ring.tell(f"e{RING_SIZE}", BEGAN + RING_SIZE) == "duplicate"


def test_a_ring_that_is_just_full_has_dropped_nothing() -> None:
    ring = Ring([], [], bookkeeping.NOTHING_DROPPED)
    for number in range(RING_SIZE):
        ring.add(f"e{number}", BEGAN + number)
    assert ring.dropped == bookkeeping.NOTHING_DROPPED
    assert ring.tell("e0", BEGAN) == "duplicate"
    assert ring.tell("first of all", 0) == "new"


def test_what_was_dropped_stays_dropped_when_an_older_id_leaves_later() -> None:
    ring = Ring([], [], bookkeeping.NOTHING_DROPPED)
    for number in range(RING_SIZE):
        ring.add(f"e{number}", BEGAN + 10 + number)
    ring.add("newer", BEGAN + 1_000)
    assert ring.dropped == BEGAN + 10
    ring.add("newest", BEGAN + 1_001)
    assert ring.dropped == BEGAN + 11
    assert ring.times == sorted(ring.times)
    assert len(ring.ids) == len(ring.times) == len(ring.members) == RING_SIZE


def test_ids_of_one_instant_keep_the_order_in_which_they_came() -> None:
    ring = Ring([], [], bookkeeping.NOTHING_DROPPED)
    for name, at in (("a", 5), ("b", 9), ("c", 5), ("d", 9), ("e", 1)):
        ring.add(name, at)
    assert list(zip(ring.ids, ring.times, strict=True)) == [
        ("e", 1),
        ("a", 5),
        ("c", 5),
        ("b", 9),
        ("d", 9),
    ]


def test_a_fact_at_the_watermark_is_redelivered_and_the_next_one_is_not() -> None:
    held: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
    facts = [fact(0), fact(1), fact(2)]
    fold(held, facts[:2], HANDLER, epoch="1", source="/test")
    folded = fold(held, facts, HANDLER, epoch="1", source="/test")
    assert (folded.applied, folded.redelivered, folded.duplicates) == (1, 2, 0)
    assert folded.new == [facts[2]]
    assert held.book.mark("1", "fan-events.v1", 0).offset == 2


def test_the_watermark_goes_on_over_a_duplicate_but_not_over_what_is_set_aside() -> None:
    held: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
    fold(held, [fact(0)], HANDLER, epoch="1", source="/test")
    folded = fold(held, [fact(1, name="e0")], HANDLER, epoch="1", source="/test")
    mark = held.book.mark("1", "fan-events.v1", 0)
    assert (folded.duplicates, folded.changed) == (1, True)
    assert (mark.offset, mark.applied, mark.duplicates) == (1, 1, 1)
    bad = Fact(click(at=BEGAN + 9, key=HANDLER.poison), "bad", "/s", "fan-events.v1", 0, 2)
    folded = fold(held, [bad], HANDLER, epoch="1", source="/test")
    assert (mark.offset, folded.changed) == (1, False)
    assert [error.reason for _, error in folded.dead] == [DeadLetterReason.HANDLER_RAISED]


def test_each_partition_of_each_topic_and_epoch_has_a_watermark_of_its_own() -> None:
    book = Bookkeeping()
    marks = [
        book.mark(epoch, topic, partition)
        for epoch in ("1", "2")
        for topic in ("a", "b")
        for partition in (0, 1)
    ]
    assert len({id(mark) for mark in marks}) == len(book.marks) == 8
    assert book.mark("2", "a", 1) is marks[5]
    assert {(mark.epoch, mark.topic, mark.partition) for mark in marks} == {
        (epoch, topic, partition)
        for epoch in ("1", "2")
        for topic in ("a", "b")
        for partition in (0, 1)
    }
    assert {mark.offset for mark in marks} == {-1}


def test_facts_of_two_partitions_move_their_own_watermarks() -> None:
    held: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
    facts = [fact(5), fact(3, partition=1, name="x"), fact(6), fact(4, partition=1, name="y")]
    folded = fold(held, facts, HANDLER, epoch="1", source="/test")
    assert folded.applied == 4
    assert {(m.partition, m.offset, m.applied) for m in held.book.marks} == {(0, 6, 2), (1, 4, 2)}


def test_what_is_set_aside_or_repeated_does_not_end_the_batch() -> None:
    held: Held[Clicks] = Held(0, Bookkeeping(rings={"/s": full_ring()}), Clicks())
    late = BEGAN + 1_000
    facts = [
        Fact(click(at=late + offset, key=key), name, "/s", "fan-events.v1", 0, offset)
        for offset, (name, key) in enumerate(
            [
                ("a", "menu"),
                ("raises", HANDLER.poison),
                ("b", "menu"),
                ("rejected", REJECT),
                ("c", "menu"),
                ("a", "menu"),
                ("d", "menu"),
            ]
        )
    ]
    facts.append(Fact(click(at=BEGAN), "too old", "/s", "fan-events.v1", 0, 7))
    facts.append(Fact(click(at=late + 8), "e", "/s", "fan-events.v1", 0, 8))
    folded = fold(held, facts, HANDLER, epoch="1", source="/test")
    assert [one.id for one in folded.new] == ["a", "b", "c", "d", "e"]
    assert (folded.applied, folded.duplicates, held.state.clicks) == (5, 1, 5)
    assert [(one.id, error.reason) for one, error in folded.dead] == [
        ("raises", DeadLetterReason.HANDLER_RAISED),
        ("rejected", DeadLetterReason.REJECTED),
        ("too old", DeadLetterReason.TOO_OLD_TO_TELL),
    ]
    again = fold(held, facts, HANDLER, epoch="1", source="/test")
    assert (again.redelivered, again.applied, again.dead) == (9, 0, [])


def test_facts_of_several_sources_have_rings_of_their_own_also_one_without_a_name() -> None:
    held: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
    facts = [
        Fact(click(at=BEGAN + offset), name, source, "fan-events.v1", 0, offset)
        for offset, (name, source) in enumerate(
            [("a", ""), ("a", "/one"), ("a", "/two"), ("a", "/one"), ("b", "/two"), ("b", "/two")]
        )
    ]
    folded = fold(held, facts, HANDLER, epoch="1", source="/test")
    assert (folded.applied, folded.duplicates) == (4, 2)
    assert {source: ring.ids for source, ring in held.book.rings.items()} == {
        "": ["a"],
        "/one": ["a"],
        "/two": ["a", "b"],
    }


def test_bookkeeping_comes_back_from_the_store_as_it_was() -> None:
    held: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
    facts = [fact(number, trace=TRACE.encode()) for number in range(3)]
    fold(held, facts, HANDLER, epoch="7", source="/test")
    dumped = bookkeeping.dump(held.book)
    again = bookkeeping.load(dumped)
    assert bookkeeping.dump(again) == dumped
    assert again.marks == held.book.marks
    assert again.outbox == held.book.outbox
    assert again.owner == held.book.owner == owner_text("fan-events.v1", 0)
    (entry,) = again.outbox
    assert (entry.traceparent, entry.source, entry.topic) == (
        TRACE,
        "/test",
        "tag-changes.v1",
    )
    assert (entry.type, entry.key, entry.time) == ("TagAssigned", "wechat:gh_1:a", BEGAN + 2)
    assert bookkeeping.load(None) == bookkeeping.load({}) == Bookkeeping()


def test_an_empty_outbox_belongs_to_nobody() -> None:
    held: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
    fold(held, [fact(0)], HANDLER, epoch="1", source="/test")
    assert bookkeeping.dump(held.book)["own"] is None
    assert held.book.owner == bookkeeping.NO_PARTITION
    assert bookkeeping.load(bookkeeping.dump(held.book)).owner == bookkeeping.NO_PARTITION


def test_only_what_is_acknowledged_leaves_the_outbox() -> None:
    book = Bookkeeping(outbox=[entry("a"), entry("b"), entry("c")])
    book.outbox[0].progress = "sent"
    book.outbox[1].progress = "acknowledged"
    assert [one.id for one in book.drop_acknowledged()] == ["b"]
    assert [one.id for one in book.outbox] == ["a", "c"]
    assert book.drop_acknowledged() == []
    assert Bookkeeping().drop_acknowledged() == []


@pytest.mark.parametrize("acknowledged", [0, 3])
def test_an_outbox_is_full_beyond_its_limit_of_what_still_waits(acknowledged: int) -> None:
    def held() -> Held[Clicks]:
        outbox = [entry(f"e{n}") for n in range(OUTBOX_LIMIT + acknowledged - 1)]
        for one in outbox[:acknowledged]:
            one.progress = "acknowledged"
        return Held(0, Bookkeeping(outbox=outbox), Clicks(clicks=2))

    full = held()
    fold(full, [fact(0)], HANDLER, epoch="1", source="/test")
    assert len(full.book.outbox) == OUTBOX_LIMIT + acknowledged
    full.state = Clicks(clicks=2)
    with pytest.raises(OutboxFullError, match=f"{OUTBOX_LIMIT + 1} announcements"):
        fold(full, [fact(1)], HANDLER, epoch="1", source="/test")
    by_time = held()
    change(by_time, announcing(1), source="/test")
    with pytest.raises(OutboxFullError):
        change(by_time, announcing(1), source="/test")


def test_what_time_decides_is_announced_by_the_owner_of_the_last_partition_that_wrote() -> None:
    held: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
    change(held, announcing(2), source="/test")
    assert held.book.owner == bookkeeping.NO_PARTITION
    fold(held, [fact(0, partition=4)], HANDLER, epoch="1", source="/test")
    fold(held, [fact(0, partition=7, name="x")], HANDLER, epoch="1", source="/test")
    held.book.owner = "stale"
    change(held, announcing(1), source="/test")
    assert held.book.owner == owner_text("fan-events.v1", 7)


def test_announcements_of_one_cause_have_ids_of_their_own_that_a_repetition_gives_again() -> None:
    def ids(*causes: str) -> list[str]:
        held: Held[Clicks] = Held(0, Bookkeeping(), Clicks())
        news = tuple(Announcement(tag(), cause) for cause in causes)
        change(held, Change(Clicks(), news), source="/test")
        assert {(one.source, one.traceparent) for one in held.book.outbox} == {("/test", "")}
        return [one.id for one in held.book.outbox]

    twice = ids("cause", "cause", "other", "cause")
    assert len(set(twice)) == 4
    assert ids("cause", "cause", "other", "cause") == twice
    assert ids("other", "cause", "cause", "cause") == [twice[2], twice[0], twice[1], twice[3]]


def test_twenty_dead_letters_in_a_row_pass_and_the_next_one_does_not() -> None:
    limit = DeadLetterLimit()
    assert limit.one_too_many([FAILED] * MAX_IN_A_ROW) is None
    assert limit.one_too_many([FAILED] * (MAX_IN_A_ROW + 1)) == MAX_IN_A_ROW
    limit.remember([FAILED] * MAX_IN_A_ROW)
    assert limit.one_too_many([FAILED]) == 0
    assert limit.one_too_many([DONE, *[FAILED] * MAX_IN_A_ROW]) is None
    assert limit.one_too_many([DONE, FAILED]) is None, "asking remembers nothing"


def test_a_dead_letter_counts_for_a_thousand_records_and_not_for_one_more() -> None:
    def after(good: int) -> int | None:
        limit = DeadLetterLimit()
        for _ in range(MAX_IN_WINDOW):
            limit.remember([FAILED, DONE])
        # The oldest dead letter is the first of `2 * MAX_IN_WINDOW + good` records.
        limit.remember([DONE] * good)
        return limit.one_too_many([FAILED])

    assert after(WINDOW_RECORDS - 2 * MAX_IN_WINDOW - 1) == 0, "the thousandth, counted from it"
    assert after(WINDOW_RECORDS - 2 * MAX_IN_WINDOW) is None


def test_good_records_end_a_row_also_when_a_whole_batch_is_good() -> None:
    limit = DeadLetterLimit()
    limit.remember([FAILED] * MAX_IN_A_ROW)
    limit.remember([DONE])
    assert limit.one_too_many([FAILED] * MAX_IN_A_ROW) is None
    limit.remember([FAILED] * MAX_IN_A_ROW)
    limit.remember([])
    assert limit.one_too_many([FAILED]) is None


def fact(offset: int, *, partition: int = 0, name: str = "", trace: bytes = b"") -> Fact:
    made = click(at=BEGAN + offset)
    return Fact(made, name or f"e{offset}", "/s", "fan-events.v1", partition, offset, trace)


def entry(name: str) -> Entry:
    return Entry(name, "TagAssigned", "/test", BEGAN, "tag-changes.v1", "k", b"{}", "")


def tag() -> Event:
    (event,) = HANDLER.decide(Clicks(clicks=2), fact(0)).events
    assert isinstance(event, Event)
    return event


def announcing(number: int) -> Change[Clicks]:
    return Change(Clicks(), tuple(Announcement(tag(), f"cause-{n}") for n in range(number)))
