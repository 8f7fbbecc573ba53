"""What FastStream is told: raw batches, no commits of its own, one group a service and topic."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from faststream import AckPolicy

from shared.kafka.runner import Runner
from shared.kafka.subscribe import ConsumerSettings, subscribe
from shared.testing.memory_log import MemoryPublisher
from shared.testing.memory_store import MemoryGuardedStore, MemoryPartitionBooks
from shared.testing.silent_observer import SilentObserver
from tests.support.counting_handler import CountingHandler


class FakeBroker:
    """Keeps what a subscriber was asked for."""

    def subscriber(self, topic: str, **options: Any) -> Any:
        self.topic, self.options = topic, options

        def subscriber(handler: Any) -> Any:
            return handler

        subscriber.consumer = None  # type: ignore[attr-defined]  # as FastStream's has before its start
        return subscriber


def test_a_runner_is_subscribed_so_that_nothing_is_committed_without_it() -> None:
    runner: Runner[Any] = Runner(
        CountingHandler(),
        MemoryGuardedStore(),
        MemoryPartitionBooks(),
        MemoryPublisher(),
        observer=SilentObserver(),
        service="test",
        topic="fan-events.v1",
        epoch="1",
    )
    broker = FakeBroker()
    asked = ConsumerSettings(topic_prefix="p.", rebalance_timeout_ms=8_000)
    subscribe(broker, runner, asked)  # type: ignore[arg-type]  # a fake
    told = SimpleNamespace(**broker.options)
    assert broker.topic == "p.fan-events.v1"
    assert told.group_id == "p.test.fan-events.v1"
    assert told.ack_policy is AckPolicy.MANUAL
    assert told.auto_offset_reset == "none"  # no position is guessed: what is lost is told
    assert told.isolation_level == "read_committed"
    assert told.batch
    assert told.max_records == 5_000
    assert told.listener is runner.assignment
    assert told.rebalance_timeout_ms == 8_000
    assert runner.assignment.drain_s <= 4.0  # half of it, at most
