"""Which offsets are committed, noted and believed, at the edges of an assignment's life."""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition

from shared.errors import TransientError
from shared.testing.memory_log import MemoryConsumer, record_of
from tests.component.kafka.test_runner_in_memory import DLQ, TAGS, TOPIC, Bench, until
from tests.support.counting_handler import POISON, click


async def ready(bench: Bench, partition: int = 0) -> None:
    await until(lambda: bench.runner.assignment.partitions[partition].books_from >= 0)


def skipped(bench: Bench, count: int) -> None:
    """Records that this handler has no use for: they are in the books only."""
    for n in range(count):
        bench.consumer.append(record_of(click("nobody"), f"nobody-{n}"))


async def test_an_emptied_log_without_commits_stops_by_the_books() -> None:
    bench = Bench()
    skipped(bench, 5)
    await bench.run()
    bench.consumer = MemoryConsumer(TOPIC)
    bench.crash()
    bench.clicks(4)
    await bench.assign()
    (partition,) = bench.runner.assignment.partitions.values()
    await until(lambda: partition.is_ready)
    await bench.deliver()  # at once: nobody has looked again how far the log goes
    assert bench.observer.stopped == {0: "log_went_backwards"}
    assert bench.store.documents == {}
    await bench.runner.stop()


async def test_a_log_that_ends_where_the_books_do_goes_on() -> None:
    bench = Bench()
    skipped(bench, 5)
    await bench.run()
    bench.consumer.commits.clear()
    bench.crash()
    await bench.assign()
    await ready(bench)
    bench.clicks(2)
    bench.consumer.positions[0] = 5
    await bench.deliver()
    await bench.runner.stop()
    assert bench.observer.stopped == {}
    assert bench.state()["clicks"] == 2
    assert bench.consumer.committed_offsets == {0: 7}


async def test_what_is_committed_is_the_next_offset_that_is_through_not_the_last_one_seen() -> None:
    bench = Bench()
    bench.clicks(6)
    await bench.assign()
    await ready(bench)
    through, waiting = (asyncio.get_running_loop().create_future() for _ in range(2))
    through.set_result(None)
    partition = bench.runner.assignment.partitions[0]
    partition.in_flight.extend([(2, through), (6, waiting)])
    partition.seen = 6
    await bench.runner.assignment.commit()
    assert bench.consumer.committed_offsets == {0: 2}, "the others' tags are not announced yet"
    waiting.set_result(None)
    await bench.runner.assignment.commit()
    assert bench.consumer.committed_offsets == {0: 6}
    await bench.runner.stop()


async def test_offsets_wait_for_their_announcements_however_much_was_seen_meanwhile() -> None:
    bench = Bench()
    bench.clicks(2)
    await bench.assign()
    await bench.deliver()
    await until(lambda: bench.consumer.committed_offsets.get(0) == 2)
    bench.publisher.failures = [TransientError("log away")] * 100_000
    bench.clicks(3, start=2)
    await bench.deliver()
    bench.clicks(1, start=5)
    await bench.deliver()
    await bench.runner.assignment.commit()
    assert bench.state()["clicks"] == 6
    assert bench.consumer.committed_offsets == {0: 2}, "the third click's tag is not announced"
    bench.publisher.failures.clear()
    await until(lambda: bench.consumer.committed_offsets.get(0) == 6)
    await bench.runner.stop()


async def test_each_partition_commits_its_own_offset() -> None:
    bench = Bench(partitions=2)
    bench.clicks(3)
    for n in range(5):
        bench.consumer.append(record_of(click("b", at=1_700_000_000_000 + n), f"b-{n}"), 1)
    await bench.run()
    assert bench.consumer.committed_offsets == {0: 3, 1: 5}


async def test_an_offset_that_is_committed_is_not_committed_again() -> None:
    bench = Bench()
    bench.clicks(2)
    await bench.assign()
    await bench.deliver()
    await until(lambda: bench.consumer.committed_offsets.get(0) == 2)
    await bench.runner.assignment.commit()
    assert bench.consumer.commits == [{0: 2}]
    await bench.runner.stop()


async def test_a_revoke_with_no_time_to_drain_commits_what_is_through_already() -> None:
    bench = Bench()
    bench.runner.assignment.drain_s = 0.0
    bench.clicks(2)
    await bench.assign()
    await ready(bench)
    await bench.deliver()
    await until(lambda: bench.consumer.committed_offsets == {0: 2})
    bench.consumer.commits.clear()
    bench.runner.assignment.partitions[0].committed = -1  # as if that commit had failed
    await bench.runner.assignment.on_partitions_revoked({TopicPartition(TOPIC, 0)})
    assert bench.consumer.committed_offsets == {0: 2}
    await bench.runner.stop()


async def test_the_note_of_a_dead_letter_stays_until_its_offset_is_committed() -> None:
    bench = Bench()
    await bench.assign()
    await ready(bench)
    publish = bench.publisher.publish

    async def only_letters(records: list[object]) -> None:
        if any(getattr(record, "topic", "") == TAGS for record in records):
            raise TransientError("no tags now")
        await publish(records)  # type: ignore[arg-type] # passed on

    bench.publisher.publish = only_letters  # type: ignore[assignment, method-assign] # for now
    bench.clicks(3)  # whose announcement never comes through: nothing after it is committed
    await bench.deliver()
    for n in range(2):
        bench.consumer.append(record_of(click("a", key=POISON), f"bad{n}"))
        bench.clicks(25, start=10 + 30 * n)
        await bench.deliver()
    (noted,) = bench.books.aside.values()
    assert bench.consumer.committed_offsets == {}
    assert list(noted) == [3, 29], "whoever comes next must know both"
    bench.publisher.publish = publish  # type: ignore[method-assign] # as before
    await bench.runner.stop(0)
    bench.crash()
    bench.handler.poison = "nothing"  # mended: it would apply what lies in the topic already
    await bench.run()
    assert bench.state()["clicks"] == 53
    assert len({dict(record.headers)["dlq_offset"] for record in bench.publisher.of(DLQ)}) == 2
    assert bench.balanced()
