"""Dead letters: a record that can't be processed, with its bytes, origin and reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.errors import PermanentError
from shared.events import dead_letter_topic
from shared.kafka.ports import OutgoingRecord

PREFIX = "dlq_"
"""Headers of ours on a dead letter: dlq_topic, dlq_partition, dlq_offset, dlq_reason, …"""


def dead_letter(
    *,
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
    service: str,
    error: PermanentError,
) -> OutgoingRecord:
    """The record to produce to `<topic>.<service>.dlq`; key, value and headers are as they came.

    Only a record with neither key nor value gets an empty value: aiokafka produces no such record.
    """
    if key is None and value is None:
        value = b""
    kept: list[Any] = [(name, raw) for name, raw in headers if not name.startswith(PREFIX)]
    origin = {
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
        "service": service,
        "reason": error.reason.value,
        "detail": error.detail[:200],
    }
    kept += [(PREFIX + name, text.encode()) for name, text in origin.items()]
    return OutgoingRecord(dead_letter_topic(topic, service), key, value, kept)


def original(topic: str, dead: OutgoingRecord) -> OutgoingRecord:
    """What is put back into `topic` when a dead letter is replayed: the record with its old id."""
    headers = [(name, raw) for name, raw in dead.headers if not name.startswith(PREFIX)]
    return OutgoingRecord(topic, dead.key, dead.value, headers)
