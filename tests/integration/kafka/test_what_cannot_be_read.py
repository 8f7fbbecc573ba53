"""Codecs of any producer are read; what can't be read stops its own partition, and is named."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka.record.util import calc_crc32c

from shared.testing.memory_log import record_of
from tests.support.consumed_topic import ConsumedTopic
from tests.support.counting_handler import click

WAIT_S = 60.0
CODECS = ("gzip", "snappy", "lz4", "zstd")
CRC_AT, ATTRIBUTES_AT = 17, 21


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await condition():
            await asyncio.sleep(0.05)


async def until_clicks(consumed: ConsumedTopic, fan: str, count: int) -> None:
    async def there() -> bool:
        return await consumed.clicks(fan) == count

    await until(there)


@pytest.mark.parametrize("codec", CODECS)
async def test_a_producers_compression_is_read(consumed: ConsumedTopic, codec: str) -> None:
    producer = consumed.producer(**{"compression.type": codec, "linger.ms": 50})
    ids = [f"z{n}" for n in range(20)]
    consumed.produce("a", *ids, producer=producer)
    assert producer.flush(WAIT_S) == 0
    await consumed.start()
    await until_clicks(consumed, "a", 20)
    await consumed.stop()
    assert consumed.observer.failures == []


@pytest.mark.real
@pytest.mark.parametrize("codec", CODECS)
async def test_a_topics_own_compression_is_read(consumed: ConsumedTopic, codec: str) -> None:
    consumed.configure(compression_type=codec)
    consumed.produce("a", *[f"t{n}" for n in range(10)])
    await consumed.start()
    await until_clicks(consumed, "a", 10)
    await consumed.stop()
    assert consumed.observer.failures == []


class NotUtf8(str):
    """A header's name as a broker takes it, too."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        del encoding, errors
        return b"\xff\xfeX"


def unknown_codec(batch: bytearray) -> None:
    batch[ATTRIBUTES_AT + 1] |= 5
    struct.pack_into(">I", batch, CRC_AT, calc_crc32c(batch[ATTRIBUTES_AT:]))


def garbage_of_a_codec(batch: bytearray) -> None:
    batch[ATTRIBUTES_AT + 1] |= 4  # zstd, says the batch
    struct.pack_into(">I", batch, CRC_AT, calc_crc32c(batch[ATTRIBUTES_AT:]))


def wrong_checksum(batch: bytearray) -> None:
    batch[CRC_AT] ^= 0xFF


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        pytest.param(None, "header_not_utf8", id="header name"),
        pytest.param(unknown_codec, "unknown_codec", id="unknown codec"),
        pytest.param(garbage_of_a_codec, "corrupt_batch", id="garbage of a codec"),
        pytest.param(wrong_checksum, "corrupt_batch", id="checksum"),
    ],
)
async def test_what_cannot_be_read_stops_its_partition_alone_and_is_named(
    consumed: ConsumedTopic, spoil: Callable[[bytearray], None] | None, cause: str
) -> None:
    if consumed.is_real and spoil is not None:
        pytest.skip("Apache Kafka refuses such a batch")
    fan, other = consumed.two_fans_apart()
    consumed.produce(fan, "before1", "before2")
    bad = record_of(click(fan), "bad")
    if spoil is None:
        headers: Any = [*bad.headers, (NotUtf8("x"), b"v")]
        bad.headers = headers
    await consumed.produce_raw(bad, consumed.place(fan), spoil)
    consumed.produce(fan, "behind")
    consumed.produce(other, "o1", "o2")
    await consumed.start()

    async def stopped() -> bool:
        return consumed.observer.stopped == {consumed.place(fan): cause}

    await until(stopped)
    assert await consumed.session.flowing() == cause
    assert {step for step, _ in consumed.observer.failures} == {"read"}
    await until_clicks(consumed, fan, 2)
    consumed.produce(other, "o3")
    await until_clicks(consumed, other, 3)
    await consumed.runner.assignment.lookout.look()
    assert consumed.runner.stuck_s() == 0
    await consumed.stop()
    assert await consumed.clicks(fan) == 2
    assert consumed.observer.dead == {}


async def test_nothing_of_other_partitions_is_lost_however_the_bad_one_lies_among_them(
    consumed: ConsumedTopic,
) -> None:
    fans = {consumed.place(f"f{n}"): f"f{n}" for n in range(100)}
    bad = record_of(click("bad"), "bad")
    headers: Any = [*bad.headers, (NotUtf8("x"), b"v")]
    bad.headers = headers
    await consumed.start()
    await consumed.produce_raw(bad, 1, None)
    for round_of in range(10):
        for number, fan in fans.items():
            if number != 1:
                consumed.produce(fan, f"{fan}-{round_of}")
    for number, fan in fans.items():
        if number != 1:
            await until_clicks(consumed, fan, 10)

    async def stopped() -> bool:
        return consumed.observer.stopped == {1: "header_not_utf8"}

    await until(stopped)
    await consumed.stop()


async def test_null_headers_and_empty_records_are_set_aside_and_the_books_balance(
    consumed: ConsumedTopic,
) -> None:
    def nulled(name: str) -> list[tuple[str, bytes | None]]:
        good = record_of(click("a"), "n")
        return [(key, None if key == name else raw) for key, raw in good.headers]

    consumed.produce("a", "before")
    consumed.produce("a", "x", headers=nulled("ce_id"))
    consumed.produce("a", "x", headers=nulled("ce_source"))
    consumed.produce("a", "x", headers=nulled("ce_time"))
    consumed.produce("a", "x", key=None, value=None, headers=[])
    consumed.produce("a", "fine", headers=[*record_of(click("a"), "f").headers, ("tenant", None)])
    consumed.produce(
        "a", "traced", headers=[*record_of(click("a"), "t").headers, ("traceparent", b"\xff")]
    )
    await consumed.start()
    await until_clicks(consumed, "a", 3)
    await consumed.stop()
    assert consumed.observer.stopped == {}
    assert {r.value: n for r, n in consumed.observer.dead.items()} == {"invalid_envelope": 4}
    books = await consumed.balance()
    assert books.balanced, books
    assert consumed.audited() == {}
