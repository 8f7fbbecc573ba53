"""Partitions change hands, and books too, at the worst of moments: nothing is lost or stuck."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from shared.errors import TransientError
from shared.kafka import runner as runner_module
from shared.kafka.partition import Partition
from shared.testing.memory_log import record_of
from tests.component.kafka.test_runner_in_memory import TOPIC, Bench, until
from tests.support.counting_handler import click

BOOK = ("test.fan-events.v1", "1", TOPIC, 0)


def nobodys(bench: Bench, count: int, start: int = 0, partition: int = 0) -> None:
    for n in range(start, start + count):
        bench.consumer.append(record_of(click("nobody"), f"n{n}"), partition)


async def ready(bench: Bench) -> None:
    await bench.assign()
    held = bench.runner.assignment.partitions
    await until(lambda: all(partition.is_ready for partition in held.values()))


def let_another_count(bench: Bench, upto: int) -> None:
    """As by a process that had the partition meanwhile, and died before it committed."""
    book = bench.books.books[BOOK]
    skipped = book["skipped"] + upto - book["upto"]
    bench.books.books[BOOK] = {**book, "upto": upto, "skipped": skipped}


def first_of(bench: Bench) -> Partition:
    return bench.runner.assignment.partitions[0]


async def settle(bench: Bench, committed: dict[int, int]) -> None:
    async with asyncio.timeout(30):
        while bench.consumer.committed_offsets != committed:
            await bench.deliver()
            await bench.runner.assignment.commit()
            await asyncio.sleep(0.01)


async def test_a_delivery_from_before_a_rebalance_counts_nothing_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The runner waits for one partition while the next in the delivery changes hands twice."""
    monkeypatch.setattr(runner_module, "MAX_IN_FLIGHT", 1)
    bench = Bench(partitions=2)
    await ready(bench)
    nobodys(bench, 3, partition=1)
    await bench.deliver()  # counted and not committed yet
    held = bench.runner.assignment.partitions
    never = asyncio.get_running_loop().create_future()
    held[0].in_flight.append((0, never))
    nobodys(bench, 1, start=10)
    nobodys(bench, 2, start=3, partition=1)
    bench.runner.assignment.consumer = lambda: None  # it can't commit any more
    slow = asyncio.create_task(bench.deliver())
    await asyncio.sleep(0.05)
    bench.runner.assignment.consumer = lambda: bench.consumer
    bench.runner.assignment.partitions = {}  # its half of the rebalance timeout is over
    bench.consumer.positions = {0: 0, 1: 0}
    await bench.runner.assignment.on_partitions_assigned(bench.places())
    held = bench.runner.assignment.partitions
    await until(lambda: all(partition.is_ready for partition in held.values()))
    await slow
    assert held[1].seen == 0, "its first record is the one at offset 0"
    await settle(bench, {0: 1, 1: 5})
    assert bench.balanced()
    await bench.runner.stop()


async def test_a_paused_partition_that_is_begun_again_goes_on() -> None:
    bench = Bench()
    await ready(bench)
    nobodys(bench, 2)
    await bench.deliver()
    let_another_count(bench, 1)
    partition = first_of(bench)
    bench.runner.assignment.pause(partition, bench.consumer, 2, 0.05, "store")
    await bench.runner.assignment.commit()
    assert first_of(bench) is not partition
    await asyncio.sleep(0.1)
    assert bench.consumer.paused == set()
    await settle(bench, {0: 2})
    assert bench.balanced()
    await bench.runner.stop()


async def test_a_stopped_partition_whose_books_are_anothers_stays_stopped() -> None:
    bench = Bench()
    await ready(bench)
    nobodys(bench, 2)
    await bench.deliver()
    let_another_count(bench, 1)
    bench.runner.assignment.stop_at(first_of(bench), 2, "too_many_dead_letters")
    for _ in range(2):
        await bench.runner.assignment.commit()
    assert bench.runner.stopped_partitions() == [0]
    assert bench.consumer.committed_offsets == {}
    failures = len(bench.observer.failures)
    await bench.runner.assignment.commit()
    assert len(bench.observer.failures) == failures, "told once, not for ever"
    await bench.runner.stop()


async def test_commits_go_on_after_the_log_was_away_while_it_began_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    await ready(bench)
    committed = bench.consumer.committed
    away = 1

    async def committed_or_away(place: TopicPartition) -> Any:
        nonlocal away
        if away:
            away -= 1
            raise GroupCoordinatorNotAvailableError
        return await committed(place)

    monkeypatch.setattr(bench.consumer, "committed", committed_or_away)
    nobodys(bench, 2)
    await bench.deliver()
    let_another_count(bench, 1)
    bench.runner.assignment.wake()
    await until(lambda: not away)

    async def deliver_until_committed() -> None:
        while bench.consumer.committed_offsets != {0: 2}:
            await bench.deliver()  # and the commits come by the clock
            await asyncio.sleep(0.02)

    await asyncio.wait_for(deliver_until_committed(), 10)
    assert bench.balanced()
    await bench.runner.stop()


async def test_a_position_that_is_lost_while_the_store_is_away_is_no_silence() -> None:
    bench = Bench()
    await ready(bench)
    bench.clicks(2)
    await bench.deliver()
    partition = first_of(bench)

    async def away(*_: object) -> None:
        raise TransientError("away")

    bench.books.load = away  # type: ignore[method-assign, assignment] # the store is away
    bench.clicks(2, start=2)
    partition.look(4, 4, 0.0)
    partition.moved_at = partition.tried_at = 0.0
    bench.runner.assignment.find_again(partition, TopicPartition(TOPIC, 0))
    await asyncio.sleep(0.05)
    assert bench.runner.stuck_s() < 60
    await bench.runner.stop()
