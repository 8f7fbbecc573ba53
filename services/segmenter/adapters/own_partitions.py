"""Which fans' events this process reads, as its consumer and the log's partitioner say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from shared.errors import TransientError
from shared.kafka.partition import Partition
from shared.kafka.partitioner import choose_partition
from shared.kafka.runner import Runner


class OwnPartitions:
    """See `services.segmenter.ports.FanPartitions`.

    Args:
        runner: reads the fans' events.
    """

    def __init__(self, runner: Runner[Any]) -> None:
        self._assignment = runner.assignment
        self._every: Sequence[int] = ()

    def any(self) -> bool:
        """See the port."""
        return bool(self._assignment.partitions)

    def of(self, key: str) -> int | None:
        """See the port. Where the log puts the next event of the fan is the log's own choice."""
        if not self._every:  # partitions are never added to a live topic
            consumer = self._assignment.consumer()
            if consumer is None:
                return None
            numbers = consumer.partitions_for_topic(self._assignment.topic_with_prefix)
            self._every = sorted(numbers or ())
            if not self._every:
                return None
        number = choose_partition(key.encode(), self._every, ())
        return number if number in self._assignment.partitions else None

    async def applied(self, numbers: Collection[int]) -> set[int]:
        """See the port."""
        consumer = self._assignment.consumer()
        if consumer is None:
            return set()
        topic = self._assignment.topic_with_prefix
        try:
            ends = await consumer.end_offsets([TopicPartition(topic, number) for number in numbers])
        except (KafkaError, IllegalStateError, OSError) as error:
            raise TransientError("the log does not say where it ends") from error
        # By now a partition may be another process's: then it is asked about in vain, no more.
        partitions = self._assignment.partitions
        return {
            where.partition
            for where, end in ends.items()
            if where.partition in partitions and _is_applied(partitions[where.partition], end)
        }


def _is_applied(partition: Partition, end: int) -> bool:
    """Whether all before `end` is durable. Nobody knows what a stopped partition holds."""
    return partition.is_ready and partition.stopped is None and partition.next_offset >= end
