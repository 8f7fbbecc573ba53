"""The partitions of one consumer: getting ready, pausing, committing, handing over."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared.errors import TransientError
from shared.kafka.footing import Footing
from shared.kafka.group_books import GroupBooks
from shared.kafka.log_consumer import LogConsumer
from shared.kafka.lookout import Lookout
from shared.kafka.partition import Partition
from shared.kafka.reading import Reading
from shared.observe.observer import Observer, PauseReason, StopReason
from shared.retry import RetryPolicy

COMMIT_EVERY_S = 0.25
"""An awaited commit takes about 6 ms on Kafka 4, and writes down what was skipped: by time, beside
the next batch."""
COMMIT_AGAIN_S = 1.0
"""After a commit that failed."""
RETRY = RetryPolicy(first_delay_s=0.1, max_delay_s=5.0)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Listens to the group and keeps one `Partition` for each that is assigned.

    It is its consumer's `ReadListener`, too.

    Args:
        group: the consumer group.
        topic: without prefix; `topic_with_prefix` is set when the consumer is known.
        books: the group's.
        observer: is told.
        relay: announces what a crash left of (topic, partitions).
        forget: drops copies in memory when partitions change hands.
    """

    def __init__(
        self,
        *,
        group: str,
        topic: str,
        books: GroupBooks,
        observer: Observer,
        relay: Callable[[str, list[int]], Awaitable[int]],
        forget: Callable[[], None],
    ) -> None:
        self.partitions: dict[int, Partition] = {}
        self.topic_with_prefix = topic
        self.drain_s = 3.0
        """Half the rebalance timeout; set by `subscribe`."""
        self.consumer: Callable[[], LogConsumer | None] = lambda: None
        self._group = group
        self._topic = topic
        self._books = books
        self._observer = observer
        self._relay = relay
        self._forget = forget
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

        def connected() -> LogConsumer | None:
            return self.consumer()

        def name() -> str:
            return self.topic_with_prefix

        self.lookout = Lookout(group, self, observer, connected, name)
        self._footing = Footing(group, books, self, observer, connected)
        reading = Reading(group, books, observer, self, connected, name)
        self.before_read = reading.before_read
        self.not_readable = reading.not_readable
        self.not_asked = reading.not_asked
        self.group_failed = reading.group_failed

    def start(self) -> None:
        """Begin to commit and to measure lag."""
        self._tasks = [
            asyncio.create_task(self._commit_forever()),
            asyncio.create_task(self.lookout.run()),
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

    def find_again(self, partition: Partition, place: TopicPartition) -> None:
        """Find anew where the group stands, when the log has nothing at the position any more."""
        partition.ready = asyncio.create_task(self._make_ready(partition, place, again=True))

    async def _begin_again(self, partition: Partition) -> None:
        """Read again from the group's offset, as after an assignment: this one is void.

        What is at work on it goes on, and counts for nothing.
        """
        consumer = self.consumer()
        place = TopicPartition(self.topic_with_prefix, partition.number)
        if consumer is None:
            return
        try:
            committed = await consumer.committed(place)
            if partition.stopped or not self.owns(partition):
                return
            consumer.seek(place, partition.start if committed is None else committed)
            consumer.resume(place)  # it may have been paused: nobody else resumes it
        except (IllegalStateError, KafkaError) as error:  # the next try to commit comes here again
            self._observer.failure(self._group, "assignment", error)
            return
        fresh = self.partitions[partition.number] = Partition(partition.number)
        self._forget()
        fresh.ready = asyncio.create_task(self._make_ready(fresh, place))

    async def _make_ready(
        self, partition: Partition, topic_partition: TopicPartition, *, again: bool = False
    ) -> None:
        attempt = 0
        while True:
            try:
                await self._footing.find(partition, topic_partition)
                if not partition.stopped and not again:
                    await self._relay(self._topic, [partition.number])
            except Exception as error:  # noqa: BLE001 -- it must not read on without its books
                self._observer.failure(self._group, "assignment", error)
                partition.wait(time.monotonic())  # who waits for the store is not silent
                attempt += 1
                await asyncio.sleep(RETRY.delay_s(attempt, random.random()))
            else:
                return

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
        for last in (self.commit, self._remember):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(last(), max(0.1, deadline - time.monotonic()))

    async def _remember(self) -> None:
        """Keep in the books how far each partition came: the log forgets a group that is away."""
        for partition in self.partitions.values():
            if not partition.stopped and partition.committed > partition.books_from >= 0:
                try:
                    await self._books.count(partition, partition.committed)
                except TransientError as error:
                    self._observer.failure(self._group, "books", error)
                    return

    def pause(
        self,
        partition: Partition,
        consumer: LogConsumer,
        offset: int,
        seconds: float,
        reason: PauseReason,
    ) -> None:
        """Go back to `offset` and deliver again after `seconds`."""
        partition.paused = True
        if reason != "handler":  # a dependency is away: who waits for it is not silent
            partition.wait(time.monotonic())
        self._observer.partition_paused(self._group, partition.number, reason)
        self.hold(partition, consumer, offset)
        asyncio.get_running_loop().call_later(seconds, self._resume, partition)

    def hold(self, partition: Partition, consumer: LogConsumer, offset: int) -> None:
        """Deliver no more of the partition, and the record at `offset` next when it goes on.

        A batch may outlive its assignment: it must not pause or move the next one.
        """
        if not self.owns(partition):
            return
        topic_partition = TopicPartition(self.topic_with_prefix, partition.number)
        with contextlib.suppress(IllegalStateError):  # it was taken away meanwhile
            consumer.pause(topic_partition)
            consumer.seek(topic_partition, offset)

    def stop_at(self, partition: Partition, offset: int, reason: StopReason) -> None:
        """Deliver no more of it until a restart, which goes on with the record at `offset`."""
        if partition.stopped or not self.owns(partition):
            return
        partition.stopped = reason
        self._observer.partition_stopped(self._group, partition.number, reason)
        consumer = self.consumer()
        if consumer is not None:
            self.hold(partition, consumer, offset)

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

    def silent_s(self) -> float:
        """The longest time for which a partition has had records to read and none was."""
        now = time.monotonic()
        return max((p.silent_s(now) for p in self.partitions.values()), default=0.0)

    async def commit(self) -> None:
        """Commit what is done, in order. A lost partition's offset is its new owner's to commit."""
        consumer = self.consumer()
        if consumer is None:
            return
        ready = [
            p
            for p in self.partitions.values()
            # Offsets mean nothing in a log that went backwards, nor beside another's books.
            if p.stopped != "log_went_backwards"
            and not (p.stopped and p.is_disowned)
            and p.advance() > p.committed
        ]
        if not ready:
            return
        self._observer.step(self._group, "announced")
        offsets = {p.number: p.done for p in ready}  # before the books: what they say is enough
        saved = await asyncio.gather(*(self._save_books(partition) for partition in ready))
        booked = [partition for partition, is_saved in zip(ready, saved, strict=True) if is_saved]
        if not booked:
            return
        self._observer.step(self._group, "booked")
        try:
            await consumer.commit(
                {
                    TopicPartition(self.topic_with_prefix, p.number): offsets[p.number]
                    for p in booked
                }
            )
        except (CommitFailedError, IllegalStateError, KafkaError) as error:
            self._observer.failure(self._group, "commit", error)
            # No batch may come for long, and after a restart all of it would be read again.
            asyncio.get_running_loop().call_later(COMMIT_AGAIN_S, self.wake)
            return
        self._observer.step(self._group, "committed")
        for partition in booked:
            partition.committed = offsets[partition.number]
            self._observer.committed(self._group, partition.number, partition.committed)

    async def _save_books(self, partition: Partition) -> bool:
        """Write down what a commit would hide from whoever reads next; whether it is written."""
        try:
            await self._books.save(partition)
        except TransientError as error:
            self._observer.failure(self._group, "books", error)
            asyncio.get_running_loop().call_later(COMMIT_AGAIN_S, self.wake)
            if partition.is_disowned:
                await self._begin_again(partition)
            return False
        return True

    async def _commit_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.commit()
            await asyncio.sleep(COMMIT_EVERY_S)
