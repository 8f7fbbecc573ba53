"""The partitions of one consumer: getting ready, pausing, committing, handing over."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared.errors import TransientError
from shared.kafka.partition import Partition
from shared.observe.observer import Observer, PauseReason
from shared.retry import RetryPolicy
from shared.store.ports import PartitionBooks

COMMIT_EVERY_S = 0.1
"""An awaited commit takes about 6 ms on Kafka 4: by time, beside the next batch."""
COMMIT_AGAIN_S = 1.0
"""After a commit that failed."""
LOOK_EVERY_S = 5.0
"""How often lag is measured and silence is looked for."""
RETRY = RetryPolicy(first_delay_s=0.1, max_delay_s=5.0)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Listens to the group and keeps one `Partition` for each that is assigned.

    Args:
        group: the consumer group.
        topic: without prefix; `subscribed_topic` is set when the consumer is known.
        epoch: the incarnation of the log.
        books: see `PartitionBooks`.
        observer: is told.
        relay: announces what a crash left of (topic, partitions).
        forget: drops copies in memory when partitions change hands.
    """

    def __init__(
        self,
        *,
        group: str,
        topic: str,
        epoch: str,
        books: PartitionBooks,
        observer: Observer,
        relay: Callable[[str, list[int]], Awaitable[int]],
        forget: Callable[[], None],
    ) -> None:
        self.partitions: dict[int, Partition] = {}
        self.topic_with_prefix = topic
        self.drain_s = 3.0
        """Half the rebalance timeout; set by `subscribe`."""
        self.consumer: Callable[[], AIOKafkaConsumer[Any, Any] | None] = lambda: None
        self._group = group
        self._topic = topic
        self._epoch = epoch
        self._books = books
        self._observer = observer
        self._relay = relay
        self._forget = forget
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._moved_at = self._tried_at = time.monotonic()

    def start(self) -> None:
        """Begin to commit and to measure lag."""
        self._tasks = [
            asyncio.create_task(self._commit_forever()),
            asyncio.create_task(self._look_forever()),
        ]

    async def stop(self) -> None:
        """End the tasks; what is not committed is delivered again."""
        for partition in self.partitions.values():
            if partition.ready is not None:
                partition.ready.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- the group's changes ------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Finish what is on its way, for at most half the rebalance timeout, then let go."""
        if revoked:
            await self.drain(self.drain_s)
        for partition in self.partitions.values():
            if partition.ready is not None:
                partition.ready.cancel()
            self._observer.partition_revoked(self._group, partition.number)
        self.partitions = {}
        self._forget()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Make each partition ready beside the group's own work: it must not wait for the store."""
        self.partitions = {}
        for topic_partition in assigned:
            partition = Partition(topic_partition.partition)
            partition.ready = asyncio.create_task(self._make_ready(partition, topic_partition))
            self.partitions[partition.number] = partition
        self._draining = False
        self._moved_at = time.monotonic()

    async def _make_ready(self, partition: Partition, topic_partition: TopicPartition) -> None:
        attempt = 0
        while True:
            try:
                await self._look_back(partition, topic_partition)
                if not partition.stopped:
                    await self._relay(self._topic, [partition.number])
            except Exception as error:  # noqa: BLE001 -- it must not read on without its books
                self._observer.failure(self._group, "assignment", error)
                attempt += 1
                await asyncio.sleep(RETRY.delay_s(attempt, random.random()))
            else:
                return

    async def _look_back(self, partition: Partition, topic_partition: TopicPartition) -> None:
        """Find where the group is, and stop where the log ends before that: it is another log."""
        consumer = self.consumer()
        if consumer is None:
            raise TransientError("the consumer is not connected")
        committed = await consumer.committed(topic_partition)
        end = (await consumer.end_offsets([topic_partition]))[topic_partition]
        begin = (await consumer.beginning_offsets([topic_partition]))[topic_partition]
        books_from, start = await self._books.load(
            self._group, self._epoch, self._topic, partition.number
        )
        if max(committed or 0, books_from) > end:
            partition.stopped = "log_went_backwards"
            self._observer.partition_stopped(self._group, partition.number, partition.stopped)
            return
        if books_from < 0:
            start = committed if committed is not None else begin
            await self._books.save(
                self._group,
                self._epoch,
                self._topic,
                partition.number,
                start=start,
                read=-1,
                upto=start,
                skipped=0,
            )
            books_from = start
        partition.books_from, partition.start, partition.end = books_from, start, end
        # Otherwise a partition that is done, whose last records were applied, would look behind.
        partition.seen = committed if committed is not None else start

    # --- one delivery at a time ------------------------------------------------------------------

    @contextlib.contextmanager
    def busy(self) -> Iterator[bool]:
        """While a batch is worked on; yields false while partitions change hands."""
        if self._draining:
            yield False
            return
        self._idle.clear()
        try:
            yield True
        finally:
            self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Take no more; wait for the batch in work and its announcements, then commit."""
        self._draining = True
        deadline = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), max(0.0, deadline - time.monotonic()))
        waiting = [through for p in self.partitions.values() for _, through in p.in_flight]
        if waiting:
            await asyncio.wait(waiting, timeout=max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.commit(), max(0.1, deadline - time.monotonic()))

    def pause(
        self,
        partition: Partition,
        consumer: AIOKafkaConsumer[Any, Any],
        offset: int,
        seconds: float,
        reason: PauseReason,
    ) -> None:
        """Go back to `offset` and deliver again after `seconds`."""
        partition.paused = True
        if reason != "handler":  # a dependency is away: who waits for it is not silent
            self._tried_at = time.monotonic()
        self._observer.partition_paused(self._group, partition.number, reason)
        self.hold(partition, consumer, offset)
        asyncio.get_running_loop().call_later(seconds, self._resume, partition)

    def hold(self, partition: Partition, consumer: AIOKafkaConsumer[Any, Any], offset: int) -> None:
        """Deliver no more of the partition, and the record at `offset` next when it goes on.

        A batch may outlive its assignment: it must not pause or move the next one.
        """
        if not self.owns(partition):
            return
        topic_partition = TopicPartition(self.topic_with_prefix, partition.number)
        with contextlib.suppress(IllegalStateError):  # it was taken away meanwhile
            consumer.pause(topic_partition)
            consumer.seek(topic_partition, offset)

    def owns(self, partition: Partition) -> bool:
        """Whether this very assignment of the partition is still ours."""
        return self.partitions.get(partition.number) is partition

    def _resume(self, partition: Partition) -> None:
        partition.paused = False
        consumer = self.consumer()
        if consumer is None or not self.owns(partition):
            return
        with contextlib.suppress(IllegalStateError):
            consumer.resume(TopicPartition(self.topic_with_prefix, partition.number))
        self._observer.partition_resumed(self._group, partition.number)

    # --- commits and lag -------------------------------------------------------------------------

    def wake(self) -> None:
        """Something may be committed."""
        self._wake.set()

    def progressed(self) -> None:
        """A batch is durable."""
        self._moved_at = time.monotonic()

    def silent_s(self) -> float:
        """Seconds without progress or a try while the log had records for us; else 0."""
        behind = any(
            0 <= max(p.seen, p.books_from) < p.end and not p.stopped and not p.paused
            for p in self.partitions.values()
        )
        return time.monotonic() - max(self._moved_at, self._tried_at) if behind else 0.0

    async def commit(self) -> None:
        """Commit what is done, in order. A lost partition's offset is its new owner's to commit."""
        consumer = self.consumer()
        if consumer is None:
            return
        offsets: dict[TopicPartition, int] = {}
        for partition in self.partitions.values():
            if partition.advance() > partition.committed:
                topic_partition = TopicPartition(self.topic_with_prefix, partition.number)
                offsets[topic_partition] = partition.done
        if not offsets:
            return
        self._observer.step(self._group, "announced")
        try:
            await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError, KafkaError) as error:
            self._observer.failure(self._group, "commit", error)
            # No batch may come for long, and after a restart all of it would be read again.
            asyncio.get_running_loop().call_later(COMMIT_AGAIN_S, self.wake)
            return
        self._observer.step(self._group, "committed")
        for topic_partition, offset in offsets.items():
            done = self.partitions.get(topic_partition.partition)
            if done is not None:
                done.committed = offset
            self._observer.committed(self._group, topic_partition.partition, offset)

    async def _commit_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.commit()
            await asyncio.sleep(COMMIT_EVERY_S)

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._look()
            except (KafkaError, IllegalStateError) as error:
                self._tried_at = time.monotonic()
                self._observer.failure(self._group, "lag", error)

    async def _look(self) -> None:
        consumer = self.consumer()
        if consumer is None or not self.partitions:
            return
        wanted = [TopicPartition(self.topic_with_prefix, number) for number in self.partitions]
        ends = await consumer.end_offsets(wanted)
        for topic_partition, end in ends.items():
            partition = self.partitions.get(topic_partition.partition)
            if partition is None:
                continue
            partition.end = end
            behind = max(0, end - max(partition.seen, partition.books_from, 0))
            age = time.monotonic() - self._moved_at if behind else 0.0
            self._observer.lag(self._group, partition.number, behind, age)
