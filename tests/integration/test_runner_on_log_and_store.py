"""The runner on a real log and a real store: restarts, rebalances, and books that balance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiokafka import TopicPartition
from pydantic import SecretStr
from pymongo import MongoClient

from shared.kafka.balance import balance
from shared.kafka.ports import OutgoingRecord
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.replay import replay
from shared.kafka.session import LogSession
from shared.settings import ServiceSettings
from shared.store.client import close, connect
from shared.store.mongo import MongoGuardedStore, MongoPartitionBooks
from shared.testing.memory_log import record_of
from shared.testing.silent_observer import SilentObserver
from tests.support.counting_handler import POISON, CountingHandler, click

TOPIC = "fan-events.v1"
FANS = 40


class RunnerSettings(ServiceSettings):
    service: ClassVar[str] = "tester"


class Worker:
    """One process's worth of consumer, in this process."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.observer = SilentObserver()
        self.session = LogSession(settings, self.observer)
        self.database = connect(
            settings.mongodb_url.get_secret_value(),
            settings.mongodb_database,
            driver=settings.store_driver,
        )
        self.handler = CountingHandler()
        self.documents = MongoGuardedStore(self.database, "fans", loops=["events"])
        self.session.consume(
            self.handler, TOPIC, store=self.documents, books=MongoPartitionBooks(self.database)
        )

    async def start(self) -> None:
        await self.documents.prepare()
        await self.session.start()

    async def stop(self) -> None:
        await self.session.stop()
        await close(self.database)

    async def until_committed(self, records: int) -> None:
        """A stop commits too, but goes on without where the log does not answer in time."""
        assignment = self.session.runners[0].assignment
        consumer = assignment.consumer()
        assert consumer is not None
        topic = assignment.topic_with_prefix
        places = [TopicPartition(topic, number) for number in assignment.partitions]
        async with asyncio.timeout(60):
            while sum([await consumer.committed(place) or 0 for place in places]) < records:
                await asyncio.sleep(0.05)

    async def crash(self) -> None:
        """Leave without a commit: cancel everything, as far as one process can."""
        for runner in self.session.runners:
            runner.assignment.partitions.clear()
        await self.session._broker.stop()
        await self.session.publisher.stop()
        for runner in self.session.runners:
            await runner.stop(drain_s=0.0)
        await close(self.database)


@pytest.fixture(params=["motor", "pymongo"])
def settings(
    request: pytest.FixtureRequest,
    log: str,
    store: str,
    database: str,
    topic_prefix: str,
    parts_kind: str,
) -> ServiceSettings:
    return RunnerSettings(
        kafka_bootstrap_servers=log,
        log_epoch="1",
        topic_prefix=topic_prefix,
        create_topics=parts_kind == "real",
        mongodb_url=SecretStr(store),
        mongodb_database=database,
        store_driver=request.param,
        staff_tokens={},
        accounts_file=Path("unused"),
        session_timeout_ms=6_000,
        rebalance_timeout_ms=6_000,
    )


async def produce(settings: ServiceSettings, first: int, count: int, copies: int = 1) -> None:
    publisher = KafkaPublisher(
        settings.kafka_bootstrap_servers, topic_prefix=settings.topic_prefix, deadline_s=20
    )
    await publisher.start()
    await publisher.publish(
        [
            record_of(click(f"f{n % FANS}", at=1_700_000_000_000 + n), f"e{n}")
            for n in range(first, first + count)
            for _ in range(copies)
        ]
    )
    await publisher.stop()


def totals(settings: ServiceSettings) -> dict[str, int]:
    with MongoClient[dict[str, Any]](settings.mongodb_url.get_secret_value()) as client:
        documents = list(client[settings.mongodb_database]["fans"].find())
        books = list(client[settings.mongodb_database]["books"].find())
    marks = [mark for d in documents for mark in d["l"]["events"]["at"]]
    return {
        "clicks": sum(d["clicks"] for d in documents),
        "applied": sum(mark["n"] for mark in marks),
        "duplicates": sum(mark["d"] for mark in marks),
        "skipped": sum(book["skipped"] for book in books),
        "waiting": sum(len(d["l"]["events"]["out"]) for d in documents),
    }


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


async def test_events_are_applied_once_across_a_restart_and_the_books_balance(
    settings: ServiceSettings,
) -> None:
    await produce(settings, 0, 600)
    worker = Worker(settings)
    await worker.start()
    await until(lambda: totals(settings)["clicks"] == 600)
    await worker.until_committed(600)
    await worker.stop()
    await produce(settings, 600, 300, copies=2)
    worker = Worker(settings)
    await worker.start()
    await until(lambda: totals(settings)["duplicates"] == 300 and not totals(settings)["waiting"])
    await worker.stop()
    assert totals(settings) == {
        "clicks": 900,
        "applied": 900,
        "duplicates": 300,
        "skipped": 0,
        "waiting": 0,
    }
    assert worker.observer.counts["redelivered"] == 0


async def test_a_worker_that_vanishes_without_a_commit_leaves_nothing_applied_twice(
    settings: ServiceSettings,
) -> None:
    await produce(settings, 0, 300)
    worker = Worker(settings)
    await worker.start()
    await until(lambda: totals(settings)["clicks"] >= 100)
    await worker.crash()
    await produce(settings, 300, 300)
    worker = Worker(settings)
    await worker.start()
    await until(lambda: totals(settings)["clicks"] == 600)
    await worker.stop()
    assert totals(settings)["applied"] == 600


@pytest.mark.real
async def test_a_rebalance_in_the_middle_changes_nothing(settings: ServiceSettings) -> None:
    first, second = Worker(settings), Worker(settings)
    await first.start()
    for n in range(5):
        await produce(settings, n * 200, 200)
        if n == 1:
            await second.start()
        if n == 3:
            await first.stop()
    await until(lambda: totals(settings)["clicks"] == 1_000)
    await second.stop()
    assert totals(settings)["applied"] == 1_000
    assert first.observer.counts["applied"]
    assert second.observer.counts["applied"]


async def test_replay_puts_dead_letters_back_with_their_old_ids(settings: ServiceSettings) -> None:
    publisher = KafkaPublisher(
        settings.kafka_bootstrap_servers, topic_prefix=settings.topic_prefix, deadline_s=20
    )
    await publisher.start()
    await publisher.publish([record_of(click("a", key=POISON), f"p{n}") for n in range(5)])
    await publisher.publish([OutgoingRecord(TOPIC, b"x", b"garbage", [])])
    await publisher.stop()
    await produce(settings, 0, 60)
    worker = Worker(settings)
    await worker.start()
    await until(lambda: totals(settings)["clicks"] == 60)
    worker.handler.poison = "mended"
    servers, prefix = settings.kafka_bootstrap_servers, settings.topic_prefix
    counts = await replay(
        servers, TOPIC, "tester", topic_prefix=prefix, reasons=frozenset({"handler_raised"})
    )
    assert counts == {"handler_raised": 5}
    await until(lambda: totals(settings)["clicks"] == 65)
    again = await replay(servers, TOPIC, "tester", topic_prefix=prefix)
    assert again == {"invalid_envelope": 1}
    await until(lambda: worker.observer.dead.total() == 7)
    await worker.stop()
    database = connect(settings.mongodb_url.get_secret_value(), settings.mongodb_database)
    books = await balance(
        database,
        bootstrap_servers=servers,
        topic_prefix=prefix,
        epoch="1",
        service="tester",
        topic=TOPIC,
        collection="fans",
        loop="events",
    )
    await close(database)
    assert books.balanced, books
    assert (books.applied, books.dead_lettered, books.records) == (65, 7, 72)
