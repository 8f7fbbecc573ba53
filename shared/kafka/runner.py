"""The one consumer of this project: batches in, guarded documents and announcements out.

A batch goes: parse, prepare, decide, set dead letters aside, write, follow up, announce. Then the
next batch begins while the announcements of this one are on their way; offsets are committed in
order, when everything before them is through. To retry or to stop a partition the runner pauses
it, goes back to the first record that is not done, and returns.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from typing import Generic, TypeVar

from shared.errors import DeadLetterReason, TransientError
from shared.kafka.assignment import Assignment
from shared.kafka.fold import OutboxFullError
from shared.kafka.group_books import GroupBooks
from shared.kafka.handler import Handler
from shared.kafka.log_consumer import LogConsumer
from shared.kafka.partition import Partition
from shared.kafka.ports import Publisher
from shared.kafka.processing import (
    Batch,
    DeadLetterTopicError,
    Processor,
    TooManyDeadLettersError,
)
from shared.kafka.records import RawRecord
from shared.kafka.writer import CACHED_DOCUMENTS, DocumentWriter
from shared.observe.observer import Observer, PauseReason
from shared.retry import RetryPolicy
from shared.store.ports import GuardedStore, PartitionBooks

MAX_IN_FLIGHT = 4
"""Batches of a partition whose announcements may be on their way."""
WAIT_S = 1.0
"""Longest wait inside a batch for something that is nearly done; beyond it, pause."""
RETRY = RetryPolicy(first_delay_s=0.1, max_delay_s=5.0)

S = TypeVar("S")


class Runner(Generic[S]):
    """Runs one handler over one topic in one consumer group, `<service>.<topic>`.

    Args:
        handler: decides.
        store: the handler's documents.
        books: durable counts of skipped records and of offsets without one.
        publisher: for announcements and dead letters.
        observer: is told what happens.
        service: names the group, the source of announcements and the dead-letter topic.
        topic: without the deployment's prefix.
        epoch: names the incarnation of the log.
        cached_documents: see `DocumentWriter`.
    """

    def __init__(
        self,
        handler: Handler[S],
        store: GuardedStore,
        books: PartitionBooks,
        publisher: Publisher,
        *,
        observer: Observer,
        service: str,
        topic: str,
        epoch: str,
        cached_documents: int = CACHED_DOCUMENTS,
    ) -> None:
        self.group = f"{service}.{topic}"
        self.topic = topic
        self.writer: DocumentWriter[S] = DocumentWriter(
            handler,
            store,
            publisher,
            source=f"/{service}",
            group=self.group,
            observer=observer,
            cached_documents=cached_documents,
        )
        group_books = GroupBooks(books, group=self.group, epoch=epoch, topic=topic)
        self._processor = Processor(
            handler,
            self.writer,
            group_books,
            publisher,
            observer,
            service=service,
            topic=topic,
            epoch=epoch,
        )
        self._observer = observer
        self._busy_since: float | None = None
        self.assignment = Assignment(
            group=self.group,
            topic=topic,
            books=group_books,
            observer=observer,
            relay=self.writer.relay,
            forget=self.writer.forget,
        )

    async def start(self) -> None:
        """Begin to commit and to tidy; call before the broker starts to deliver."""
        await self.writer.start()
        self.assignment.start()

    async def stop(self, drain_s: float = 5.0) -> None:
        """Finish what is on its way, commit, and take no more; call before the broker stops."""
        await self.assignment.drain(drain_s)
        await self.writer.stop(drain_s)
        await self.assignment.stop()

    def stuck_s(self) -> float:
        """Seconds since this runner made progress while there was work; 0 while all is well."""
        busy = time.monotonic() - self._busy_since if self._busy_since is not None else 0.0
        return max(busy, self.assignment.silent_s())

    def stopped_partitions(self) -> list[int]:
        """Partitions that need a person: see `Observer.partition_stopped`."""
        return [p.number for p in self.assignment.partitions.values() if p.stopped]

    def troubles(self) -> set[str]:
        """Kinds of what keeps it from reading on; empty while all is well."""
        found: set[str] = {
            p.stopped for p in self.assignment.partitions.values() if p.stopped is not None
        }
        if self.assignment.lookout.is_left_out:
            found.add("no_partition")
        return found

    async def handle(self, records: Iterable[RawRecord], consumer: LogConsumer) -> None:
        """Take one delivery. Never raises: what fails is retried from its first record."""
        by_partition: dict[int, list[RawRecord]] = {}
        number, group = -1, []
        for record in records:  # a partition's records come together
            if record.partition != number:
                number = record.partition
                group = by_partition.setdefault(number, [])
            group.append(record)
        with self.assignment.busy() as accepted:
            if not accepted:
                return  # partitions are changing hands: these come again
            self._busy_since = time.monotonic()
            try:
                accepted_partitions = await self._accept(by_partition, consumer)
                # While one partition was waited for, others may have changed hands.
                partitions = {
                    partition.number: partition
                    for partition in accepted_partitions
                    if self.assignment.owns(partition)
                }
                if partitions:
                    batch = {number: by_partition[number] for number in partitions}
                    await self._attempt(batch, partitions, consumer)
            finally:
                self._busy_since = None

    async def _accept(
        self, by_partition: dict[int, list[RawRecord]], consumer: LogConsumer
    ) -> list[Partition]:
        """Leave out partitions that are not ready, stopped, or too far ahead of the log."""
        accepted: list[Partition] = []
        held = dict(self.assignment.partitions)
        for number, records in by_partition.items():
            partition = held.get(number)
            # While others were waited for, it may have changed hands: these records are not of the
            # new assignment, which begins elsewhere.
            if partition is None or not self.assignment.owns(partition):
                continue
            if partition.paused or partition.stopped:
                self.assignment.hold(partition, consumer, records[0].offset)
                continue
            if partition.ready is not None and not partition.ready.done():
                await asyncio.wait({partition.ready}, timeout=WAIT_S)
            if partition.stopped:
                self.assignment.hold(partition, consumer, records[0].offset)
                continue
            if partition.ready is None or not partition.ready.done():
                self._pause([partition], {number: records}, consumer, "store")
                continue
            partition.advance()
            if len(partition.in_flight) >= MAX_IN_FLIGHT:
                await asyncio.wait({partition.in_flight[0][1]}, timeout=WAIT_S)
                partition.advance()
            if len(partition.in_flight) >= MAX_IN_FLIGHT:
                self._pause([partition], {number: records}, consumer, "log")
                continue
            accepted.append(partition)
        return accepted

    async def _attempt(
        self,
        records: dict[int, list[RawRecord]],
        partitions: dict[int, Partition],
        consumer: LogConsumer,
    ) -> None:
        began = time.monotonic()
        while records:
            reason: PauseReason = "store"
            failure: Exception
            try:
                batch, through = await self._processor.process(records, partitions)
            except TooManyDeadLettersError as limit:
                self._stop(partitions[limit.partition], records, limit.index)
                continue
            except OutboxFullError as error:
                reason, failure = "outbox_full", error
            except DeadLetterTopicError as error:
                reason, failure = "dead_letter_topic", error
            except TransientError as error:
                failure = error
            except Exception as error:  # noqa: BLE001 -- our mistake must not lose a record
                reason, failure = "handler", error
            else:
                self._finish(batch, partitions, through, began)
                return
            self._observer.failure(self.group, reason, failure)
            self._pause(partitions.values(), records, consumer, reason)
            return

    def _stop(
        self,
        partition: Partition,
        records: dict[int, list[RawRecord]],
        index: int,
    ) -> None:
        """Leave the partition before the record at `index`; what came before it still counts."""
        offset = records[partition.number][index].offset
        self.assignment.stop_at(partition, offset, "too_many_dead_letters")
        records[partition.number] = records[partition.number][:index]
        if not index:
            del records[partition.number]

    def _pause(
        self,
        partitions: Iterable[Partition],
        records: dict[int, list[RawRecord]],
        consumer: LogConsumer,
        reason: PauseReason,
    ) -> None:
        """Go back to the first record and try again after a while that grows with the failures."""
        for partition in partitions:
            if partition.number not in records:
                continue
            partition.failures += 1
            self.assignment.pause(
                partition,
                consumer,
                records[partition.number][0].offset,
                RETRY.delay_s(partition.failures, random.random()),
                reason,
            )

    def _finish(
        self,
        batch: Batch,
        partitions: dict[int, Partition],
        through: asyncio.Future[None],
        began: float,
    ) -> None:
        now = time.monotonic()
        counts: dict[DeadLetterReason, int] = {}
        for error in batch.dead.values():
            counts[error.reason] = counts.get(error.reason, 0) + 1
        for number, records in batch.records.items():
            partition = partitions[number]
            partition.limit.remember(batch.outcomes(number, records))
            partition.failures = 0
            partition.newest_ms = records[-1].timestamp or 0
            partition.progress(records[-1].offset + 1, now)
            partition.in_flight.append((partition.seen, through))
        through.add_done_callback(lambda _: self.assignment.wake())
        folds = batch.folds.values()
        self._observer.batch_done(
            self.group,
            applied=sum(f.applied for f in folds),
            duplicates=sum(f.duplicates for f in folds),
            skipped=sum(len(offsets) for offsets in batch.skipped.values()),
            redelivered=sum(f.redelivered for f in folds),
            dead_lettered=counts,
            seconds=now - began,
        )
