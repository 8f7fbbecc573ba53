"""CloudEvents 1.0 in Kafka's binary content mode: the envelope is in the record's headers.

Source: CloudEvents Kafka protocol binding 1.0, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from shared.errors import DeadLetterReason, PermanentError

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
MAX_ID_BYTES = 256

Headers = list[tuple[str, bytes]]


@dataclass(slots=True)  # not frozen: one is made for every event, in a third of the time
class Envelope:
    """What a consumer needs of an event before it parses the value. Never changed."""

    id: str
    source: str
    """`/platform/account/service` that saw it; ids are unique within one source."""
    type: str
    time: int
    """When it happened, in milliseconds since the epoch."""
    traceparent: str = ""


def to_headers(envelope: Envelope) -> Headers:
    """The headers of a record."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope.id.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_time", format_time(envelope.time).encode()),
        ("content-type", b"application/json"),
    ]
    if envelope.traceparent:
        headers.append(("traceparent", envelope.traceparent.encode()))
    return headers


def from_headers(headers: Iterable[tuple[str, bytes]]) -> Envelope:
    """Read the envelope.

    Raises:
        PermanentError: an attribute is missing or unreadable; the message names it.
    """
    found = dict(headers)
    try:
        if found["ce_specversion"] != b"1.0":
            raise PermanentError(
                DeadLetterReason.INVALID_ENVELOPE, "ce_specversion is not 1.0; send CloudEvents 1.0"
            )
        event_id = found["ce_id"].decode()
        if not 0 < len(event_id) <= MAX_ID_BYTES:
            raise PermanentError(
                DeadLetterReason.INVALID_ENVELOPE, "ce_id must have 1 to 256 characters"
            )
        return Envelope(
            id=event_id,
            source=found["ce_source"].decode(),
            type=found["ce_type"].decode(),
            time=parse_time(found["ce_time"].decode()),
            traceparent=(found.get("traceparent") or b"").decode("ascii", "replace"),
        )
    except KeyError as error:
        raise PermanentError(
            DeadLetterReason.INVALID_ENVELOPE, f"header {error.args[0]} is missing"
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise PermanentError(
            DeadLetterReason.INVALID_ENVELOPE, "a ce_ header is not readable text or time"
        ) from error


def format_time(millis: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    seconds, rest = divmod(millis, 1000)
    return f"{_format_second(seconds)}.{rest:03d}Z"


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset")
    return round(moment.timestamp() * 1000)


@lru_cache(maxsize=1024)
def _format_second(seconds: int) -> str:
    """Cached: events come many to a second, and the formatting costs more than their JSON."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
