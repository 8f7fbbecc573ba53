"""The way of a push: check, understand, publish, and only then say yes."""

from __future__ import annotations

from dataclasses import dataclass

from services.ingest.domain.incoming import Incoming
from services.ingest.domain.refusals import Refusal
from services.ingest.ports import Door, Request
from shared.errors import TransientError
from shared.events.envelope import to_headers
from shared.kafka.ports import OutgoingRecord, Publisher


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
        published, or, as `log_unavailable`, where nobody acknowledged in time.
    """
    incoming = door.read(request, now)
    if isinstance(incoming, Refusal):
        return incoming
    try:
        await publisher.publish((to_record(incoming),))
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
