"""A replay commits what the log has acknowledged, and in a dry run nothing."""

from __future__ import annotations

from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer

from shared.errors import TransientError
from shared.kafka import replay
from shared.testing.memory_log import MemoryPublisher
from tests.unit.shared.kafka.test_replay_of_a_slow_log import PLACE, REASON, Letter, SlowConsumer

OTHER = (("dlq_reason", b"too_old_to_tell"),)


async def put_back(
    consumer: SlowConsumer, publisher: MemoryPublisher, *, dry_run: bool = False
) -> int:
    return await replay._put_back(
        cast("AIOKafkaConsumer", consumer), publisher, "fan-events.v1", REASON, dry_run=dry_run
    )


async def test_a_log_that_does_not_take_the_letters_leaves_them_uncommitted() -> None:
    consumer, publisher = SlowConsumer([[Letter(0)], [Letter(1)]], 2, 0.0), MemoryPublisher()
    publisher.failures = [TransientError("away")]
    with pytest.raises(TransientError, match="away"):
        await put_back(consumer, publisher)
    assert consumer.committed == {}
    assert publisher.records == []


async def test_what_went_before_a_failure_is_committed_and_no_more() -> None:
    consumer = SlowConsumer([[Letter(0)], [Letter(1), Letter(2)]], 3, 0.0)

    class Second(MemoryPublisher):
        async def publish(self, records: object) -> None:
            if self.records:
                raise TransientError("away")
            await super().publish(records)  # type: ignore[arg-type] # passed on

    publisher = Second()
    with pytest.raises(TransientError):
        await put_back(consumer, publisher)
    assert len(publisher.records) == 1
    assert consumer.committed == {PLACE: 1}


async def test_a_dry_run_counts_and_neither_publishes_nor_commits() -> None:
    consumer = SlowConsumer([[Letter(0), Letter(1)], [Letter(2)]], 3, 0.0)
    publisher = MemoryPublisher()
    assert await put_back(consumer, publisher, dry_run=True) == 3
    assert publisher.records == []
    assert consumer.committed == {}


async def test_letters_of_another_reason_are_passed_over_and_committed() -> None:
    consumer = SlowConsumer([[Letter(0), Letter(1, headers=OTHER)]], 2, 0.0)
    publisher = MemoryPublisher()
    assert await put_back(consumer, publisher) == 1
    assert len(publisher.records) == 1
    assert consumer.committed == {PLACE: 2}


async def test_a_letter_that_came_after_the_replay_began_waits_for_the_next_one() -> None:
    consumer = SlowConsumer([[Letter(0), Letter(1), Letter(2)]], 2, 0.0)
    publisher = MemoryPublisher()
    assert await put_back(consumer, publisher) == 2
    assert consumer.committed == {PLACE: 2}
