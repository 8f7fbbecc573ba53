"""Where a group stands in a partition: from the log, the group's offset and the books."""

from __future__ import annotations

from collections.abc import Callable

from aiokafka import TopicPartition

from shared.errors import TransientError
from shared.kafka.group_books import GroupBooks
from shared.kafka.log_consumer import LogConsumer
from shared.kafka.partition import Partition, PartitionsHeld
from shared.observe.observer import Observer


class Footing:
    """Finds where a partition goes on, and stops it where the log is another one.

    Args:
        group: the consumer group.
        books: its books.
        held: stops partitions.
        observer: is told.
        consumer: answers the connected consumer.
    """

    def __init__(
        self,
        group: str,
        books: GroupBooks,
        held: PartitionsHeld,
        observer: Observer,
        consumer: Callable[[], LogConsumer | None],
    ) -> None:
        self._group = group
        self._books = books
        self._held = held
        self._observer = observer
        self._consumer = consumer

    async def find(self, partition: Partition, place: TopicPartition) -> None:
        """Set the partition's offsets, or stop it; again where its position was lost.

        Raises:
            TransientError: the store or the consumer is away.
            KafkaError: the log is away.
        """
        consumer = self._consumer()
        if consumer is None:
            raise TransientError("the consumer is not connected")
        topic_id = await consumer.topic_id(place.topic)
        committed = await consumer.committed(place)
        end = (await consumer.end_offsets([place]))[place]
        begin = (await consumer.beginning_offsets([place]))[place]
        book = await self._books.load(partition.number)
        done = max(-1 if committed is None else committed, partition.seen)
        named = book.topic_id if book is not None else ""
        is_another_topic = bool(named and topic_id and named != topic_id)
        if is_another_topic or max(done, book.upto if book is not None else 0) > end:
            self._held.stop_at(partition, max(done, 0), "log_went_backwards")
            return
        at = max(done, begin)
        partition.topic_id = topic_id
        if book is None:
            await self._books.open(partition.number, at, topic_id)
            partition.books_from = partition.books_saved = partition.start = at
        else:
            if not partition.unsaved:
                partition.books_from = partition.books_saved = book.upto
            partition.start = book.start
            if topic_id and not named:
                await self._books.save(partition, topic_id)
            await self._cross_gap(partition, done, begin)
        partition.readable = partition.end = end
        if 0 <= done < begin:
            partition.pass_over(at)
        else:  # otherwise a partition that is done would look behind until its next record
            partition.seen = at
        position, handed_out = consumer.where(place)
        if position != at and handed_out <= at:  # no position is ever guessed: see `subscribe`
            consumer.seek(place, at)

    async def _cross_gap(self, partition: Partition, done: int, begin: int) -> None:
        """Count what the log dropped before it was read, and tell it once."""
        gap = begin - max(done, partition.books_from)
        if gap > 0:
            await self._books.count(partition, begin, without_record=gap)
            self._observer.records_expired(self._group, partition.number, gap)
