"""One raw record into a fact: envelope, type, value. Pure; an error says why it is set aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from shared.errors import DeadLetterReason, PermanentError
from shared.events import EVENT_TYPES, Event
from shared.events.envelope import MAX_ID_BYTES
from shared.kafka.handler import Fact

ATTRIBUTES = ("ce_id", "ce_source", "ce_specversion", "ce_subject", "ce_time", "ce_type")
"""What may be named in an error's text; a foreign header's name might say anything."""
MAX_SOURCES = 1_000
"""Sources remembered; a flood of made-up ones must not fill the memory."""


class RawRecord(Protocol):
    """What is used of a consumer's record."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None
    """When its producer made it, in milliseconds since the epoch; -1 or None where unknown."""
    key: Any
    value: Any
    headers: Any


class FactReader:
    """Reads the records of one topic for one handler.

    Args:
        topic: the topic's name without the deployment's prefix.
        types: the events that the handler wants.
        compacted: whether the log keeps only the last record of each key: then a key without a
            value is a tombstone.
    """

    def __init__(
        self, topic: str, types: frozenset[type[Event]], *, compacted: bool = False
    ) -> None:
        self._topic = topic
        self._compacted = compacted
        self._sources: dict[bytes, str] = {}
        """Few sources write many records: each is decoded once."""
        self._wanted: Mapping[bytes, Any] = {
            name.encode(): model.__pydantic_validator__.validate_json
            for name, model in EVENT_TYPES.items()
            if model in types
        }

    def read(self, record: RawRecord) -> Fact | None:
        """The fact in the record; None where its type is unknown or not wanted, or for a tombstone.

        Raises:
            PermanentError: envelope or value are not what they must be. The text never quotes them.
        """
        if record.value is None:
            if record.key is None:
                raise _bad_envelope("the record has neither key nor value")
            if self._compacted:
                return None
        headers = dict(record.headers)
        if None in headers.values():
            _refuse_null_attributes(headers)
        event_type = headers.get("ce_type")
        if event_type is None or headers.get("ce_specversion") != b"1.0":
            raise _bad_envelope("no CloudEvents 1.0 headers on the record")
        validate = self._wanted.get(event_type)
        if validate is None:
            return None
        try:
            event_id = headers["ce_id"].decode()
            raw_source = headers["ce_source"]
            source = self._sources.get(raw_source) or self._learn_source(raw_source)
        except KeyError as error:
            raise _bad_envelope(f"header {error.args[0]} is missing") from error
        except UnicodeDecodeError as error:
            raise _bad_envelope("a ce_ header is not UTF-8") from error
        if not 0 < len(event_id) <= MAX_ID_BYTES:
            raise _bad_envelope("ce_id needs 1 to 256 characters")
        try:
            event = validate(record.value or b"")
        except ValidationError as error:
            raise PermanentError(DeadLetterReason.INVALID_EVENT, _where(error)) from None
        return Fact(
            event,
            event_id,
            source,
            self._topic,
            record.partition,
            record.offset,
            headers.get("traceparent") or b"",
        )

    def _learn_source(self, raw: bytes) -> str:
        source = raw.decode()
        if not 0 < len(source) <= MAX_ID_BYTES:
            raise _bad_envelope("ce_source needs 1 to 256 characters")
        if len(self._sources) < MAX_SOURCES:
            self._sources[raw] = source
        return source


def _refuse_null_attributes(headers: Mapping[str, bytes | None]) -> None:
    """An attribute of the envelope without a value says nothing; a header of others may."""
    for name, raw in headers.items():
        if raw is None and name.startswith("ce_"):
            known = name if name in ATTRIBUTES else "of an extension"
            raise _bad_envelope(f"header {known} has no value")


def _bad_envelope(detail: str) -> PermanentError:
    return PermanentError(DeadLetterReason.INVALID_ENVELOPE, detail)


def _where(error: ValidationError) -> str:
    """Field and kind of the first mistake, without the value: values are fans' words."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "value"
    return f"{place}: {first['type']}"
