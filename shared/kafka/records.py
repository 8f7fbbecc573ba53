"""One raw record into a fact: envelope, type, value. Pure; an error says why it is set aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from shared.errors import DeadLetterReason, PermanentError
from shared.events import EVENT_TYPES, Event
from shared.events.envelope import MAX_ID_BYTES
from shared.kafka.handler import Fact

MAX_SOURCES = 1_000
"""Sources remembered; a flood of made-up ones must not fill the memory."""


class RawRecord(Protocol):
    """What is used of a consumer's record."""

    topic: str
    partition: int
    offset: int
    key: Any
    value: Any
    headers: Any


class FactReader:
    """Reads the records of one topic for one handler.

    Args:
        topic: the topic's name without the deployment's prefix.
        types: the events that the handler wants.
    """

    def __init__(self, topic: str, types: frozenset[type[Event]]) -> None:
        self._topic = topic
        self._sources: dict[bytes, str] = {}
        """Few sources write many records: each is decoded once."""
        self._wanted: Mapping[bytes, Any] = {
            name.encode(): model.__pydantic_validator__.validate_json
            for name, model in EVENT_TYPES.items()
            if model in types
        }

    def read(self, record: RawRecord) -> Fact | None:
        """The fact in the record; None where its type is unknown or not wanted.

        Raises:
            PermanentError: envelope or value are not what they must be. The text never quotes them.
        """
        headers = dict(record.headers)
        event_type = headers.get("ce_type")
        if event_type is None or headers.get("ce_specversion") != b"1.0":
            raise PermanentError(
                DeadLetterReason.INVALID_ENVELOPE, "no CloudEvents 1.0 headers on the record"
            )
        validate = self._wanted.get(event_type)
        if validate is None:
            return None
        try:
            event_id = headers["ce_id"].decode()
            raw_source = headers["ce_source"]
            source = self._sources.get(raw_source) or self._learn_source(raw_source)
            raw_trace = headers.get("traceparent")
            traceparent = raw_trace.decode() if raw_trace else ""
        except KeyError as error:
            raise PermanentError(
                DeadLetterReason.INVALID_ENVELOPE, f"header {error.args[0]} is missing"
            ) from error
        except UnicodeDecodeError as error:
            raise PermanentError(
                DeadLetterReason.INVALID_ENVELOPE, "a ce_ header is not UTF-8"
            ) from error
        if not 0 < len(event_id) <= MAX_ID_BYTES:
            raise PermanentError(
                DeadLetterReason.INVALID_ENVELOPE, "ce_id needs 1 to 256 characters"
            )
        try:
            event = validate(record.value or b"")
        except ValidationError as error:
            raise PermanentError(DeadLetterReason.INVALID_EVENT, _where(error)) from None
        return Fact(
            event, event_id, source, self._topic, record.partition, record.offset, traceparent
        )

    def _learn_source(self, raw: bytes) -> str:
        source = raw.decode()
        if not 0 < len(source) <= MAX_ID_BYTES:
            raise PermanentError(
                DeadLetterReason.INVALID_ENVELOPE, "ce_source needs 1 to 256 characters"
            )
        if len(self._sources) < MAX_SOURCES:
            self._sources[raw] = source
        return source


def _where(error: ValidationError) -> str:
    """Field and kind of the first mistake, without the value: values are fans' words."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "value"
    return f"{place}: {first['type']}"
