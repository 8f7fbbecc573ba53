"""Looks now and then, beside the reading, how far the log goes and whether it is still the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiokafka import TopicPartition

from shared.kafka.log_consumer import LogConsumer
from shared.kafka.partition import PartitionsHeld
from shared.observe.observer import Observer

LOOK_EVERY_S = 5.0
NO_PARTITION_S = 60.0
"""A consumer that holds no partition for this long, though one is to be had, does not work."""


class Lookout:
    """Measures lag, partition by partition, and stops what reads from another log than before.

    Args:
        group: the consumer group.
        held: the partitions of the consumer.
        observer: is told.
        consumer: answers the connected consumer.
        topic: answers the topic's name with its prefix.
    """

    def __init__(
        self,
        group: str,
        held: PartitionsHeld,
        observer: Observer,
        consumer: Callable[[], LogConsumer | None],
        topic: Callable[[], str],
    ) -> None:
        self.is_left_out = False
        """Whether it has held no partition for long, though not all are held."""
        self._group = group
        self._held = held
        self._observer = observer
        self._consumer = consumer
        self._topic = topic
        self._empty_since: float | None = None

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 -- who looks no more would see no silence
                for partition in self._held.partitions.values():
                    partition.wait(time.monotonic())  # who waits for the log is not silent
                self._observer.failure(self._group, "lag", error)

    async def look(self) -> None:
        """Look once.

        Raises:
            KafkaError: the log does not answer.
        """
        consumer = self._consumer()
        if consumer is None:
            return
        if not self._held.partitions:
            await self._look_for_partitions(consumer)
            return
        self._empty_since, self.is_left_out = None, False
        # Before the log is asked: what is read meanwhile must not look like more than it has.
        expected = {n: p.next_offset for n, p in self._held.partitions.items()}
        topic = self._topic()
        topic_id = await consumer.topic_id(topic)
        ends = await consumer.end_offsets([TopicPartition(topic, number) for number in expected])
        now, now_ms = time.monotonic(), time.time() * 1000
        for place, end in ends.items():
            partition = self._held.partitions.get(place.partition)
            if partition is None:
                continue
            is_another_topic = bool(partition.topic_id and topic_id not in {"", partition.topic_id})
            if partition.is_ready and (is_another_topic or end < expected[place.partition]):
                self._held.stop_at(partition, partition.next_offset, "log_went_backwards")
                continue
            partition.look(max(end, consumer.log_end(place)), end, now)
            self._observer.lag(self._group, place.partition, *partition.lag(now, now_ms))

    async def _look_for_partitions(self, consumer: LogConsumer) -> None:
        now = time.monotonic()
        if self._empty_since is None:
            self._empty_since = now
        consumer.refresh()  # a topic that was made again is joined soon
        if now - self._empty_since >= NO_PARTITION_S:
            self.is_left_out = await consumer.unheld(self._topic()) != 0
