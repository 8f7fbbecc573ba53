"""Several processes of the segmenter on one log and store: none speaks for what another reads."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from services.segmenter.adapters.own_partitions import OwnPartitions
from services.segmenter.domain.rules_file import parse_rules
from services.segmenter.handlers import TagHandler
from services.segmenter.loops import ClockSettings, FanClock
from shared.errors import TransientError
from shared.events import MessageReceived
from shared.kafka.partitioner import choose_partition
from shared.kafka.runner import Runner
from shared.testing.memory_log import MemoryConsumer, MemoryPublisher, record_of
from shared.testing.memory_store import MemoryGuardedStore, MemoryLeases, MemoryPartitionBooks
from shared.testing.silent_observer import SilentObserver
from tests.support.fan_histories import START, WHO
from tests.support.segmenter_fakes import MemoryFanIndex, RecordingNotes

TOPIC = "fan-events.v1"
PARTITIONS = 4
RULES = "tags: [{tag: refund, kind: keywords, any_of: [退款], for: 10s}]"
FANS = [f"f{n}" for n in range(20)]


class SharedLog(MemoryConsumer):
    """The log, as a consumer of some of its partitions sees it."""

    def __init__(self, same: SharedLog | None = None) -> None:
        super().__init__(TOPIC, PARTITIONS)
        if same is not None:
            self.records, self.ends = same.records, same.ends
        self.away = False

    async def end_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        if self.away:
            raise KafkaConnectionError
        return await super().end_offsets(partitions)

    def say(self, fan: str, at: int) -> None:
        who = WHO | {"fan": fan, "occurred_at": START + at}
        event = MessageReceived(message_type="text", text="退款", **who)
        sent = sum(map(len, self.records.values()))
        self.append(record_of(event, f"id-{sent}"), partition_of(fan))


def partition_of(fan: str) -> int:
    return choose_partition(f"wechat:gh_1:{fan}".encode(), range(PARTITIONS), ())


class Process:
    """One process of the segmenter that reads some partitions."""

    def __init__(self, log: SharedLog, store: MemoryGuardedStore, leases: MemoryLeases) -> None:
        self.log = SharedLog(log)
        self.publisher = MemoryPublisher()
        notes = RecordingNotes()
        handler = TagHandler(parse_rules(RULES, "tags.yaml"), notes)
        self.runner: Runner[Any] = Runner(
            handler,
            store,
            MemoryPartitionBooks(),
            self.publisher,
            observer=SilentObserver(),
            service="segmenter",
            topic=TOPIC,
            epoch="memory",
        )
        self.runner.assignment.consumer = lambda: self.log
        self.partitions = OwnPartitions(self.runner)
        self.now = START
        self.clock = FanClock(
            handler,
            self.runner.writer,
            MemoryFanIndex(store),
            self.partitions,
            leases,
            holder=str(id(self)),
            now=lambda: self.now,
            notes=notes,
            observer=SilentObserver(),
            group="segmenter.fan-events.v1",
            settings=ClockSettings(grace_ms=0),
        )

    async def own(self, *numbers: int) -> None:
        self.log.paused = set(range(PARTITIONS)) - set(numbers)
        self.log.positions.update(dict.fromkeys(numbers, 0))  # nothing is committed here
        assigned = {TopicPartition(TOPIC, number) for number in numbers}
        await self.runner.assignment.on_partitions_assigned(assigned)
        for partition in self.runner.assignment.partitions.values():
            assert partition.ready is not None
            await partition.ready

    async def read(self) -> None:
        await self.runner.handle(self.log.poll(), self.log)

    async def look(self, at: int) -> int:
        self.now = START + at
        return await self.clock.tick()


@pytest.fixture
def store() -> MemoryGuardedStore:
    return MemoryGuardedStore()


@pytest.fixture
def log() -> SharedLog:
    return SharedLog()


@pytest.fixture
def two(log: SharedLog, store: MemoryGuardedStore) -> tuple[Process, Process]:
    leases = MemoryLeases()
    return Process(log, store, leases), Process(log, store, leases)


def _holders(store: MemoryGuardedStore) -> set[str]:
    return {key.split(":")[2] for key, fan in store.documents.items() if fan["tags"]}


async def test_a_tag_outlives_its_end_while_its_renewal_waits_in_another_processs_partition(
    two: tuple[Process, Process], log: SharedLog, store: MemoryGuardedStore
) -> None:
    quick, slow = two
    await quick.own(0, 1)
    await slow.own(2, 3)
    for fan in FANS:
        log.say(fan, 0)
    await quick.read()
    await slow.read()
    assert _holders(store) == set(FANS)
    for fan in FANS:
        log.say(fan, 8_000)
    await quick.read()  # the other one hangs
    assert await quick.look(12_000) == 0
    assert await slow.look(12_000) == 0
    assert _holders(store) == set(FANS)
    await slow.read()
    assert [await quick.look(17_999), await slow.look(17_999)] == [0, 0]
    fallen = [await quick.look(18_000), await slow.look(18_000)]
    assert sum(fallen) == len(FANS)
    assert min(fallen) > 0, "each lets time pass for its own fans"
    await quick.runner.writer.stop()
    await slow.runner.writer.stop()
    announced = [*quick.publisher.ids("tag-changes.v1"), *slow.publisher.ids("tag-changes.v1")]
    assert len(announced) == len(set(announced)) == 2 * len(FANS)
    assert _holders(store) == set()


async def test_records_that_came_since_the_last_measuring_of_lag_count_too(
    two: tuple[Process, Process], log: SharedLog, store: MemoryGuardedStore
) -> None:
    process, _ = two
    await process.own(0, 1, 2, 3)
    log.say("f1", 0)
    await process.read()
    log.say("f1", 8_000)
    assert await process.look(12_000) == 0
    assert _holders(store) == {"f1"}
    await process.read()
    assert await process.look(18_000) == 1


async def test_one_partition_behind_holds_up_its_own_fans_only(
    two: tuple[Process, Process], log: SharedLog, store: MemoryGuardedStore
) -> None:
    process, _ = two
    await process.own(0, 1, 2, 3)
    for fan in FANS:
        log.say(fan, 0)
    await process.read()
    log.say("f1", 8_000)
    waiting = {fan for fan in FANS if partition_of(fan) == partition_of("f1")}
    assert await process.look(12_000) == len(FANS) - len(waiting)
    assert _holders(store) == waiting


async def test_in_a_partition_that_was_stopped_time_does_not_pass(
    two: tuple[Process, Process], log: SharedLog, store: MemoryGuardedStore
) -> None:
    process, _ = two
    await process.own(0, 1, 2, 3)
    log.say("f1", 0)
    await process.read()
    process.runner.assignment.partitions[partition_of("f1")].stopped = "too_many_dead_letters"
    assert await process.look(12_000) == 0
    assert _holders(store) == {"f1"}


async def test_a_process_whose_partitions_were_taken_lets_no_time_pass(
    two: tuple[Process, Process], log: SharedLog, store: MemoryGuardedStore
) -> None:
    old, new = two
    await old.own(0, 1, 2, 3)
    log.say("f1", 0)
    await old.read()
    await new.own(0, 1, 2, 3)
    log.say("f1", 8_000)
    await new.read()
    assert await old.look(12_000) == 0, "it was frozen, and does not know that it owns nothing"
    assert _holders(store) == {"f1"}
    await old.runner.assignment.on_partitions_revoked({TopicPartition(TOPIC, 0)})
    assert await old.look(30_000) == 0
    assert await new.look(30_000) == 1


async def test_a_partition_that_is_not_ready_yet_and_a_log_that_is_away_let_no_time_pass(
    two: tuple[Process, Process], log: SharedLog
) -> None:
    process, _ = two
    await process.own(0, 1, 2, 3)
    log.say("f1", 0)
    await process.read()
    process.log.away = True
    with pytest.raises(TransientError, match="the log does not say where it ends"):
        await process.look(12_000)
    process.log.away = False
    assigned = {TopicPartition(TOPIC, number) for number in range(PARTITIONS)}
    await process.runner.assignment.on_partitions_assigned(assigned)
    assert await process.look(12_000) == 0
    await process.own(0, 1, 2, 3)
    await process.read()
    assert await process.look(12_000) == 1


async def test_before_the_log_is_known_no_fan_is_ours(
    two: tuple[Process, Process],
) -> None:
    process, _ = two
    assert not process.partitions.any()
    process.runner.assignment.consumer = lambda: None
    assert process.partitions.of("wechat:gh_1:f1") is None
    assert await process.partitions.applied({0}) == set()
