"""The log as the runner sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from aiokafka import TopicPartition


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

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """The numbers of a topic's partitions, with its prefix; None while nobody knows."""

    def refresh(self) -> None:
        """Look at the topic anew, soon: it may be another one by now."""

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
