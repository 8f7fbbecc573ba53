"""Puts dead letters back into their topic, with their old ids, after the cause is mended.

    python -m shared.kafka.replay fan-events.v1 segmenter [--reason handler_raised] [--dry-run]

What is put back has a new offset and its old `ce_id`: a consumer that has applied it meanwhile
drops it as a duplicate. Progress is kept for each reason, in the group
`replay.<dead-letter topic>.<reason>`, after the log acknowledged: a replay that breaks off goes on
where it was, and one reason's replay leaves the others for later.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.errors import DeadLetterReason, TransientError
from shared.events import TOPICS, dead_letter_topic
from shared.kafka.deadletters import original
from shared.kafka.ports import OutgoingRecord, Publisher
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.security import OPEN, LogSecurity
from shared.kafka.topics import partitions_of
from shared.settings import LogSettings, exit_on_bad_settings, load_settings

READ_AT_ONCE = 500
DEADLINE_S = 20.0
POLL_MS = 2_000
STUCK_S = 30.0
"""Longest wait for the next record, which is known to be there."""


async def replay(
    bootstrap_servers: str,
    topic: str,
    service: str,
    *,
    topic_prefix: str = "",
    reasons: frozenset[str] = frozenset(),
    dry_run: bool = False,
    security: LogSecurity = OPEN,
) -> Counter[str]:
    """Put back what lies in `<topic>.<service>.dlq`; answers how many of which reason.

    Args:
        bootstrap_servers: the log.
        topic: where the dead letters came from.
        service: whose dead letters.
        topic_prefix: of the deployment.
        reasons: only these; empty for all.
        dry_run: only count; nothing is produced or committed.
        security: how the log knows us.

    Raises:
        TransientError: the log did not take a record, or gave none of those it has; call again.
    """
    source = dead_letter_topic(topic, service)
    publisher = KafkaPublisher(
        bootstrap_servers,
        topic_prefix=topic_prefix,
        client_id="replay",
        deadline_s=DEADLINE_S,
        security=security,
    )
    counts: Counter[str] = Counter()
    partitions = [
        TopicPartition(topic_prefix + source, number)
        for number in await partitions_of(
            bootstrap_servers, topic_prefix + source, security=security
        )
    ]
    if not partitions:
        return counts
    await publisher.start()
    try:
        for reason in sorted(reasons or DeadLetterReason):
            consumer = AIOKafkaConsumer(
                bootstrap_servers=bootstrap_servers,
                group_id=f"{topic_prefix}replay.{source}.{reason}",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                **security.options,
            )
            await consumer.start()
            try:
                consumer.assign(partitions)
                found = await _put_back(consumer, publisher, topic, reason, dry_run=dry_run)
            finally:
                await consumer.stop()
            if found:
                counts[str(reason)] = found
    finally:
        await publisher.stop()
    return counts


async def _put_back(
    consumer: AIOKafkaConsumer, publisher: Publisher, topic: str, reason: str, *, dry_run: bool
) -> int:
    # What fails again comes back behind the end as it was: it waits for the next replay.
    ends = await consumer.end_offsets(consumer.assignment())
    found = 0
    for partition, end in ends.items():
        moved_at, position = time.monotonic(), -1
        while (at := await consumer.position(partition)) < end:
            if at != position:
                moved_at, position = time.monotonic(), at
            elif time.monotonic() - moved_at > STUCK_S:
                raise TransientError(
                    f"{partition.topic}/{partition.partition} could not be read to its end: "
                    f"nothing came for {STUCK_S:g} s at offset {at} of {end}"
                )
            batch = await consumer.getmany(partition, timeout_ms=POLL_MS, max_records=READ_AT_ONCE)
            records = [r for r in batch.get(partition, []) if r.offset < end]
            if not records:  # not yet, or only markers, which move the position
                continue
            letters = [
                original(topic, _outgoing(topic, record))
                for record in records
                if dict(record.headers).get("dlq_reason") == reason.encode()
            ]
            found += len(letters)
            if not dry_run:
                await publisher.publish(letters)
                await consumer.commit({partition: records[-1].offset + 1})
    return found


def _outgoing(topic: str, record: Any) -> OutgoingRecord:
    return OutgoingRecord(topic, record.key, record.value, list(record.headers))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(prog="python -m shared.kafka.replay")
    parser.add_argument("topic", choices=sorted(TOPICS))
    parser.add_argument("service", choices=["ingest", "segmenter", "notifier", "sentiment"])
    parser.add_argument("--reason", action="append", default=[], choices=list(DeadLetterReason))
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument(
        "--bootstrap-servers", default=os.environ.get("FAN_KAFKA_BOOTSTRAP_SERVERS", "")
    )
    parser.add_argument("--topic-prefix", default=os.environ.get("FAN_TOPIC_PREFIX", ""))
    wanted = parser.parse_args(arguments)
    if not wanted.bootstrap_servers:
        parser.error("set FAN_KAFKA_BOOTSTRAP_SERVERS or --bootstrap-servers")
    with exit_on_bad_settings():
        access = load_settings(LogSettings, kafka_bootstrap_servers=wanted.bootstrap_servers)
        security = LogSecurity.of(access)
    try:
        counts = asyncio.run(
            replay(
                wanted.bootstrap_servers,
                wanted.topic,
                wanted.service,
                topic_prefix=wanted.topic_prefix,
                reasons=frozenset(wanted.reason),
                dry_run=wanted.dry_run,
                security=security,
            )
        )
    except TransientError as error:
        sys.stderr.write(f"replay: {error}; nothing is lost, call it again\n")
        return 1
    for reason, count in sorted(counts.items()):
        sys.stdout.write(f"{reason}\t{count}\n")
    sys.stdout.write(f"{'found' if wanted.dry_run else 'put back'}\t{counts.total()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
