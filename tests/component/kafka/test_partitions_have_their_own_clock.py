"""Progress, lag and silence are each partition's own: one that is dead does not hide."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaConnectionError

from shared.errors import TransientError
from shared.testing.memory_log import record_of
from tests.component.kafka.test_runner_in_memory import Bench, until
from tests.support.counting_handler import click


async def ready(bench: Bench) -> None:
    await bench.assign()
    partitions = bench.runner.assignment.partitions.values()
    await asyncio.gather(*[p.ready for p in partitions if p.ready is not None])


def grow_older(bench: Bench, seconds: float) -> None:
    """As if everything that was noted had happened so much earlier."""
    for partition in bench.runner.assignment.partitions.values():
        partition.moved_at -= seconds
        partition.tried_at -= seconds
        if partition.behind_since is not None:
            partition.behind_since -= seconds


async def test_silence_is_noticed_only_while_the_log_has_records_for_us() -> None:
    bench = Bench()
    bench.clicks(3)
    await ready(bench)
    await bench.runner.assignment.lookout.look()
    grow_older(bench, 100)
    assert bench.runner.stuck_s() > 90
    await bench.deliver()
    grow_older(bench, 100)
    assert bench.runner.stuck_s() == 0
    await bench.runner.stop()


async def test_a_partition_that_gets_nothing_is_silent_though_another_one_moves() -> None:
    bench = Bench(partitions=2)
    bench.consumer.append(record_of(click("dead"), "d0"), 1)
    await ready(bench)
    bench.consumer.paused.add(1)  # nothing comes from it, for whatever reason
    await bench.runner.assignment.lookout.look()
    grow_older(bench, 100)
    bench.clicks(3)
    await bench.deliver()
    assert bench.state()["clicks"] == 3
    assert bench.runner.stuck_s() > 90
    await bench.runner.assignment.lookout.look()
    assert bench.observer.lags == {0: 0, 1: 1}
    ages = {n: p.lag(0, 0)[0] for n, p in bench.runner.assignment.partitions.items()}
    assert ages == {0: 0, 1: 1}
    await bench.runner.stop()


async def test_a_record_after_an_idle_hour_is_neither_old_nor_a_long_silence() -> None:
    bench = Bench()
    bench.clicks(1)
    await ready(bench)
    await bench.deliver()
    await bench.runner.assignment.lookout.look()
    grow_older(bench, 3_600)
    bench.clicks(1, start=1)
    await bench.runner.assignment.lookout.look()
    assert bench.observer.lags == {0: 1}
    assert bench.observer.lag_ages[0] < 60
    assert bench.runner.stuck_s() < 60
    await bench.runner.stop()


async def test_a_partition_that_moves_but_falls_behind_tells_the_age_of_its_oldest_record() -> None:
    bench = Bench()
    bench.clicks(4)
    await ready(bench)
    await bench.runner.assignment.lookout.look()
    for _ in range(3):
        grow_older(bench, 100)
        await bench.deliver(at_most=1)
    await bench.runner.assignment.lookout.look()
    assert bench.observer.lags == {0: 1}
    assert bench.observer.lag_ages[0] > 290
    assert bench.runner.stuck_s() < 60
    await bench.runner.stop()


async def test_who_waits_for_the_store_is_not_silent_however_long_it_is_away() -> None:
    bench = Bench()
    bench.clicks(3)
    await ready(bench)
    await bench.runner.assignment.lookout.look()
    bench.store.failures = [TransientError("away")] * 1_000
    for _ in range(2):
        grow_older(bench, 100)
        await bench.deliver()
        await until(lambda: not bench.consumer.paused)
        assert bench.runner.stuck_s() < 50
    await bench.runner.stop(0)


async def test_who_waits_for_its_turn_or_for_the_log_is_not_silent() -> None:
    bench = Bench()
    bench.clicks(1)
    await ready(bench)
    await bench.runner.assignment.lookout.look()
    grow_older(bench, 100)
    (place,) = await bench.consumer.end_offsets(bench.places())
    bench.runner.assignment.not_asked(place)
    assert bench.runner.stuck_s() < 50
    grow_older(bench, 100)
    bench.runner.assignment.not_readable(place, KafkaConnectionError())
    assert bench.runner.stuck_s() < 50
    await bench.runner.stop(0)


async def test_an_open_transaction_is_told_as_lag_and_is_no_silence() -> None:
    bench = Bench()
    bench.consumer.open_transactions[0] = 0
    bench.clicks(3)
    await ready(bench)
    await bench.deliver()
    await bench.runner.assignment.lookout.look()
    grow_older(bench, 100)
    assert bench.observer.lags == {0: 3}
    assert bench.runner.stuck_s() == 0
    del bench.consumer.open_transactions[0]
    await bench.deliver()
    await bench.runner.assignment.lookout.look()
    assert bench.observer.lags == {0: 0}
    await bench.runner.stop()
