"""Offsets that hold no record, or no record any more: positions, commits and books go past them."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from shared.errors import TransientError
from shared.testing.memory_log import MemoryConsumer
from tests.component.kafka.test_runner_in_memory import TOPIC, Bench, until

PLACE = TopicPartition(TOPIC, 0)


async def assigned(bench: Bench) -> None:
    await bench.assign()
    partition = bench.runner.assignment.partitions[0]
    assert partition.ready is not None
    await partition.ready


def without_record(bench: Bench) -> int:
    return sum(book["without_record"] for book in bench.books.books.values())


async def test_a_marker_behind_the_last_record_is_no_lag_and_is_committed() -> None:
    bench = Bench()
    await assigned(bench)
    bench.clicks(3)
    bench.consumer.mark()
    await bench.deliver()
    await bench.deliver()
    await bench.runner.assignment.lookout.look()
    assert bench.observer.lags == {0: 0}
    assert bench.runner.stuck_s() == 0
    await until(lambda: bench.consumer.committed_offsets == {0: 4})
    await bench.runner.stop()
    assert without_record(bench) == 1
    assert bench.balanced()


@pytest.mark.parametrize("batch", [1, 2, 5_000])
async def test_markers_and_gaps_between_records_are_counted_and_the_books_balance(
    batch: int,
) -> None:
    bench = Bench()
    for n in range(4):
        bench.clicks(2, start=2 * n)
        bench.consumer.mark(n + 1)
    await bench.run(batch)
    assert bench.state()["clicks"] == 8
    assert without_record(bench) == 10
    assert bench.consumer.committed_offsets == {0: 18}
    assert bench.balanced()


async def test_offsets_without_a_record_are_counted_once_also_when_delivered_again() -> None:
    bench = Bench()
    bench.clicks(2)
    bench.consumer.mark(3)
    bench.clicks(2, start=2)
    bench.consumer.mark(2)
    await bench.run()
    for first in (0, 1, 4, 6):
        bench.consumer.commits = [{0: first}]
        bench.crash()
        await bench.run(2)
        assert without_record(bench) == 5
        assert bench.balanced()


async def test_a_batch_that_fails_after_its_books_were_kept_counts_nothing_twice() -> None:
    bench = Bench()
    bench.clicks(2)
    bench.consumer.mark(3)
    bench.clicks(1, start=2)
    bench.handler.raise_in_after = [TransientError("other store away")]
    await assigned(bench)
    await bench.deliver()
    await until(lambda: not bench.consumer.paused)
    await bench.deliver()
    await bench.runner.stop()
    assert bench.state()["clicks"] == 3
    assert without_record(bench) == 3
    assert bench.balanced()


async def test_what_passes_markers_waits_for_a_store_that_is_away_and_is_no_silence() -> None:
    bench = Bench()
    await assigned(bench)
    bench.clicks(1)
    bench.consumer.mark()
    await bench.deliver()
    save = bench.books.save

    async def away(*_place: object, **_counts: object) -> None:
        raise TransientError("store away")

    bench.books.save = away  # type: ignore[method-assign]  # for a while
    await bench.deliver()
    assert ("books", "TransientError") in bench.observer.failures
    assert bench.runner.assignment.partitions[0].seen == 1
    bench.books.save = save  # type: ignore[method-assign]  # it is back
    async with asyncio.timeout(30):
        while bench.consumer.committed_offsets != {0: 2}:
            await bench.deliver()
            await asyncio.sleep(0.01)
    await bench.runner.stop()
    assert bench.balanced()


async def test_records_whose_delivery_came_to_nothing_are_delivered_again_and_not_passed_over() -> (
    None
):
    bench = Bench()
    await assigned(bench)
    bench.clicks(3)
    bench.consumer.poll()  # what was handed out never reached the runner
    await bench.deliver()
    await bench.deliver()
    await bench.runner.stop()
    assert bench.observer.counts["applied"] == 3
    assert without_record(bench) == 0
    assert bench.balanced()


async def test_what_expired_while_the_group_was_away_is_told_once_and_the_books_balance() -> None:
    bench = Bench()
    bench.clicks(1)
    await bench.run()
    bench.clicks(5, start=1)
    bench.consumer.expire(6)
    for _ in range(2):
        bench.crash()
        await assigned(bench)
        await bench.runner.assignment.lookout.look()
        assert bench.observer.lags == {0: 0}
        assert bench.runner.stuck_s() == 0
        await bench.runner.assignment.commit()
        await bench.runner.stop()
    assert bench.observer.expired == [(0, 5)]
    assert bench.consumer.committed_offsets == {0: 6}
    bench.clicks(1, start=6)
    bench.crash()
    await bench.run()
    assert bench.state()["clicks"] == 2
    assert bench.observer.expired == [(0, 5)]
    assert bench.balanced()


async def test_a_group_whose_own_offset_expired_begins_at_the_logs_start_and_is_not_behind() -> (
    None
):
    bench = Bench()
    bench.clicks(4)
    await bench.run()
    bench.consumer.expire(4)
    bench.consumer.commits.clear()  # the log forgets a group that was away for long
    bench.crash()
    await assigned(bench)
    await bench.runner.assignment.lookout.look()
    assert bench.observer.lags == {0: 0}
    assert bench.observer.expired == []
    bench.clicks(1, start=4)
    await bench.deliver()
    await bench.runner.stop()
    assert bench.state()["clicks"] == 5
    assert bench.balanced()


async def test_what_expires_before_a_running_consumer_reads_it_is_told_with_its_size() -> None:
    bench = Bench()
    bench.clicks(2)
    await assigned(bench)
    await bench.deliver()
    bench.clicks(3, start=2)
    bench.consumer.expire(4)
    bench.runner.assignment.not_readable(PLACE, OffsetOutOfRangeError({PLACE: 2}))
    await until(lambda: bench.observer.expired == [(0, 2)])
    await until(lambda: bench.runner.assignment.partitions[0].is_ready)
    await bench.deliver()
    await bench.runner.stop()
    assert bench.observer.stopped == {}
    assert bench.state()["clicks"] == 3
    assert bench.balanced()


async def test_a_position_beyond_the_end_stops_the_partition_while_it_runs() -> None:
    bench = Bench()
    bench.clicks(5)
    await assigned(bench)
    await bench.deliver()
    bench.consumer.ends[0] = 2
    await bench.runner.assignment.lookout.look()
    assert bench.observer.stopped == {0: "log_went_backwards"}
    assert bench.consumer.paused == {0}
    await bench.runner.stop()


async def test_a_topic_made_anew_stops_all_its_partitions_though_it_is_longer_than_before() -> None:
    bench = Bench(partitions=2)
    bench.clicks(2)
    await assigned(bench)
    await until(lambda: all(p.is_ready for p in bench.runner.assignment.partitions.values()))
    await bench.deliver()
    bench.consumer.id = "the same name again"
    bench.clicks(5, start=100)
    await bench.runner.assignment.lookout.look()
    await bench.deliver()
    assert bench.observer.stopped == {0: "log_went_backwards", 1: "log_went_backwards"}
    assert bench.runner.troubles() == {"log_went_backwards"}
    assert bench.state()["clicks"] == 2
    await bench.runner.stop()


async def test_a_topic_made_anew_while_the_group_was_away_is_noticed_by_its_id() -> None:
    bench = Bench()
    bench.clicks(2)
    await bench.run()
    commits = bench.consumer.commits
    bench.consumer = MemoryConsumer(TOPIC)
    bench.consumer.id = "the same name again"
    bench.consumer.commits = commits
    bench.clicks(9, start=100)
    bench.crash()
    await assigned(bench)
    await bench.deliver()
    await bench.runner.stop()
    assert bench.observer.stopped == {0: "log_went_backwards"}
    assert bench.state()["clicks"] == 2


async def test_books_from_before_topics_had_an_id_learn_it_at_the_next_start() -> None:
    bench = Bench()
    bench.consumer.id = ""
    bench.clicks(2)
    await bench.run()
    bench.consumer.id = "known by now"
    bench.clicks(1, start=2)
    bench.crash()
    await bench.run()
    assert list(bench.books.topic_ids.values()) == ["known by now"]
    assert bench.state()["clicks"] == 3
    assert bench.balanced()


async def test_a_consumer_that_holds_no_partition_though_one_is_free_is_not_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.runner.assignment.consumer = lambda: bench.consumer
    look, lookout = bench.runner.assignment.lookout.look, bench.runner.assignment.lookout
    bench.consumer.not_held = 2
    await look()
    assert bench.runner.troubles() == set(), "partitions change hands now and then"
    monkeypatch.setattr("shared.kafka.lookout.NO_PARTITION_S", 0.0)
    await look()
    assert bench.runner.troubles() == {"no_partition"}
    bench.consumer.not_held = 0  # others hold them all: this one stands by
    await look()
    assert bench.runner.troubles() == set()
    bench.consumer.not_held = -1  # there is no topic
    await look()
    assert bench.runner.troubles() == {"no_partition"}
    await assigned(bench)
    await look()
    assert bench.runner.troubles() == set()
    assert not lookout.is_left_out
    await bench.runner.stop()
