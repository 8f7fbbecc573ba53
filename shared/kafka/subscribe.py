"""The shell around a runner: a FastStream batch subscriber that hands over raw records.

FastStream parses nothing here. Its own batch parser decodes every header as UTF-8 and raises for
the whole batch, and a typed payload that fails validation is committed unseen (measured, 0.7.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared.kafka.consumer import PartitionConsumer
from shared.kafka.runner import Runner
from shared.kafka.security import OPEN, LogSecurity

POLL_MS = 1
"""FastStream sleeps this long between two calls that came to nothing; they wait by themselves."""
FETCH_WAIT_MS = 50
"""A partition that was just read waits for the fetch under way, which the broker holds this long
when the other partitions are still. (Measured, webhook to tag at 200 a second: p99 0.27 s; with 200
and a poll of 50: 0.53 s.) An idle consumer waits longer, see `shared.kafka.consumer`."""


METADATA_MAX_AGE_MS = 30_000
"""A topic that is made anew, or gets partitions, is noticed after this long at the latest."""


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """How a consumer behaves in its group; times in milliseconds."""

    topic_prefix: str = ""
    max_records: int = 5_000
    session_timeout_ms: int = 10_000
    rebalance_timeout_ms: int = 10_000


def subscribe(broker: KafkaBroker, runner: Runner[Any], settings: ConsumerSettings) -> None:
    """Subscribe the runner to its topic, one member of the group `<prefix><service>.<topic>`."""
    topic = settings.topic_prefix + runner.topic
    assignment = runner.assignment
    subscriber = broker.subscriber(
        topic,
        batch=True,
        group_id=settings.topic_prefix + runner.group,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="none",  # `Footing` says where to begin, and tells what was lost
        isolation_level="read_committed",
        max_records=settings.max_records,
        batch_timeout_ms=POLL_MS,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=4 * 1_048_576,
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=max(100, settings.session_timeout_ms // 6),
        rebalance_timeout_ms=settings.rebalance_timeout_ms,
        listener=assignment,
        parser=_untouched,
        decoder=_raw_records,
    )
    assignment.topic_with_prefix = topic
    assignment.drain_s = settings.rebalance_timeout_ms / 2000
    assignment.consumer = lambda: subscriber.consumer

    @subscriber
    async def deliver(records: Any) -> None:
        if subscriber.consumer is not None:
            await runner.handle(records, subscriber.consumer)


def make_broker(
    bootstrap_servers: str, *, client_id: str, security: LogSecurity = OPEN
) -> KafkaBroker:
    """A broker that neither creates topics, nor converts payloads, nor logs by itself."""
    return _Broker(
        bootstrap_servers.split(","),  # FastStream takes one string for one server
        client_id=client_id,
        apply_types=False,
        logger=None,
        allow_auto_create_topics=False,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        security=security.faststream,
    )


async def _untouched(message: Sequence[Any]) -> KafkaMessage:
    return KafkaMessage(body=b"", raw_message=tuple(message), consumer=_NO_CONSUMER)


async def _raw_records(message: KafkaMessage) -> Any:
    return message.raw_message


class _Broker(KafkaBroker):
    """Makes consumers that read each partition by itself."""

    async def _connect(self) -> Any:
        builder = cast("partial[Any]", await super()._connect())
        config = self.config.broker_config
        config.builder = partial(PartitionConsumer, *builder.args, **builder.keywords)
        return config.builder


class _NoConsumer:
    """FastStream acknowledges nothing here, so its consumer handle stays unused."""

    async def commit(self) -> None:
        raise NotImplementedError("the runner commits explicit offsets")

    def seek(self, partition: Any, offset: int) -> None:
        raise NotImplementedError("the runner seeks")


_NO_CONSUMER = _NoConsumer()
