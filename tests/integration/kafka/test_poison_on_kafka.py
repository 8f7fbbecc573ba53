"""One per cent of poison on Apache Kafka: set aside with reason and origin, and nothing waits."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from pydantic import SecretStr

from shared.events import TOPICS
from shared.kafka.balance import balance
from shared.kafka.handler import Fact
from shared.kafka.limits import MAX_IN_A_ROW
from shared.kafka.ports import OutgoingRecord
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.session import LogSession
from shared.kafka.topics import create_topics
from shared.settings import ServiceSettings
from shared.store.client import close, connect
from shared.store.mongo import MongoGuardedStore, MongoPartitionBooks
from shared.testing.memory_log import record_of
from shared.testing.silent_observer import SilentObserver
from tests.support.counting_handler import POISON, CountingHandler, click
from tests.support.crash_books import Letter, read_letters

pytestmark = pytest.mark.real

TOPIC = "fan-events.v1"
DLQ = f"{TOPIC}.poisoned.dlq"
GOOD = 4_000
FANS = 100
PACE_S = 0.1
AT_ONCE = 50
MOST_DELAY_S = 1.0
START_MS = 1_700_000_000_000


class PoisonedSettings(ServiceSettings):
    service: ClassVar[str] = "poisoned"


class TimingHandler(CountingHandler):
    """Notes when each fact was durable."""

    def __init__(self) -> None:
        super().__init__()
        self.durable_at: dict[str, float] = {}
        self.pay: Callable[[], Awaitable[None]] | None = None
        """What each batch has to wait for."""

    async def before(self, facts: Sequence[Fact]) -> None:
        await super().before(facts)
        if self.pay is not None:
            await self.pay()

    async def after(self, facts: Sequence[Fact]) -> None:
        now = time.monotonic()
        for fact in facts:
            self.durable_at.setdefault(fact.id, now)


class World:
    """One consumer, with its log and store."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.observer = SilentObserver()
        self.handler = TimingHandler()
        self.database = connect(settings.mongodb_url.get_secret_value(), settings.mongodb_database)
        self.session = LogSession(settings, self.observer)
        store = MongoGuardedStore(self.database, "fans", loops=["events"])
        books = MongoPartitionBooks(self.database)
        self.session.consume(self.handler, TOPIC, store=store, books=books)
        self._documents = store

    async def start(self) -> None:
        await self._documents.prepare()
        await self.session.start()

    async def stop(self) -> None:
        await self.session.stop()

    async def is_balanced(self) -> bool:
        settings = self.settings
        found = await balance(
            self.database,
            bootstrap_servers=settings.kafka_bootstrap_servers,
            topic_prefix=settings.topic_prefix,
            epoch=settings.log_epoch,
            service="poisoned",
            topic=TOPIC,
            collection="fans",
            loop="events",
        )
        return found.balanced

    async def note_and_bury(self) -> None:
        """What a batch with poison does beside: a note in the store, a record in the log."""
        note = {"$inc": {"notes": 1}}
        await self.database["notes"].update_one({"_id": "note"}, note, upsert=True)
        await self.session.publisher.publish([OutgoingRecord(DLQ, b"k", b"letter", [])])

    def dead(self) -> list[Letter]:
        topic = self.settings.topic_prefix + DLQ
        return read_letters(self.settings.kafka_bootstrap_servers, topic)


MakeWorld = Callable[[str], World]


@pytest.fixture
async def make_world(
    log: str, store: str, database: str, topic_prefix: str
) -> AsyncIterator[MakeWorld]:
    """Makes a world by its name, with topics and documents of its own."""
    made: list[World] = []

    def make(name: str) -> World:
        settings = PoisonedSettings(
            kafka_bootstrap_servers=log,
            log_epoch="1",
            topic_prefix=f"{topic_prefix}{name}.",
            mongodb_url=SecretStr(store),
            mongodb_database=f"{database}-{name}",
            staff_tokens={},
            accounts_file=Path("unused"),
            session_timeout_ms=6_000,
            rebalance_timeout_ms=6_000,
        )
        made.append(World(settings))
        return made[-1]

    yield make
    for world in made:
        await world.database.client.drop_database(world.settings.mongodb_database)
        await close(world.database)


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


async def produce_the_largest(settings: ServiceSettings) -> bytes:
    """Produce the largest value that the topic accepts; answers it."""
    topic = settings.topic_prefix + TOPIC
    limit = TOPICS[TOPIC].max_message_bytes
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, max_request_size=2 * limit
    )
    await producer.start()
    try:
        for size in range(limit - 60, 0, -1):
            value = b"\xff" * size
            try:
                await producer.send_and_wait(topic, value, key=b"k")
            except MessageSizeTooLargeError:
                continue
            return value
    finally:
        await producer.stop()
    raise AssertionError("the topic accepts nothing")


def poison(n: int) -> OutgoingRecord:
    """Garbage, a wrong schema, or a record on which the rule raises, in turn."""
    good = record_of(click(f"f{n % FANS}", at=START_MS + n, key=POISON), f"bad{n}")
    match n % 3:
        case 0:
            return OutgoingRecord(TOPIC, b"k", b"\x00\xffgarbage", [("x", b"\xfe\xff")])
        case 1:
            return OutgoingRecord(TOPIC, good.key, b'{"fan": 3}', good.headers)
        case _:
            return good


async def produce_steadily(
    world: World, publisher: KafkaPublisher, extra: Callable[[int], list[OutgoingRecord]]
) -> dict[str, float]:
    """Produce the good records, with `extra(number of the first)` among each few of them.

    Returns:
        When each good record was acknowledged.
    """
    produced_at: dict[str, float] = {}
    for first in range(0, GOOD, AT_ONCE):
        began = time.monotonic()
        records = [
            record_of(click(f"f{n % FANS}", at=START_MS + n), f"e{n}")
            for n in range(first, first + AT_ONCE)
        ]
        records[AT_ONCE // 2 : AT_ONCE // 2] = extra(first)
        await publisher.publish(records)
        now = time.monotonic()
        produced_at |= {f"e{n}": now for n in range(first, first + AT_ONCE)}
        await asyncio.sleep(max(0.0, PACE_S - (time.monotonic() - began)))
    await until(lambda: len(world.handler.durable_at) == AT_ONCE + GOOD)
    return produced_at


async def begin(world: World) -> KafkaPublisher:
    """Start, and let some records through."""
    settings = world.settings
    await world.start()
    publisher = KafkaPublisher(
        settings.kafka_bootstrap_servers, topic_prefix=settings.topic_prefix, deadline_s=20
    )
    await publisher.start()
    await publisher.publish([record_of(click("warm"), f"w{n}") for n in range(AT_ONCE)])
    await until(lambda: len(world.handler.durable_at) == AT_ONCE)
    return publisher


def slowest_s(world: World, produced_at: dict[str, float]) -> float:
    """The longest time from acknowledged to durable."""
    return max(world.handler.durable_at[one] - at for one, at in produced_at.items())


async def test_one_percent_poison_is_set_aside_and_no_good_record_is_lost_or_late(
    make_world: MakeWorld, record_property: Callable[[str, object], None]
) -> None:
    world, clean = make_world("poisoned"), make_world("clean")
    publisher, clean_publisher = await begin(world), await begin(clean)
    largest = OutgoingRecord(TOPIC, b"k", await produce_the_largest(world.settings), [])

    def some_poison(first: int) -> list[OutgoingRecord]:
        some = [] if first % (2 * AT_ONCE) else [poison(first // (2 * AT_ONCE))]
        return [largest, *some] if first == GOOD // 2 else some

    # Side by side, so that whatever else the machine does delays both; and each clean batch pays
    # what a poisoned one does, so that a hiccup of the log or the store delays both too.
    clean.handler.pay = clean.note_and_bury
    produced_at, clean_produced_at = await asyncio.gather(
        produce_steadily(world, publisher, some_poison),
        produce_steadily(clean, clean_publisher, lambda _first: []),
    )
    async with asyncio.timeout(60):
        while not await world.is_balanced():
            await asyncio.sleep(0.2)
    for one, its_publisher in ((world, publisher), (clean, clean_publisher)):
        await its_publisher.stop()
        await one.stop()
    letters = world.dead()
    reasons = Counter(letter.reason for letter in letters)
    assert reasons == {"invalid_envelope": 16, "invalid_event": 13, "handler_raised": 13}
    assert len(letters) == GOOD // 100 + 2
    assert {letter.topic for letter in letters} == {TOPIC}
    assert [letter.value for letter in letters].count(largest.value or b"") == 2
    slowest, usual = slowest_s(world, produced_at), slowest_s(clean, clean_produced_at)
    record_property("slowest good record s", round(slowest, 2))
    record_property("without poison s", round(usual, 2))
    assert slowest - usual <= MOST_DELAY_S
    assert world.observer.stopped == {}
    assert await world.is_balanced()


async def test_a_bad_deploy_stops_its_partitions_and_a_good_one_goes_on_where_it_was(
    make_world: MakeWorld,
) -> None:
    world = make_world("deployed")
    settings = world.settings
    await create_topics(
        settings.kafka_bootstrap_servers,
        topic_prefix=settings.topic_prefix,
        consumed=[(TOPIC, settings.service)],
    )
    publisher = KafkaPublisher(
        settings.kafka_bootstrap_servers, topic_prefix=settings.topic_prefix, deadline_s=20
    )
    await publisher.start()
    await publisher.publish(
        [record_of(click(f"f{n % FANS}", at=START_MS + n), f"e{n}") for n in range(2_000)]
    )
    await publisher.stop()
    world.handler.poison = "menu"  # what every record has: the new rule raises on all of them
    await world.start()
    partitions = TOPICS[TOPIC].partitions
    await until(lambda: len(world.observer.stopped) == partitions)
    assert set(world.observer.stopped.values()) == {"too_many_dead_letters"}
    assert await world.session.flowing() == "too_many_dead_letters"
    await world.stop()
    dead = len(world.dead())
    assert dead <= MAX_IN_A_ROW * partitions
    mended = World(settings)
    await mended.start()
    await until(lambda: len(mended.handler.durable_at) == 2_000 - dead)
    await mended.stop()
    assert await mended.is_balanced()
    await close(mended.database)
