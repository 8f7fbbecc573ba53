"""The producer: `acks=all`, a bounded wait, no idempotence.

An idempotent aiokafka producer never expires a batch and can hang on `stop` (measured with 0.14),
so it can't keep a promise of seconds. A plain one may write a record twice when it retries; every
consumer drops the second by its `ce_id`. One request per partition is in flight, so order holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.errors import TransientError
from shared.kafka.deadlines import Deadlines
from shared.kafka.partitioner import choose_partition
from shared.kafka.ports import OutgoingRecord, RecordTooLargeError
from shared.kafka.security import OPEN, LogSecurity

DEADLINE_S = 2.5
"""Longest wait for an acknowledgement: ingest must answer within 3 s."""
MAX_REQUEST_BYTES = 2 * 1_048_576
MAX_BATCH_BYTES = 131_072
STOP_S = 5.0
BATCH_FROM = 16
"""Records at once from which filling batches is worth its start."""

Acknowledged = asyncio.Future[Any]


class KafkaPublisher:
    """Produces records with `acks=all`; unacknowledged ones raise within `deadline_s`.

    Args:
        bootstrap_servers: `host:port`, comma separated.
        topic_prefix: put before every topic's name, so that deployments can share a log.
        client_id: shown in the broker's logs.
        deadline_s: see `publish`.
        security: how the log knows us.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topic_prefix: str = "",
        client_id: str = "fan-engagement",
        deadline_s: float = DEADLINE_S,
        security: LogSecurity = OPEN,
    ) -> None:
        self._settings: dict[str, Any] = {
            "bootstrap_servers": bootstrap_servers,
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": False,
            "linger_ms": 0,  # batches form by themselves while one request is in flight
            "request_timeout_ms": round(deadline_s * 1000),
            "retry_backoff_ms": 50,
            "metadata_max_age_ms": 30_000,
            "max_request_size": MAX_REQUEST_BYTES,
            "max_batch_size": MAX_BATCH_BYTES,
            "partitioner": choose_partition,
            **security.options,
        }
        self._prefix = topic_prefix
        self._deadline_s = deadline_s
        self._deadlines = Deadlines(deadline_s)
        self._numbers: dict[str, list[int]] = {}
        """The partitions of each topic that was written to."""
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect; raises `TransientError` while no broker answers."""
        producer = AIOKafkaProducer(**self._settings)
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise TransientError("no broker answers; check the bootstrap servers") from error
        self._producer = producer

    async def stop(self) -> None:
        """Send what is buffered, at most `STOP_S` seconds, and disconnect."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(producer.stop(), STOP_S)
            self._deadlines.stop()

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """See `shared.kafka.ports.Publisher`."""
        producer = self._producer
        if producer is None:
            raise TransientError("the producer is not connected")
        try:
            if len(records) == 1 and records[0].topic in self._numbers:
                began = time.monotonic()
                acknowledged = await self._send(producer, records[0])  # waits for room: its timeout
                self._deadlines.watch(acknowledged, began)
                await acknowledged
                return
            async with asyncio.timeout(self._deadline_s):
                if len(records) < BATCH_FROM:
                    waiting = [await self._send(producer, record) for record in records]
                else:
                    waiting = await self._send_batches(producer, records)
                results = await asyncio.gather(*waiting, return_exceptions=True)
        except (KafkaError, OSError, TimeoutError) as error:
            raise _failure(records, error) from error
        for result in results:
            if isinstance(result, BaseException):
                raise _failure(records, result) from result

    async def _send(self, producer: AIOKafkaProducer, record: OutgoingRecord) -> Acknowledged:
        numbers = self._numbers.get(record.topic) or await self._learn(producer, record.topic)
        partition = record.partition
        if partition is None:
            partition = choose_partition(record.key, numbers, ())
        acknowledged: Acknowledged = await producer.send(
            self._prefix + record.topic,
            record.value,
            record.key,
            partition,
            headers=record.headers,
        )
        return acknowledged

    async def _learn(self, producer: AIOKafkaProducer, topic: str) -> list[int]:
        """A topic's partitions; they never change, see `docs/events.md`."""
        numbers = sorted(await producer.partitions_for(self._prefix + topic))
        self._numbers[topic] = numbers
        return numbers

    async def _send_batches(
        self, producer: AIOKafkaProducer, records: Sequence[OutgoingRecord]
    ) -> list[Acknowledged]:
        """Fill batches ourselves: a record costs a third of what it costs through `send`."""
        filling: dict[tuple[str, int], BatchBuilder] = {}
        waiting: list[Acknowledged] = []
        for record in records:
            topic = self._prefix + record.topic
            numbers = self._numbers.get(record.topic) or await self._learn(producer, record.topic)
            partition = record.partition
            if partition is None:
                partition = choose_partition(record.key, numbers, ())
            batch = filling.get((topic, partition))
            if batch is None:
                batch = filling[topic, partition] = producer.create_batch()
            if _append(batch, record):
                continue
            if batch.record_count():
                waiting.append(await producer.send_batch(batch, topic, partition=partition))
            batch = filling[topic, partition] = producer.create_batch()
            if not _append(batch, record):  # larger than a batch: it goes alone
                waiting.append(await self._send(producer, record))
                filling[topic, partition] = producer.create_batch()
        for (topic, partition), batch in filling.items():
            if batch.record_count():
                waiting.append(await producer.send_batch(batch, topic, partition=partition))
        return waiting

    async def reachable(self) -> bool:
        """Whether the log answered a metadata request just now."""
        if self._producer is None:
            return False
        try:
            async with asyncio.timeout(1.0):
                return bool(await self._producer.client.fetch_all_metadata())
        except (KafkaError, OSError, TimeoutError):
            return False


def _failure(records: Sequence[OutgoingRecord], error: BaseException) -> TransientError:
    """What a failure is for the caller: a record that fills a batch alone is refused for itself."""
    too_large = isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError)
    if too_large and len(records) == 1 and len(records[0].value or b"") > MAX_BATCH_BYTES:
        return RecordTooLargeError("larger than the log accepts")
    return TransientError(f"not acknowledged: {type(error).__name__}")


def _append(batch: BatchBuilder, record: OutgoingRecord) -> bool:
    added = batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
    return added is not None
