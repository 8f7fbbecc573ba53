"""What a foreign producer can write: each record is an event, skipped, or set aside by name."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import DeadLetterReason, PermanentError
from shared.events import MenuClicked
from shared.kafka.deadletters import dead_letter
from shared.kafka.records import FactReader
from shared.testing.memory_log import MemoryRecord, record_of
from tests.support.counting_handler import click

TOPIC = "fan-events.v1"
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
GOOD = record_of(click(), "e1")


def record(**changed: Any) -> MemoryRecord:
    fields = {"key": GOOD.key, "value": GOOD.value, "headers": list(GOOD.headers)} | changed
    return MemoryRecord(TOPIC, 0, 7, **fields)


def headers(**changed: bytes | None) -> list[tuple[str, Any]]:
    return list((dict(GOOD.headers) | changed).items())


def reader(*, compacted: bool = False) -> FactReader:
    return FactReader(TOPIC, frozenset({MenuClicked}), compacted=compacted)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (record(headers=headers(ce_id=None)), "header ce_id has no value"),
        (record(headers=headers(ce_source=None)), "header ce_source has no value"),
        (record(headers=headers(ce_type=None)), "header ce_type has no value"),
        (record(headers=headers(ce_specversion=None)), "header ce_specversion has no value"),
        (record(headers=headers(ce_time=None)), "header ce_time has no value"),
        (record(headers=headers(ce_withfansname=None)), "header of an extension has no value"),
        (record(headers=headers(ce_id=b"")), "ce_id needs 1 to 256 characters"),
        (record(headers=headers(ce_source=b"")), "ce_source needs 1 to 256 characters"),
        (record(headers=headers(ce_id=b"\xff")), "a ce_ header is not UTF-8"),
        (record(headers=headers(ce_source=b"\xff")), "a ce_ header is not UTF-8"),
        (record(key=None, value=None), "the record has neither key nor value"),
        (record(key=None, value=None, headers=[]), "the record has neither key nor value"),
        (record(value=None, headers=[]), "no CloudEvents 1.0 headers on the record"),
    ],
)
def test_a_broken_envelope_is_set_aside_with_what_is_wrong_with_it(
    found: MemoryRecord, told: str
) -> None:
    with pytest.raises(PermanentError) as caught:
        reader().read(found)
    assert (caught.value.reason, caught.value.detail) == (DeadLetterReason.INVALID_ENVELOPE, told)


def test_a_header_of_somebody_else_may_be_null() -> None:
    fact = reader().read(record(headers=headers(tenant=None, traceparent=None)))
    assert fact is not None
    assert (fact.id, fact.traceparent) == ("e1", "")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"nonsense",
        TRACE.upper(),
        TRACE[:-1],
        TRACE + b"-more",
        TRACE.replace(b"00-", b"ff-", 1),
        TRACE.replace(b"0af7651916cd43dd8448eb211c80319c", b"0" * 32),
        TRACE.replace(b"b7ad6b7169203331", b"0" * 16),
        b"01-" + TRACE[3:] + b"-" + b"y" * 300,
    ],
)
def test_a_malformed_traceparent_is_ignored_and_the_event_is_good(raw: bytes) -> None:
    fact = reader().read(record(headers=headers(traceparent=raw)))
    assert fact is not None
    assert (fact.event, fact.traceparent) == (click(), "")


@pytest.mark.parametrize("raw", [TRACE, b"01-" + TRACE[3:] + b"-what-comes-later"])
def test_a_good_traceparent_goes_on(raw: bytes) -> None:
    fact = reader().read(record(headers=headers(traceparent=raw)))
    assert fact is not None
    assert fact.traceparent == raw.decode()


@pytest.mark.parametrize("found", [record(value=None), record(value=None, headers=[])])
def test_on_a_compacted_topic_a_key_without_a_value_is_a_tombstone_and_skipped(
    found: MemoryRecord,
) -> None:
    assert reader(compacted=True).read(found) is None
    with pytest.raises(PermanentError):
        reader().read(found)


def test_a_tombstone_needs_a_key_on_a_compacted_topic_too() -> None:
    with pytest.raises(PermanentError) as caught:
        reader(compacted=True).read(record(key=None, value=None))
    assert caught.value.reason is DeadLetterReason.INVALID_ENVELOPE


@pytest.mark.parametrize(
    ("key", "value", "kept"), [(None, None, b""), (b"k", None, None), (None, b"v", b"v")]
)
def test_a_dead_letter_keeps_null_headers_and_can_always_be_produced(
    key: bytes | None, value: bytes | None, kept: bytes | None
) -> None:
    letter = dead_letter(
        topic=TOPIC,
        partition=0,
        offset=7,
        key=key,
        value=value,
        headers=[("tenant", None)],
        service="test",
        error=PermanentError(DeadLetterReason.INVALID_ENVELOPE, "x"),
    )
    assert (letter.key, letter.value) == (key, kept)
    assert dict(letter.headers)["tenant"] is None
