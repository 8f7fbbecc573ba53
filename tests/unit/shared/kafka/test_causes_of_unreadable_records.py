"""Why a record can't be read: named where reading it again never helps."""

from __future__ import annotations

import cramjam
import pytest
from aiokafka.codec import lz4_decode, snappy_decode, zstd_decode
from aiokafka.errors import (
    CorruptRecordException,
    KafkaConnectionError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
)

from shared.kafka.reading import cause_of


def raised_by(error: Exception, cause: Exception) -> Exception:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


NOT_UTF8 = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (UnsupportedCodecError("Unknown compression codec 0x05"), "unknown_codec"),
        (NOT_UTF8, "header_not_utf8"),
        (raised_by(CorruptRecordException("x"), NOT_UTF8), "header_not_utf8"),
        (CorruptRecordException("Invalid CRC"), "corrupt_batch"),
        (ValueError("varint is too long"), "corrupt_batch"),
        (EOFError(), "corrupt_batch"),
        (KafkaConnectionError(), None),
        (TopicAuthorizationFailedError("t"), None),
    ],
)
def test_a_cause_is_named_unless_reading_may_succeed_later(
    error: Exception, cause: str | None
) -> None:
    assert cause_of(error) == cause


@pytest.mark.parametrize("decode", [snappy_decode, lz4_decode, zstd_decode])
def test_what_does_not_unpack_is_a_corrupt_batch(decode: object) -> None:
    assert callable(decode)
    with pytest.raises((cramjam.DecompressionError, ValueError, OSError)) as caught:
        decode(b"\x00no codec made this")
    assert cause_of(caught.value) == "corrupt_batch"
