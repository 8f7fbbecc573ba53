"""The way of a push: check, understand, publish, and only then say yes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.ingest.domain.incoming import Incoming
from services.ingest.domain.refusals import Refusal
from services.ingest.ports import Door, Request
from shared.errors import TransientError
from shared.events import TOPICS
from shared.events.envelope import to_headers
from shared.kafka.ports import OutgoingRecord, Publisher, RecordTooLargeError

_ENVELOPE_BYTES: Final = 4_096
"""Room for a record's key and headers, and for what the log writes around a batch."""
MOST_VALUE_BYTES: Final = TOPICS["fan-events.v1"].max_message_bytes - _ENVELOPE_BYTES


@dataclass(frozen=True, slots=True)
class Taken:
    """The log has acknowledged the push's event."""

    incoming: Incoming


async def receive_push(
    door: Door, request: Request, publisher: Publisher, now: float
) -> Taken | Refusal:
    """Take a push.

    A push that came before is published again under the same id: then a sender that lost our
    answer gets it, and consumers, who know the id, apply the event once.

    Returns:
        Taken after the log has acknowledged with `acks=all`; a refusal where nothing was
        published, or, as `log_unavailable`, where nobody acknowledged in time. An event that is
        larger than the log accepts is refused for good: it would not get smaller.
    """
    incoming = door.read(request, now)
    if isinstance(incoming, Refusal):
        return incoming
    record = to_record(incoming)
    if len(record.value or b"") > MOST_VALUE_BYTES:
        return Refusal.EVENT_TOO_LARGE
    try:
        await publisher.publish((record,))
    except RecordTooLargeError:
        return Refusal.EVENT_TOO_LARGE
    except TransientError:
        return Refusal.LOG_UNAVAILABLE
    return Taken(incoming)


def to_record(incoming: Incoming) -> OutgoingRecord:
    """Return the record of an event, keyed by its fan."""
    event = incoming.event
    return OutgoingRecord(
        topic=event.topic,
        key=event.key.encode(),
        value=event.to_json(),
        headers=to_headers(incoming.envelope()),
    )
