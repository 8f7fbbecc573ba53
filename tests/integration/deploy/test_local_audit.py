"""The auditor finds every record that the books do not know, and every one they know twice."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from pymongo import MongoClient

from deploy.local.audit import Account, audit, records_in

EPOCH = "e1"
TOPIC = "fan-events.v1"
DEAD = f"{TOPIC}.segmenter.dlq"


async def produce_events(log: str, topic: str, count: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=log, acks="all") as producer:
        for _ in range(count):
            await producer.send_and_wait(topic, b"{}", partition=1)


async def produce_dead_letters(log: str, topic: str, origins: list[int]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=log, acks="all") as producer:
        for offset in origins:
            headers = [
                ("ce_id", b"kept as it came"),
                ("dlq_service", b"segmenter"),
                ("dlq_topic", TOPIC.encode()),
                ("dlq_partition", b"1"),
                ("dlq_offset", str(offset).encode()),
            ]
            await producer.send_and_wait(topic, b"{}", partition=0, headers=headers)


def keep_books(store: str, database: str, *, applied: int, duplicates: int, skipped: int) -> None:
    def fan(name: str, epoch: str, n: int, d: int) -> dict[str, Any]:
        mark = {"e": epoch, "t": TOPIC, "p": 1, "o": 9, "n": n, "d": d}
        return {"_id": name, "v": 1, "l": {"tags": {"at": [mark]}}}

    book = {"group": f"segmenter.{TOPIC}", "topic": TOPIC, "partition": 1, "start": 0, "upto": 9}
    with MongoClient[dict[str, Any]](store) as client:
        fans = client[database]["fans"]
        fans.insert_one(fan("a", EPOCH, applied - 1, duplicates))
        fans.insert_one(fan("b", EPOCH, 1, 0))
        fans.insert_one(fan("c", "an older log", 100, 100))
        books = client[database]["books"]
        books.insert_one({"_id": "now", "epoch": EPOCH, "skipped": skipped, **book})
        books.insert_one({"_id": "before", "epoch": "an older log", "skipped": 5, **book})


@pytest.mark.parametrize(
    ("applied", "missing"),
    [pytest.param(5, 0, id="all"), pytest.param(4, 1, id="lost"), pytest.param(6, -1, id="twice")],
)
async def test_books_balance_only_when_every_record_is_counted_once(
    *, log: str, store: str, database: str, topic_prefix: str, applied: int, missing: int
) -> None:
    await produce_events(log, topic_prefix + TOPIC, 10)
    # Offset 3 was set aside twice: its first attempt died after the dead letter was acknowledged.
    await produce_dead_letters(log, topic_prefix + DEAD, [3, 3, 7])
    keep_books(store, database, applied=applied, duplicates=2, skipped=1)
    (account,) = audit(log, store, [database], topic_prefix=topic_prefix, log_epoch=EPOCH)
    assert account == Account(
        f"segmenter.{TOPIC}", TOPIC, 1, 0, 10, applied, duplicates=2, skipped=1, dead_lettered=2
    )
    assert (account.missing, account.is_balanced) == (missing, missing == 0)


async def test_records_are_counted_over_all_partitions_of_a_topic(
    log: str, topic_prefix: str
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=log) as producer:
        for number in range(7):
            await producer.send_and_wait(
                f"{topic_prefix}t", secrets.token_bytes(8), partition=number % 4
            )
    assert records_in(log, f"{topic_prefix}t") == 7
    assert records_in(log, f"{topic_prefix}none") == 0
