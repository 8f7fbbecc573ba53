"""A replay reads to the end it saw, however slowly the log gives it, or says that it did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.errors import TransientError
from shared.kafka import replay
from shared.testing.memory_log import MemoryPublisher

PLACE = TopicPartition("fan-events.v1.segmenter.dlq", 0)
REASON = "handler_raised"


@dataclass(frozen=True)
class Letter:
    """A dead letter as a consumer delivers it."""

    offset: int
    key: bytes = b"k"
    value: bytes = b"v"
    headers: Sequence[tuple[str, bytes]] = (("dlq_reason", REASON.encode()),)


class SlowConsumer:
    """Delivers what it is given, one delivery a call; each call lasts `call_s`."""

    def __init__(self, deliveries: Sequence[Sequence[Letter]], end: int, call_s: float) -> None:
        self.now = 0.0
        self.committed: dict[TopicPartition, int] = {}
        self._deliveries = list(deliveries)
        self._end = end
        self._call_s = call_s
        self._position = 0

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    async def end_offsets(self, _places: Any) -> dict[TopicPartition, int]:
        return {PLACE: self._end}

    async def position(self, _place: TopicPartition) -> int:
        return self._position

    async def getmany(self, *_places: Any, **_limits: Any) -> dict[TopicPartition, list[Letter]]:
        self.now += self._call_s
        found = list(self._deliveries.pop(0)) if self._deliveries else []
        if not found:
            return {}
        self._position = found[-1].offset + 1
        return {PLACE: found}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.committed |= offsets


async def put_back(
    consumer: SlowConsumer, publisher: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> int:
    clock = SimpleNamespace(monotonic=lambda: consumer.now)
    monkeypatch.setattr("shared.kafka.replay.time", clock)
    return await replay._put_back(
        cast("AIOKafkaConsumer", consumer), publisher, "fan-events.v1", REASON, dry_run=False
    )


async def test_a_pause_of_the_log_does_not_end_a_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    pause: list[list[Letter]] = [[]] * 5
    consumer = SlowConsumer([[Letter(0)], *pause, [Letter(1)], *pause, [Letter(2)]], 3, 5.0)
    publisher = MemoryPublisher()
    assert await put_back(consumer, publisher, monkeypatch) == 3
    assert len(publisher.records) == 3
    assert consumer.committed == {PLACE: 3}


async def test_a_log_that_gives_nothing_more_is_named_and_what_went_before_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = SlowConsumer([[Letter(0)]], 3, 5.0)
    publisher = MemoryPublisher()
    with pytest.raises(TransientError, match=r"segmenter\.dlq/0 could not be read .* 1 of 3"):
        await put_back(consumer, publisher, monkeypatch)
    assert len(publisher.records) == 1
    assert consumer.committed == {PLACE: 1}
