"""Transactions of others, retention and topics made anew: on Apache Kafka, as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from confluent_kafka import TopicPartition

from tests.support.consumed_topic import ConsumedTopic
from tests.support.crash_books import read_raw

pytestmark = pytest.mark.real

WAIT_S = 180.0  # the log compacts when it finds the time


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            found = condition()
            if await found if not isinstance(found, bool) else found:
                return
            await asyncio.sleep(0.05)


async def until_clicks(consumed: ConsumedTopic, fan: str, count: int) -> None:
    async def there() -> bool:
        return await consumed.clicks(fan) == count

    await until(there)


async def until_still(consumed: ConsumedTopic, partition: int, committed: int) -> None:
    """Until the group's offset is there, and nothing is left to do."""
    place = next(p for p in consumed.runner.assignment.partitions if p == partition)

    def reached() -> bool:
        return consumed.runner.assignment.partitions[place].committed == committed

    await until(reached)
    await consumed.runner.assignment.lookout.look()
    assert set(consumed.observer.lags.values()) == {0}
    assert consumed.runner.stuck_s() == 0


async def test_markers_of_transactions_are_no_lag_and_aborted_events_are_not_applied(
    consumed: ConsumedTopic,
) -> None:
    await consumed.start()
    producer = consumed.producer(**{"transactional.id": consumed.topic})
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    consumed.produce("a", "c1", "c2", "c3", producer=producer)
    producer.commit_transaction(WAIT_S)
    await until_clicks(consumed, "a", 3)
    await until_still(consumed, consumed.place("a"), 4)
    producer.begin_transaction()
    consumed.produce("a", "gone1", "gone2", producer=producer)
    producer.flush(WAIT_S)
    producer.abort_transaction(WAIT_S)
    await until_still(consumed, consumed.place("a"), 7)
    consumed.produce("a", "plain")
    await until_clicks(consumed, "a", 4)
    await until_still(consumed, consumed.place("a"), 8)
    await consumed.stop()
    books = await consumed.balance()
    assert (books.applied, books.without_record, books.records) == (4, 4, 8)
    assert books.balanced
    assert consumed.audited() == {}


async def test_events_behind_an_open_transaction_wait_and_are_told_as_lag(
    consumed: ConsumedTopic,
) -> None:
    await consumed.start()
    producer = consumed.producer(**{"transactional.id": consumed.topic})
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    consumed.produce("a", "open", producer=producer)
    producer.flush(WAIT_S)
    consumed.produce("a", "ours")

    async def behind() -> bool:
        await consumed.runner.assignment.lookout.look()
        return consumed.observer.lags.get(consumed.place("a")) == 2

    await until(behind)
    assert consumed.runner.stuck_s() == 0
    assert await consumed.clicks("a") == 0
    producer.commit_transaction(WAIT_S)
    await until_clicks(consumed, "a", 2)
    await consumed.stop()
    assert (await consumed.balance()).balanced


async def test_what_expired_while_away_is_told_once_with_its_size(consumed: ConsumedTopic) -> None:
    await consumed.start()
    consumed.produce("a", "one")
    await until_clicks(consumed, "a", 1)
    await consumed.stop()
    consumed.produce("a", *[f"gone{n}" for n in range(5)])
    place = TopicPartition(consumed.topic, consumed.place("a"), -1)
    for done in consumed.admin.delete_records([place]).values():
        done.result(WAIT_S)
    for _ in range(2):
        await consumed.start()
        await until(lambda: len(consumed.runner.assignment.partitions) == 12)
        await until(lambda: all(p.is_ready for p in consumed.runner.assignment.partitions.values()))
        await consumed.runner.assignment.lookout.look()
        assert set(consumed.observer.lags.values()) == {0}
        await consumed.stop()
    assert consumed.observer.expired == [(place.partition, 5)]
    await consumed.start()
    consumed.produce("a", "new")
    await until_clicks(consumed, "a", 2)
    await consumed.stop()
    books = await consumed.balance()
    assert (books.applied, books.without_record, books.records) == (2, 5, 7)
    assert consumed.audited() == {}


async def test_what_expires_under_a_running_consumer_is_told_too(consumed: ConsumedTopic) -> None:
    await consumed.start()
    consumed.produce("a", "one")
    await until_clicks(consumed, "a", 1)
    partition = consumed.runner.assignment.partitions[consumed.place("a")]
    consumer = consumed.runner.assignment.consumer()
    assert consumer is not None
    places = consumer.assignment()  # type: ignore[attr-defined]  # aiokafka's
    consumer.pause(*places)  # it is slow, and retention overtakes it
    fetcher = consumer._fetcher  # type: ignore[attr-defined]  # aiokafka's
    await until(lambda: not fetcher._in_flight)  # a fetch under way would still bring what comes
    consumed.produce("a", "gone1", "gone2")
    expired = TopicPartition(consumed.topic, partition.number, -1)
    for done in consumed.admin.delete_records([expired]).values():
        done.result(WAIT_S)
    consumed.produce("a", "two")
    consumer.resume(*places)
    await until_clicks(consumed, "a", 2)
    await consumed.stop()
    assert consumed.observer.expired == [(partition.number, 2)]
    assert consumed.observer.stopped == {}
    books = await consumed.balance()
    assert books.balanced
    assert books.without_record == 2


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped meanwhile"])
async def test_a_topic_made_anew_stops_its_partitions(
    consumed: ConsumedTopic,
    running: bool,  # noqa: FBT001 -- a parameter
) -> None:
    await consumed.start()
    consumed.produce("a", *[f"old{n}" for n in range(5)])
    await until_clicks(consumed, "a", 5)
    if not running:
        await consumed.stop()
    for done in consumed.admin.delete_topics([consumed.topic]).values():
        done.result(WAIT_S)

    def is_gone() -> bool:
        return consumed.topic not in consumed.admin.list_topics(timeout=WAIT_S).topics

    await until(is_gone)
    await consumed.create()
    await until(lambda: not is_gone())
    consumed.produce("a", *[f"new{n}" for n in range(9)])
    if not running:
        await consumed.start()
    place = consumed.place("a")
    await until(lambda: consumed.observer.stopped.get(place) == "log_went_backwards")
    assert await consumed.session.flowing() == "log_went_backwards"
    await consumed.stop()
    assert await consumed.clicks("a") == 5


async def test_the_log_tells_how_many_partitions_nobody_holds(consumed: ConsumedTopic) -> None:
    await consumed.start()
    await until(lambda: len(consumed.runner.assignment.partitions) == 12)
    consumer = consumed.runner.assignment.consumer()
    assert consumer is not None
    assert await consumer.unheld(consumed.topic) == 0
    assert await consumer.unheld("no-such-topic") == -1
    assert len(await consumer.topic_id(consumed.topic)) == 32
    await consumed.stop()


@pytest.mark.slow
async def test_compacted_gaps_are_passed_and_the_books_balance(consumed: ConsumedTopic) -> None:
    consumed.configure(
        cleanup_policy="compact",
        segment_ms="1",
        min_cleanable_dirty_ratio="0.001",
        max_compaction_lag_ms="1",
    )

    def left() -> int:
        return len(read_raw(consumed.log, consumed.topic))

    for n in range(6):
        consumed.produce("a", f"e{n}")
        await asyncio.sleep(0.01)  # each lies in a segment of its own; the last is never compacted
    await until(lambda: left() < 6)
    records = left()
    await consumed.start()
    await until_clicks(consumed, "a", records)
    await until_still(consumed, consumed.place("a"), 6)
    await consumed.stop()
    books = await consumed.balance()
    assert (books.applied, books.without_record, books.records) == (records, 6 - records, 6)
    assert consumed.audited() == {}
