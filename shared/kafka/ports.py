"""The log as writers and the runner see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiokafka import TopicPartition

from shared.events.envelope import Headers


@dataclass(slots=True)  # not frozen: one is made for every event, in a third of the time
class OutgoingRecord:
    """A record to produce; `topic` without the deployment's prefix. Never changed."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None


class Publisher(Protocol):
    """Produces with `acks=all`."""

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """Return when all are acknowledged, in the order given within a partition.

        Raises:
            TransientError: not all were acknowledged within the publisher's deadline. Some may
                still arrive; producing them again has the same ids.
        """


class LogConsumer(Protocol):
    """What the runner asks of its consumer; `shared.kafka.consumer` and a fake implement it."""

    async def committed(self, partition: TopicPartition) -> int | None:
        """The group's offset; None where it has none, or none any more."""

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """The first offset that the log still has."""

    async def end_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """The offset up to which a reader may read now: an open transaction is an end, too."""

    def log_end(self, place: TopicPartition) -> int:
        """The end of the log when it was last read from, beyond open transactions; -1 if never."""

    def where(self, place: TopicPartition) -> tuple[int | None, int]:
        """(position, the offset behind the last record of the last delivery, or 0)."""

    async def topic_id(self, topic: str) -> str:
        """Names this very topic, with its prefix; empty where the log has no such names."""

    async def unheld(self, topic: str) -> int:
        """How many partitions of the topic no member of the group holds; -1 for no topic."""

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commit these offsets and no others."""

    def pause(self, *partitions: TopicPartition) -> None:
        """Deliver nothing of these."""

    def resume(self, *partitions: TopicPartition) -> None:
        """Deliver again."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Deliver from this offset next."""
