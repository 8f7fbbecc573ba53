"""The runner's promises, one sentence a test, on the in-memory log and store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from shared.errors import TransientError
from shared.events.envelope import from_headers
from shared.kafka.bookkeeping import RING_SIZE
from shared.kafka.ports import OutgoingRecord
from shared.kafka.runner import Runner
from shared.store.ports import GuardedWrite, PartitionBook
from shared.testing.memory_log import MemoryConsumer, MemoryPublisher, drive, record_of
from shared.testing.memory_store import MemoryGuardedStore, MemoryPartitionBooks
from shared.testing.silent_observer import SilentObserver
from tests.support.counting_handler import POISON, CountingHandler, click

TOPIC = "fan-events.v1"
DLQ = "fan-events.v1.test.dlq"
TAGS = "tag-changes.v1"


class Bench:
    """A runner with everything around it in memory; `crash` makes a new one on the same parts."""

    def __init__(self, partitions: int = 1) -> None:
        self.store = MemoryGuardedStore()
        self.books = MemoryPartitionBooks()
        self.publisher = MemoryPublisher()
        self.consumer = MemoryConsumer(TOPIC, partitions)
        self.observer = SilentObserver()
        self.handler = CountingHandler()
        self.epoch = "1"
        self.runner = self.make()

    def make(self) -> Runner[Any]:
        return Runner(
            self.handler,
            self.store,
            self.books,
            self.publisher,
            observer=self.observer,
            service="test",
            topic=TOPIC,
            epoch=self.epoch,
        )

    def crash(self) -> None:
        committed = self.consumer.committed_offsets
        self.consumer.paused.clear()
        for number in self.consumer.records:
            self.consumer.positions[number] = committed.get(number, 0)
        self.runner = self.make()

    def places(self) -> set[TopicPartition]:
        return {TopicPartition(TOPIC, number) for number in self.consumer.records}

    async def assign(self) -> None:
        self.runner.assignment.consumer = lambda: self.consumer
        await self.runner.start()
        await self.runner.assignment.on_partitions_assigned(self.places())

    async def reassign(self) -> None:
        """The same partitions again, from the committed offsets, as after a rebalance."""
        places = self.places()
        await self.runner.assignment.on_partitions_revoked(places)
        committed = self.consumer.committed_offsets
        self.consumer.paused.clear()
        for number in self.consumer.records:
            self.consumer.positions[number] = committed.get(number, 0)
        await self.runner.assignment.on_partitions_assigned(places)

    async def deliver(self, at_most: int = 5_000) -> None:
        await self.runner.assignment.before_read()
        await self.runner.handle(self.consumer.poll(at_most), self.consumer)

    async def run(self, batch: int = 5_000) -> None:
        await drive(self.runner, self.consumer, batch=batch)

    def clicks(self, count: int, fan: str = "a", start: int = 0) -> None:
        for n in range(start, start + count):
            self.consumer.append(record_of(click(fan, at=1_700_000_000_000 + n), f"{fan}-{n}"))

    def state(self, fan: str = "a") -> dict[str, Any]:
        return self.store.documents[f"wechat:gh_1:{fan}"]

    def balanced(self) -> bool:
        applied = duplicates = 0
        for document in self.store.documents.values():
            for mark in document["l"]["events"]["at"]:
                if mark["e"] == self.epoch:
                    applied += mark["n"]
                    duplicates += mark["d"]
        books = self.books.books.values()
        skipped = sum(book["skipped"] + book["without_record"] for book in books)
        origins = {_origin(record) for record in self.publisher.of(DLQ)}
        read = sum(self.consumer.ends.values()) - sum(book["start"] for book in books)
        return applied + duplicates + skipped + len(origins) == read


def _origin(record: OutgoingRecord) -> tuple[bytes, bytes]:
    headers = dict(record.headers)
    return headers["dlq_partition"], headers["dlq_offset"]


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("batch", [1, 2, 5_000])
async def test_events_become_state_and_announcements_whatever_the_batch(batch: int) -> None:
    bench = Bench()
    bench.clicks(7)
    await bench.run(batch)
    assert bench.state()["clicks"] == 7
    assert len(bench.publisher.ids(TAGS)) == 2
    assert bench.consumer.committed_offsets == {0: 7}
    assert bench.balanced()


async def test_a_record_produced_twice_changes_state_once_and_counts_as_a_duplicate() -> None:
    bench = Bench()
    bench.clicks(3)
    bench.clicks(3)
    await bench.run()
    assert bench.state()["clicks"] == 3
    assert bench.observer.counts["duplicates"] == 3
    assert bench.balanced()


async def test_a_batch_that_was_written_but_not_committed_is_not_applied_again() -> None:
    bench = Bench()
    bench.clicks(4)
    await bench.assign()
    await bench.deliver()
    await until(lambda: len(bench.publisher.ids(TAGS)) == 1)
    bench.consumer.commits.clear()
    await bench.runner.stop()
    bench.consumer.commits.clear()
    bench.crash()
    await bench.run()
    assert bench.state()["clicks"] == 4
    assert bench.observer.counts["redelivered"] == 4
    assert set(bench.publisher.ids(TAGS)) == {bench.publisher.ids(TAGS)[0]}
    assert bench.balanced()


async def test_what_a_crash_left_in_the_outbox_is_announced_on_assignment_with_the_same_id() -> (
    None
):
    bench = Bench()
    bench.clicks(3)
    bench.publisher.failures = [TransientError("log away")] * 1_000
    await bench.assign()
    await bench.deliver()
    assert bench.state()["clicks"] == 3
    assert bench.publisher.ids(TAGS) == []
    await bench.runner.stop(drain_s=0.05)
    left = [entry["i"] for entry in bench.state()["l"]["events"]["out"]]
    assert len(left) == 1
    bench.publisher.failures.clear()
    bench.consumer.commits.append({0: 3})  # nothing is delivered again: only the outbox is left
    bench.crash()
    await bench.assign()
    await until(lambda: bench.publisher.ids(TAGS) == left)
    await bench.runner.stop()


async def test_every_write_carries_unacknowledged_announcements_also_from_a_cached_copy() -> None:
    bench = Bench()
    bench.publisher.failures = [TransientError("log away")] * 1_000
    await bench.assign()
    bench.clicks(3)
    await bench.deliver()
    bench.clicks(1, start=3)
    await bench.deliver()
    assert bench.state()["clicks"] == 4
    assert len(bench.state()["l"]["events"]["out"]) == 1
    await bench.runner.stop(drain_s=0.05)


async def test_an_entry_leaves_the_outbox_only_after_its_acknowledgement() -> None:
    bench = Bench()
    publish, kept = bench.publisher.publish, []

    async def acknowledge(records: Sequence[OutgoingRecord]) -> None:
        await publish(records)
        kept.append(len(bench.state()["l"]["events"]["out"]))

    bench.publisher.publish = acknowledge  # type: ignore[method-assign]  # it looks into the outbox
    await bench.assign()
    bench.clicks(3)
    await bench.deliver()
    await until(lambda: bench.state()["l"]["events"]["out"] == [])
    assert kept == [1]
    assert len(bench.publisher.ids(TAGS)) == 1
    assert bench.state()["l"]["events"]["own"] is None
    await bench.runner.stop()


async def test_an_orderly_stop_leaves_no_acknowledged_entry_in_an_outbox() -> None:
    bench = Bench()
    bench.clicks(3)
    await bench.run()
    assert len(bench.publisher.ids(TAGS)) == 1
    assert bench.state()["l"]["events"]["out"] == []
    assert bench.state()["l"]["events"]["own"] is None


async def test_offsets_are_committed_only_when_everything_before_them_is_announced() -> None:
    bench = Bench()
    bench.publisher.failures = [TransientError("log away")] * 3
    await bench.assign()
    bench.clicks(3)
    await bench.deliver()
    bench.clicks(1, fan="b")
    await bench.deliver()
    await bench.runner.assignment.commit()
    assert bench.consumer.commits == []
    await until(lambda: bench.consumer.committed_offsets == {0: 4})
    assert len(bench.publisher.ids(TAGS)) == 1
    await bench.runner.stop()


async def test_a_commit_that_failed_is_made_again_though_no_batch_follows() -> None:
    bench = Bench()
    bench.clicks(2)
    commit, failures = bench.consumer.commit, [KafkaError("coordinator away")]

    async def flaky(offsets: dict[TopicPartition, int]) -> None:
        if failures:
            raise failures.pop()
        await commit(offsets)

    bench.consumer.commit = flaky  # type: ignore[method-assign]  # it fails once
    await bench.assign()
    await bench.deliver()
    await until(lambda: bench.consumer.committed_offsets == {0: 2})
    assert failures == []
    await bench.runner.stop()


async def test_poison_goes_to_the_dead_letter_topic_with_bytes_origin_and_reason() -> None:
    bench = Bench()
    bench.clicks(10)
    bench.consumer.append(OutgoingRecord(TOPIC, b"k", b"\xff\x00garbage", [("x", b"\xff\xfe")]))
    bench.consumer.append(record_of(click(key=POISON), "p1"))
    good = record_of(click(), "bad-json")
    bench.consumer.append(OutgoingRecord(TOPIC, good.key, b'{"fan": 3}', good.headers))
    bench.clicks(2, start=20)
    await bench.run()
    assert bench.state()["clicks"] == 12
    letters = bench.publisher.of(DLQ)
    found = {dict(r.headers)["dlq_offset"]: dict(r.headers) for r in letters}
    assert found[b"10"]["dlq_reason"] == b"invalid_envelope"
    assert found[b"10"]["x"] == b"\xff\xfe"
    assert found[b"11"]["dlq_reason"] == b"handler_raised"
    assert found[b"11"]["dlq_detail"] == b"ZeroDivisionError"
    assert found[b"12"]["dlq_reason"] == b"invalid_event"
    assert found[b"12"]["dlq_topic"] == TOPIC.encode()
    assert letters[0].value == b"\xff\x00garbage"
    assert bench.balanced()


async def test_dead_letters_are_acknowledged_before_the_state_of_their_batch_is_written() -> None:
    bench = Bench()
    bench.clicks(2)
    bench.consumer.append(record_of(click(key=POISON), "p1"))
    bench.publisher.failures = [TransientError("dead-letter topic away")]
    await bench.assign()
    await bench.deliver()
    assert bench.store.documents == {}
    assert bench.observer.counts["paused_dead_letter_topic"] == 1
    await until(lambda: not bench.consumer.paused)
    await bench.deliver()
    assert bench.state()["clicks"] == 2
    assert len(bench.publisher.of(DLQ)) == 1
    await bench.runner.stop()
    assert bench.balanced()


async def test_a_bad_deploy_stops_the_partition_instead_of_emptying_the_topic() -> None:
    bench = Bench(partitions=2)
    for n in range(100):
        bench.consumer.append(record_of(click(key=POISON), f"p{n}"), 0)
        bench.consumer.append(record_of(click("b"), f"g{n}"), 1)
    await bench.run(batch=7)
    assert bench.observer.stopped == {0: "too_many_dead_letters"}
    assert len(bench.publisher.of(DLQ)) == 20
    assert bench.consumer.committed_offsets == {0: 20, 1: 100}
    assert bench.state("b")["clicks"] == 100


async def test_more_than_five_percent_of_the_last_thousand_stops_the_partition() -> None:
    bench = Bench()
    for n in range(1_000):
        key = POISON if n % 10 == 0 else "menu"
        bench.consumer.append(record_of(click(f"f{n}", key=key), f"r{n}"))
    await bench.run()
    assert bench.observer.stopped == {0: "too_many_dead_letters"}
    assert len(bench.publisher.of(DLQ)) == 50


async def test_a_history_that_comes_newest_first_stops_nobody() -> None:
    bench = Bench()
    for n in range(600):
        bench.consumer.append(record_of(click("reseller", at=1_700_000_000_000 - n), f"h{n}"))
    bench.clicks(100, fan="other")
    await bench.run()
    assert bench.observer.stopped == {}
    assert bench.state("other")["clicks"] == 100
    reasons = Counter(dict(record.headers)["dlq_reason"] for record in bench.publisher.of(DLQ))
    assert reasons == {b"too_old_to_tell": 600 - RING_SIZE - 1}
    assert bench.balanced()


async def test_late_records_do_not_hide_a_row_of_failures() -> None:
    bench = Bench()
    bench.clicks(RING_SIZE + 1, fan="late")
    for n in range(30):
        bench.consumer.append(record_of(click("late", at=1_600_000_000_000 - n), f"l{n}"))
        bench.consumer.append(record_of(click("p", key=POISON), f"p{n}"))
    await bench.run()
    assert bench.observer.stopped == {0: "too_many_dead_letters"}
    reasons = Counter(dict(record.headers)["dlq_reason"] for record in bench.publisher.of(DLQ))
    assert reasons[b"handler_raised"] == 20


async def test_one_percent_poison_does_not_stop_the_partition() -> None:
    bench = Bench()
    for n in range(3_000):
        key = POISON if n % 100 == 0 else "menu"
        bench.consumer.append(record_of(click(f"f{n}", key=key), f"r{n}"))
    await bench.run(batch=333)
    assert bench.observer.stopped == {}
    assert len(bench.publisher.of(DLQ)) == 30
    assert bench.balanced()


async def test_a_store_that_is_away_pauses_the_partition_and_nothing_is_lost() -> None:
    bench = Bench()
    bench.clicks(4)
    await bench.assign()
    await until(lambda: bench.runner.assignment.partitions[0].ready is not None)
    bench.store.failures = [TransientError("store away")] * 2
    for _ in range(3):
        await bench.deliver()
        await until(lambda: not bench.consumer.paused)
    await bench.deliver()
    await bench.runner.stop()
    assert bench.state()["clicks"] == 4
    assert bench.observer.counts["paused_store"] == 2
    assert bench.consumer.committed_offsets == {0: 4}


async def test_a_handler_that_is_broken_as_a_whole_pauses_and_sets_nothing_aside() -> None:
    bench = Bench()
    bench.clicks(2)
    bench.handler.raise_in_before = [RuntimeError("bug")]
    await bench.assign()
    await bench.deliver()
    assert bench.observer.counts["paused_handler"] == 1
    await until(lambda: not bench.consumer.paused)
    await bench.deliver()
    await bench.runner.stop()
    assert bench.state()["clicks"] == 2
    assert bench.publisher.of(DLQ) == []


async def test_after_runs_again_for_facts_whose_batch_was_written_but_not_followed_up() -> None:
    bench = Bench()
    bench.clicks(2)
    bench.handler.raise_in_after = [TransientError("other store away")]
    await bench.assign()
    await bench.deliver()
    assert bench.state()["clicks"] == 2
    await until(lambda: not bench.consumer.paused)
    await bench.deliver()
    await bench.runner.stop()
    assert bench.handler.after_ids == ["a-0", "a-1"]
    assert bench.state()["clicks"] == 2


async def test_a_write_that_loses_the_race_is_read_again_and_applied_once() -> None:
    bench = Bench()
    await bench.assign()
    bench.clicks(2)
    await bench.deliver()
    bench.state()["v"] += 1  # another loop wrote meanwhile
    bench.state()["other"] = "theirs"
    bench.clicks(2, start=2)
    await bench.deliver()
    await bench.runner.stop()
    assert bench.state()["clicks"] == 4
    assert bench.state()["other"] == "theirs"
    assert bench.observer.counts["races_lost"] == 1


async def test_an_event_too_old_for_the_ring_is_set_aside_and_not_guessed() -> None:
    bench = Bench()
    bench.clicks(RING_SIZE + 10)
    bench.consumer.append(record_of(click(at=1_700_000_000_003), "late"))
    await bench.run()
    reasons = [dict(r.headers)["dlq_reason"] for r in bench.publisher.of(DLQ)]
    assert reasons == [b"too_old_to_tell"]
    assert bench.state()["clicks"] == RING_SIZE + 10
    assert bench.balanced()


async def test_a_document_that_would_pass_its_limit_sets_only_that_fans_events_aside() -> None:
    bench = Bench()
    for n in range(3):
        big = click("big", at=1_700_000_000_000 + n, key="blob:" + "x" * 600_000)
        bench.consumer.append(record_of(big, f"big{n}"))
    bench.clicks(5, fan="small")
    await bench.run()
    assert bench.state("small")["clicks"] == 5
    reasons = {dict(r.headers)["dlq_reason"] for r in bench.publisher.of(DLQ)}
    assert reasons == {b"fan_document_full"}
    assert bench.consumer.committed_offsets == {0: 8}
    assert bench.balanced()


async def test_what_was_set_aside_stays_so_when_its_batch_comes_again_with_other_bounds() -> None:
    bench = Bench()
    for n in range(2):
        big = click("big", at=1_700_000_000_000 + n, key="blob:" + "x" * 600_000)
        bench.consumer.append(record_of(big, f"big{n}"))
    await bench.assign()
    await until(lambda: bench.runner.assignment.partitions[0].books_from >= 0)
    write = bench.store.write

    async def away(writes: Sequence[GuardedWrite]) -> set[str]:
        del writes
        bench.store.write = write  # type: ignore[method-assign]  # for one call
        raise TransientError("away")

    bench.clicks(1, fan="small")
    bench.store.write = away  # type: ignore[method-assign]  # for one call
    await bench.deliver()
    assert len(bench.publisher.of(DLQ)) == 2
    await until(lambda: not bench.consumer.paused)
    for _ in range(3):
        await bench.deliver(at_most=1)
    await bench.runner.stop()
    assert bench.state("small")["clicks"] == 1
    assert len(bench.publisher.of(DLQ)) == 2
    assert bench.balanced()


async def test_unwanted_types_are_skipped_and_counted_once_also_when_delivered_again() -> None:
    bench = Bench()
    other = record_of(click(), "u1")
    headers = [(k, b"SomethingNew" if k == "ce_type" else v) for k, v in other.headers]
    bench.consumer.append(OutgoingRecord(TOPIC, other.key, other.value, headers))
    bench.consumer.append(record_of(click("nobody"), "n1"))
    bench.clicks(1)
    await bench.run()
    bench.consumer.commits.clear()
    bench.crash()
    await bench.run()
    assert [book["skipped"] for book in bench.books.books.values()] == [2]
    assert bench.publisher.of(DLQ) == []
    assert bench.balanced()


async def test_watermarks_of_another_incarnation_of_the_log_hold_nothing_back() -> None:
    bench = Bench()
    bench.clicks(5)
    await bench.run()
    bench.consumer = MemoryConsumer(TOPIC)  # the log was wiped: offsets begin at 0 again
    bench.epoch = "2"
    bench.clicks(5, start=100)
    bench.crash()
    await bench.run()
    assert bench.state()["clicks"] == 10


async def test_a_log_that_went_backwards_under_the_same_epoch_stops_the_partition() -> None:
    bench = Bench()
    bench.clicks(5)
    await bench.run()
    commits = bench.consumer.commits
    bench.consumer = MemoryConsumer(TOPIC)
    bench.consumer.commits = commits
    bench.clicks(2, start=100)
    bench.crash()
    bench.consumer.positions[0] = 0
    await bench.assign()
    await bench.deliver()
    await bench.runner.stop()
    assert bench.observer.stopped == {0: "log_went_backwards"}
    assert bench.state()["clicks"] == 5


async def test_announcements_carry_ids_that_depend_on_their_cause_alone() -> None:
    first, second = Bench(), Bench()
    for bench, batch in ((first, 1), (second, 100)):
        bench.clicks(9)
        await bench.run(batch)
    assert first.publisher.ids(TAGS) == second.publisher.ids(TAGS)
    assert len(set(first.publisher.ids(TAGS))) == 3
    envelope = from_headers(first.publisher.of(TAGS)[0].headers)
    assert (envelope.source, envelope.type) == ("/test", "TagAssigned")


async def test_a_partition_that_is_done_does_not_look_behind_after_a_restart() -> None:
    bench = Bench()
    bench.clicks(10)
    await bench.run()
    bench.crash()
    await bench.assign()
    partition = bench.runner.assignment.partitions[0]
    assert partition.ready is not None
    await partition.ready
    assert (partition.seen, partition.end) == (10, 10)
    await bench.runner.assignment.lookout.look()
    assert bench.observer.lags[0] == 0
    await bench.runner.stop()


async def test_a_batch_that_outlives_its_assignment_neither_pauses_nor_moves_the_next_one() -> None:
    bench = Bench()
    bench.clicks(4)
    await bench.assign()
    gate, began = asyncio.Event(), asyncio.Event()
    write = bench.store.write

    async def stalled(_writes: Any) -> set[str]:
        began.set()
        await gate.wait()
        raise TransientError("store away")

    bench.store.write = stalled  # type: ignore[method-assign, assignment]  # it hangs, then fails
    bench.runner.assignment.drain_s = 0.05
    delivery = asyncio.create_task(bench.deliver(2))
    await began.wait()
    await bench.reassign()
    bench.store.write = write  # type: ignore[method-assign]  # it is back
    gate.set()
    await delivery
    assert bench.consumer.paused == set()
    assert bench.consumer.positions == {0: 0}
    await bench.deliver()
    await bench.runner.stop()
    assert bench.state()["clicks"] == 4
    assert bench.consumer.committed_offsets == {0: 4}


async def test_records_of_a_former_assignment_are_not_taken_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The delivery waits for its slow partition until the reassignment, however late that comes.
    monkeypatch.setattr("shared.kafka.runner.WAIT_S", 60.0)
    bench = Bench(partitions=2)
    for n in range(4):
        bench.consumer.append(record_of(click("a", at=1_700_000_000_000 + n), f"a-{n}"), 0)
    bench.consumer.append(record_of(click("b"), "b-0"), 1)
    load, gate = bench.books.load, asyncio.Event()

    async def slow(group: str, epoch: str, topic: str, partition: int) -> PartitionBook | None:
        if partition == 1:
            await gate.wait()
        return await load(group, epoch, topic, partition)

    bench.books.load = slow  # type: ignore[method-assign]  # one partition's books take long
    await bench.assign()
    bench.runner.assignment.drain_s = 0.05
    bench.consumer.positions[0] = 2  # the first two are on their way elsewhere, not committed
    delivery = asyncio.create_task(bench.deliver())
    await until(lambda: bench.runner.stuck_s() > 0)
    await bench.reassign()
    await delivery
    assert bench.store.documents == {}
    gate.set()
    while any(bench.consumer.positions[n] < len(log) for n, log in bench.consumer.records.items()):
        await until(lambda: not bench.consumer.paused)
        await bench.deliver()
    await bench.runner.stop()
    assert bench.state()["clicks"] == 4
    assert bench.balanced()
