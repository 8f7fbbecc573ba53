"""What reading a partition finds beside records: offsets without one, and what can't be read."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, UnsupportedCodecError

from shared.errors import TransientError
from shared.kafka.consumer import POSITION_ERRORS
from shared.kafka.group_books import GroupBooks
from shared.kafka.log_consumer import LogConsumer
from shared.kafka.partition import Partition, PartitionsHeld
from shared.observe.observer import Observer, StopReason
from shared.retry import RetryPolicy

TRIES = 3
"""What was spoiled on its way is fetched anew; what lies spoiled in the log stays so."""
RETRY = RetryPolicy(first_delay_s=0.1, max_delay_s=5.0)


def cause_of(error: Exception) -> StopReason | None:
    """Why a record can't be read, whoever reads it; None where reading may succeed later."""
    if isinstance(error, UnsupportedCodecError):
        return "unknown_codec"
    if isinstance(error, UnicodeDecodeError) or isinstance(error.__cause__, UnicodeDecodeError):
        return "header_not_utf8"
    if isinstance(error, KafkaError) and not isinstance(error, CorruptRecordException):
        return None
    return "corrupt_batch"


class Reading:
    """Implements `shared.kafka.consumer.ReadListener` for the partitions of one consumer.

    Args:
        group: the consumer group.
        books: its books.
        observer: is told.
        held: what is done with partitions.
        consumer: answers the connected consumer.
        topic: answers the topic's name with its prefix.
    """

    def __init__(
        self,
        group: str,
        books: GroupBooks,
        observer: Observer,
        held: PartitionsHeld,
        consumer: Callable[[], LogConsumer | None],
        topic: Callable[[], str],
    ) -> None:
        self._group = group
        self._books = books
        self._observer = observer
        self._held = held
        self._consumer = consumer
        self._topic = topic

    async def before_read(self) -> bool:
        """Take in the positions: what lies before them was handed out and is done, or is no record.

        Nothing is handed out now, so a position beyond what the runner expects has passed markers,
        aborted records or what compaction took. Answers whether all positions were taken in.
        """
        consumer = self._consumer()
        if consumer is None:
            return False
        is_all = True
        for partition in list(self._held.partitions.values()):
            if partition.paused or partition.stopped:
                continue  # it was put back to what is not done
            if not partition.is_ready:
                is_all = False
                continue
            place = TopicPartition(self._topic(), partition.number)
            position, handed_out = consumer.where(place)
            if position is None or position <= partition.seen:
                continue
            if handed_out > partition.seen:  # a delivery that came to nothing: it comes again
                consumer.seek(place, partition.seen)
            elif not await self._pass_over(partition, position):
                is_all = False
        return is_all

    async def _pass_over(self, partition: Partition, position: int) -> bool:
        now = time.monotonic()
        with self._held.busy() as accepted:
            if not accepted or now < partition.pass_again_at or not self._held.owns(partition):
                return False
            try:
                await self._books.pass_over(partition, position)
            except TransientError as error:
                partition.failures += 1
                delay_s = RETRY.delay_s(partition.failures, random.random())
                partition.pass_again_at = time.monotonic() + delay_s
                partition.wait(time.monotonic())
                self._observer.failure(self._group, "books", error)
                return False
            partition.progress(position, time.monotonic())
            self._held.wake()
            return True

    def not_readable(self, place: TopicPartition, error: Exception) -> None:
        """Try again, or stop this partition alone where trying again can't help."""
        partition = self._held.partitions.get(place.partition)
        consumer = self._consumer()
        if partition is None or consumer is None or partition.stopped:
            return
        is_lost = isinstance(error, POSITION_ERRORS)
        if is_lost and not partition.is_ready:
            return  # it is being found
        partition.unreadable += 1
        if is_lost:
            self._held.find_again(partition, place)
            if partition.unreadable == 1:  # found, it should go on at once
                return
        self._observer.failure(self._group, "read", error)
        position, _ = consumer.where(place)
        if position is None:
            position = max(0, partition.next_offset)
        cause = cause_of(error)
        if cause is not None and partition.unreadable >= TRIES:
            self._held.stop_at(partition, position, cause)
            return
        delay_s = RETRY.delay_s(partition.unreadable, random.random())
        self._held.pause(partition, consumer, position, delay_s, "log")

    def not_asked(self, place: TopicPartition) -> None:
        """Its turn comes: it is not silent."""
        partition = self._held.partitions.get(place.partition)
        if partition is not None:
            partition.wait(time.monotonic())

    def group_failed(self, error: Exception) -> None:
        """Tell; it is tried again."""
        self._observer.failure(self._group, "read", error)
