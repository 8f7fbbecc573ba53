"""A log in memory: a publisher that keeps what it is given, and a consumer to drive a runner."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from shared.events.base import Event
from shared.events.envelope import Envelope, Headers, from_headers, to_headers
from shared.kafka.handler import Handler
from shared.kafka.ports import OutgoingRecord
from shared.kafka.runner import Runner
from shared.store.ports import GuardedStore
from shared.testing.memory_store import MemoryPartitionBooks
from shared.testing.silent_observer import SilentObserver


@dataclass(slots=True)
class MemoryRecord:
    """A record as a consumer delivers it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = field(default_factory=list)
    timestamp: int | None = None


class MemoryPublisher:
    """Keeps every record; `failures` are raised one by one by the next calls, before keeping."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.failures: list[Exception] = []

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """See `shared.kafka.ports.Publisher`."""
        if self.failures:
            raise self.failures.pop(0)
        self.records.extend(records)

    def of(self, topic: str) -> list[OutgoingRecord]:
        """What was published to one topic."""
        return [record for record in self.records if record.topic == topic]

    def ids(self, topic: str) -> list[str]:
        """The `ce_id`s published to one topic, in order."""
        return [from_headers(record.headers).id for record in self.of(topic)]


class MemoryConsumer:
    """One topic and the group's position in it, with the calls that the runner makes."""

    def __init__(self, topic: str, partitions: int = 1) -> None:
        self.topic = topic
        self.records: dict[int, list[MemoryRecord]] = {n: [] for n in range(partitions)}
        self.positions: dict[int, int] = dict.fromkeys(range(partitions), 0)
        self.begins: dict[int, int] = dict.fromkeys(range(partitions), 0)
        self.ends: dict[int, int] = dict.fromkeys(range(partitions), 0)
        self.open_transactions: dict[int, int] = {}
        """By partition, the offset from which a reader of committed records may not read."""
        self.commits: list[dict[int, int]] = []
        self.paused: set[int] = set()
        self.id = "memory-topic"
        self.not_held = 0
        self._handed_out: dict[int, int] = {}

    def append(self, record: OutgoingRecord, partition: int = 0) -> None:
        """Produce to a partition."""
        offset = self.ends[partition]
        self.ends[partition] = offset + 1
        self.records[partition].append(
            MemoryRecord(
                self.topic, partition, offset, record.key, record.value, list(record.headers)
            )
        )

    def mark(self, offsets: int = 1, partition: int = 0) -> None:
        """Offsets without a record: a transaction's marker, or what compaction took."""
        self.ends[partition] += offsets

    def expire(self, begin: int, partition: int = 0) -> None:
        """Drop what lies before `begin`, as retention does."""
        self.begins[partition] = begin
        kept = [record for record in self.records[partition] if record.offset >= begin]
        self.records[partition] = kept

    def poll(self, at_most: int = 5_000) -> list[MemoryRecord]:
        """The next records of all partitions that are not paused."""
        polled: list[MemoryRecord] = []
        self._handed_out = {}
        for number, log in self.records.items():
            if number in self.paused:
                continue
            position, stable = self.positions[number], self._stable(number)
            first = bisect_left(log, position, key=lambda record: record.offset)
            some = [r for r in log[first : first + at_most] if r.offset < stable]
            if some:
                self._handed_out[number] = some[-1].offset + 1
            is_all = first + len(some) == len(log) or len(some) < at_most
            reached = stable if is_all else some[-1].offset + 1
            self.positions[number] = max(position, reached)
            polled += some
        return polled

    @property
    def committed_offsets(self) -> dict[int, int]:
        """The last committed offset of each partition."""
        merged: dict[int, int] = {}
        for commit in self.commits:
            merged.update(commit)
        return merged

    def where(self, place: TopicPartition) -> tuple[int | None, int]:
        """See `shared.kafka.log_consumer.LogConsumer`."""
        return self.positions[place.partition], self._handed_out.get(place.partition, 0)

    def log_end(self, place: TopicPartition) -> int:
        """See the port."""
        return self.ends[place.partition]

    async def topic_id(self, topic: str) -> str:
        """See the port."""
        return self.id

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """See the port."""
        return set(self.ends) if topic == self.topic else None

    def refresh(self) -> None:
        """See the port."""

    async def unheld(self, topic: str) -> int:
        """See the port."""
        return self.not_held

    async def committed(self, partition: TopicPartition) -> int | None:
        """As aiokafka's."""
        return self.committed_offsets.get(partition.partition)

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """As aiokafka's."""
        return {p: self._stable(p.partition) for p in partitions}

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """As aiokafka's."""
        return {p: self.begins[p.partition] for p in partitions}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """As aiokafka's, with explicit offsets only."""
        self.commits.append({p.partition: offset for p, offset in offsets.items()})

    def pause(self, *partitions: TopicPartition) -> None:
        """As aiokafka's."""
        self.paused.update(p.partition for p in partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """As aiokafka's."""
        self.paused.difference_update(p.partition for p in partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """As aiokafka's."""
        self.positions[partition.partition] = offset

    def _stable(self, number: int) -> int:
        return min(self.ends[number], self.open_transactions.get(number, self.ends[number]))


def record_of(
    event: Event, event_id: str, source: str = "/test", *, traceparent: str = ""
) -> OutgoingRecord:
    """The record that a producer would make of an event."""
    envelope = Envelope(event_id, source, type(event).__name__, event.occurred_at, traceparent)
    return OutgoingRecord(event.topic, event.key.encode(), event.to_json(), to_headers(envelope))


async def feed(
    handler: Handler[Any],
    store: GuardedStore,
    publisher: MemoryPublisher,
    events: Iterable[tuple[str, Event]],
    *,
    batch: int = 5_000,
    topic: str = "fan-events.v1",
    service: str = "test",
) -> MemoryConsumer:
    """Run a handler over (id, event) pairs, as its service does, and wait until all is committed.

    Args:
        handler: what is tested.
        store: keeps the documents; pass the same again to continue after a «crash».
        publisher: receives announcements and dead letters.
        events: (`ce_id`, event) in the order of the log.
        batch: records a delivery.
        topic: the topic that the handler consumes.
        service: names group and dead-letter topic.

    Returns:
        The consumer, with its commits.
    """
    consumer = MemoryConsumer(topic)
    for event_id, event in events:
        consumer.append(record_of(event, event_id))
    runner: Runner[Any] = Runner(
        handler,
        store,
        MemoryPartitionBooks(),
        publisher,
        observer=SilentObserver(),
        service=service,
        topic=topic,
        epoch="memory",
    )
    await drive(runner, consumer, batch=batch)
    return consumer


async def drive(runner: Runner[Any], consumer: MemoryConsumer, *, batch: int = 5_000) -> None:
    """Deliver everything there is to the runner, then drain and stop it."""
    runner.assignment.consumer = lambda: consumer
    await runner.start()
    await runner.assignment.on_partitions_assigned(
        {TopicPartition(consumer.topic, number) for number in consumer.records}
    )
    while records := consumer.poll(batch):
        await runner.handle(records, consumer)
        await runner.assignment.before_read()
    await runner.stop()
