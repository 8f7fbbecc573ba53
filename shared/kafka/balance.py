"""Do the books balance? Adds up, from durable numbers, what became of every record of a group.

After a drain: applied + duplicates (kept in the documents) + skipped and offsets without a record
(both kept for each partition) + distinct origins in the dead-letter topic = end - start offset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.events import dead_letter_topic
from shared.kafka.security import OPEN, LogSecurity
from shared.kafka.topics import partitions_of
from shared.store.client import Database
from shared.store.mongo import transient

READ_AT_ONCE = 5_000
QUIET_S = 10.0
"""Longest wait for the next record of a topic whose end is known."""


@dataclass(frozen=True, slots=True)
class Balance:
    """The books of one group, summed over its partitions."""

    group: str
    applied: int
    duplicates: int
    skipped: int
    without_record: int
    """Offsets that hold no record for a reader; see `PartitionBooks`."""
    dead_lettered: int
    records: int
    """End offsets minus where the group began."""
    waiting: int
    """Announcements still in outboxes."""

    @property
    def balanced(self) -> bool:
        """Whether every record is accounted for, once."""
        found = self.applied + self.duplicates + self.skipped + self.without_record
        return found + self.dead_lettered == self.records


async def balance(
    database: Database,
    *,
    bootstrap_servers: str,
    topic_prefix: str,
    epoch: str,
    service: str,
    topic: str,
    collection: str,
    loop: str,
    security: LogSecurity = OPEN,
) -> Balance:
    """Add up one group's books; call when nothing is on its way.

    Args:
        database: the service's.
        bootstrap_servers: the log.
        topic_prefix: of the deployment.
        epoch: the incarnation of the log to add up.
        service: of the group.
        topic: without prefix.
        collection: where the group's documents are.
        loop: the name of their bookkeeping.
        security: how the log knows us.
    """
    group = f"{service}.{topic}"
    applied, duplicates, waiting = await _documents(database, collection, loop, epoch, topic)
    starts: dict[int, int] = {}
    skipped = without = 0
    with transient("adding up the books"):
        async for book in database["books"].find({"group": group, "epoch": epoch, "topic": topic}):
            starts[book["partition"]] = book["start"]
            skipped += book["skipped"]
            without += book.get("without_record", 0)  # books of an older version have none
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, enable_auto_commit=False, **security.options
    )
    await consumer.start()
    try:
        name = topic_prefix + topic
        ends = await _ends(consumer, name, starts)
        records = sum(ends[number] - start for number, start in starts.items())
        letters = topic_prefix + dead_letter_topic(topic, service)
        numbers = await partitions_of(bootstrap_servers, letters, security=security)
        dead = await _dead_origins(consumer, [TopicPartition(letters, n) for n in numbers])
    finally:
        await consumer.stop()
    return Balance(group, applied, duplicates, skipped, without, len(dead), records, waiting)


async def _documents(
    database: Database, collection: str, loop: str, epoch: str, topic: str
) -> tuple[int, int, int]:
    applied = duplicates = waiting = 0
    field = f"l.{loop}"
    with transient("adding up documents"):
        async for document in database[collection].find({field: {"$exists": True}}, {field: 1}):
            book = document["l"][loop]
            waiting += len(book["out"])
            for mark in book["at"]:
                if mark["e"] == epoch and mark["t"] == topic:
                    applied += mark["n"]
                    duplicates += mark["d"]
    return applied, duplicates, waiting


async def _ends(
    consumer: AIOKafkaConsumer, topic: str, partitions: Iterable[int]
) -> dict[int, int]:
    wanted = [TopicPartition(topic, number) for number in partitions]
    if not wanted:
        return {}
    return {tp.partition: end for tp, end in (await consumer.end_offsets(wanted)).items()}


async def _dead_origins(
    consumer: AIOKafkaConsumer, wanted: Sequence[TopicPartition]
) -> set[tuple[bytes, bytes]]:
    if not wanted:
        return set()
    ends = await consumer.end_offsets(wanted)
    consumer.assign(wanted)
    await consumer.seek_to_beginning(*wanted)
    origins: set[tuple[bytes, bytes]] = set()
    async with asyncio.timeout(QUIET_S):
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            batches = await consumer.getmany(timeout_ms=500, max_records=READ_AT_ONCE)
            for records in batches.values():
                for record in records:
                    headers = dict(record.headers)
                    origins.add((headers["dlq_partition"], headers["dlq_offset"]))
    return origins
