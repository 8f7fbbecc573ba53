"""What the log will never take is told apart from what it may take later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, NotEnoughReplicasError

from shared.errors import TransientError
from shared.kafka.ports import OutgoingRecord, RecordTooLargeError
from shared.kafka.publisher import MAX_BATCH_BYTES, KafkaPublisher


class RefusingProducer:
    """Answers every record with one error, at once or when the broker answers."""

    def __init__(self, error: KafkaError, *, at_once: bool) -> None:
        self._error, self._at_once = error, at_once

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    async def send(self, *_arguments: Any, **_more: Any) -> asyncio.Future[Any]:
        if self._at_once:
            raise self._error
        refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        refused.set_exception(self._error)
        return refused


def refusing(error: KafkaError, *, at_once: bool) -> KafkaPublisher:
    publisher = KafkaPublisher("log:9092")
    publisher._producer = RefusingProducer(error, at_once=at_once)
    return publisher


def record(size: int) -> OutgoingRecord:
    return OutgoingRecord("t", b"k", b"v" * size, [])


@pytest.mark.parametrize("at_once", ["before it is sent", ""])
async def test_a_record_that_is_alone_too_large_is_told_as_such(at_once: str) -> None:
    publisher = refusing(MessageSizeTooLargeError(), at_once=bool(at_once))
    for _ in range(2):  # the first also learns the topic's partitions
        with pytest.raises(RecordTooLargeError):
            await publisher.publish([record(MAX_BATCH_BYTES + 1)])


async def test_a_record_is_not_blamed_for_the_batch_it_was_in() -> None:
    publisher = refusing(MessageSizeTooLargeError(), at_once=False)
    for records in ([record(10)], [record(MAX_BATCH_BYTES + 1), record(10)]):
        with pytest.raises(TransientError) as caught:
            await publisher.publish(records)
        assert not isinstance(caught.value, RecordTooLargeError)


async def test_any_other_refusal_is_one_that_passes() -> None:
    publisher = refusing(NotEnoughReplicasError(), at_once=False)
    with pytest.raises(TransientError) as caught:
        await publisher.publish([record(MAX_BATCH_BYTES + 1)])
    assert not isinstance(caught.value, RecordTooLargeError)
