"""A consumer of the product on a log of its own topics, to which anything can be produced raw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import aiokafka.producer.message_accumulator as accumulator
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are there, if not listed
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)
from pydantic import SecretStr

from deploy.local.audit import audit
from shared.kafka.balance import Balance, balance
from shared.kafka.partitioner import choose_partition
from shared.kafka.ports import OutgoingRecord
from shared.kafka.session import LogSession
from shared.kafka.topics import create_topics
from shared.settings import ServiceSettings
from shared.store.client import close, connect
from shared.store.mongo import MongoGuardedStore, MongoPartitionBooks
from shared.testing.memory_log import record_of
from shared.testing.silent_observer import SilentObserver
from tests.support.counting_handler import CountingHandler, click

TOPIC = "fan-events.v1"
SERVICE = "tester"
FLUSH_S = 30.0
PARTITIONS = {"embedded": 4, "real": 12}


class TesterSettings(ServiceSettings):
    service: ClassVar[str] = SERVICE


class ConsumedTopic:
    """Topic, store and consumer; `start` and `stop` make and end a process's worth of consumer.

    Args:
        log: bootstrap servers.
        store: the store's URL.
        database: a name of its own.
        topic_prefix: of its own.
        parts_kind: embedded or real.
    """

    def __init__(
        self, log: str, store: str, database: str, topic_prefix: str, parts_kind: str
    ) -> None:
        self.log = log
        self.topic = topic_prefix + TOPIC
        self.partitions = list(range(PARTITIONS[parts_kind]))
        self.is_real = parts_kind == "real"
        self.settings = TesterSettings(
            kafka_bootstrap_servers=log,
            log_epoch="1",
            topic_prefix=topic_prefix,
            create_topics=False,
            mongodb_url=SecretStr(store),
            mongodb_database=database,
            staff_tokens={},
            accounts_file=Path("unused"),
            session_timeout_ms=6_000,
            rebalance_timeout_ms=6_000,
        )
        self.database = connect(store, database)
        self.documents = MongoGuardedStore(self.database, "fans", loops=["events"])
        self.observer = SilentObserver()
        self.handler = CountingHandler()
        self.admin = AdminClient({"bootstrap.servers": log, "log_level": 0})

    async def create(self) -> None:
        """Make the topics, where the log lets them be made."""
        if self.is_real:
            await create_topics(
                self.log, topic_prefix=self.settings.topic_prefix, consumed=[(TOPIC, SERVICE)]
            )

    def configure(self, **values: str) -> None:
        """Set configuration of the topic; dots are written as underscores."""
        entries = [
            ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for name, value in values.items()
        ]
        resource = ConfigResource(
            ConfigResource.Type.TOPIC, self.topic, incremental_configs=entries
        )
        for done in self.admin.incremental_alter_configs([resource]).values():
            done.result(FLUSH_S)

    async def start(self) -> None:
        await self.documents.prepare()
        self.session = LogSession(self.settings, self.observer)
        self.runner = self.session.consume(
            self.handler, TOPIC, store=self.documents, books=MongoPartitionBooks(self.database)
        )
        await self.session.start()

    async def stop(self) -> None:
        await self.session.stop()

    async def close(self) -> None:
        await close(self.database)

    def place(self, fan: str) -> int:
        """The partition of a fan."""
        return int(choose_partition(click(fan).key.encode(), self.partitions, ()))

    def two_fans_apart(self) -> tuple[str, str]:
        """Fans of two different partitions."""
        first = self.place("f0")
        return "f0", next(f"f{n}" for n in range(1, 100) if self.place(f"f{n}") != first)

    def producer(self, **options: Any) -> Producer:
        return Producer({"bootstrap.servers": self.log, "log_level": 0, **options})

    def produce(
        self, fan: str, *ids: str, producer: Producer | None = None, **changed: Any
    ) -> None:
        """Clicks of a fan with these ids; `changed` replaces key, value or headers."""
        one = producer or self.producer()
        for number, event_id in enumerate(ids):
            record = record_of(click(fan, at=1_700_000_000_000 + number), event_id)
            fields = {"key": record.key, "value": record.value, "headers": list(record.headers)}
            one.produce(self.topic, partition=self.place(fan), **(fields | changed))
        if producer is None:
            assert one.flush(FLUSH_S) == 0

    async def produce_raw(
        self, record: OutgoingRecord, partition: int, spoil: Callable[[bytearray], None] | None
    ) -> None:
        """One batch of one record, its bytes spoilt before they are sent."""
        kept = accumulator.DefaultRecordBatchBuilder

        class Spoiling(_DefaultRecordBatchBuilderPy):  # type: ignore[misc]  # aiokafka ships no types
            def build(self) -> bytearray:
                built = bytearray(super().build())
                if spoil is not None:
                    spoil(built)
                return built

        accumulator.DefaultRecordBatchBuilder = Spoiling
        try:
            producer = AIOKafkaProducer(bootstrap_servers=self.log)
            await producer.start()
            batch = producer.create_batch()
            headers: Any = record.headers
            batch.append(key=record.key, value=record.value, timestamp=None, headers=headers)
            await (await producer.send_batch(batch, self.topic, partition=partition))
            await producer.stop()
        finally:
            accumulator.DefaultRecordBatchBuilder = kept

    async def clicks(self, fan: str) -> int:
        """How many of a fan's clicks were applied."""
        found = await self.documents.read([click(fan).key])
        return int(next(iter(found.values()))["clicks"]) if found else 0

    async def balance(self) -> Balance:
        return await balance(
            self.database,
            bootstrap_servers=self.log,
            topic_prefix=self.settings.topic_prefix,
            epoch="1",
            service=SERVICE,
            topic=TOPIC,
            collection="fans",
            loop="events",
        )

    def audited(self) -> dict[int, int]:
        """Partitions whose books miss records, or have too many, by the demo's own audit."""
        accounts = audit(
            self.log,
            self.settings.mongodb_url.get_secret_value(),
            [self.settings.mongodb_database],
            topic_prefix=self.settings.topic_prefix,
            log_epoch="1",
        )
        return {a.partition: a.missing for a in accounts if not a.is_balanced}
