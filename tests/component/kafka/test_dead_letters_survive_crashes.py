"""A process that dies between a dead letter and its batch's state leaves the books in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.errors import TransientError
from shared.store.ports import GuardedWrite
from shared.testing.memory_log import record_of
from tests.component.kafka.test_runner_in_memory import DLQ, Bench, until
from tests.support.counting_handler import POISON, click

BIG = "blob:" + "x" * 600_000
"""Two of them don't fit into one document."""


async def die_before_the_write(bench: Bench) -> None:
    """Set dead letters aside, and no more; then another process takes over."""
    await bench.assign()
    await until(lambda: bench.runner.assignment.partitions[0].books_from >= 0)
    write = bench.store.write

    async def away(writes: Sequence[GuardedWrite]) -> set[str]:
        del writes
        raise TransientError("away")

    bench.store.write = away  # type: ignore[method-assign]  # until the next process starts
    await bench.deliver()
    await bench.runner.stop(0)
    bench.store.write = write  # type: ignore[method-assign]  # as before
    bench.crash()
    await bench.assign()
    await until(lambda: bench.runner.assignment.partitions[0].books_from >= 0)


async def test_an_event_of_a_full_document_stays_dead_also_when_it_would_fit_now() -> None:
    bench = Bench()
    for n in range(2):
        big = click("big", at=1_700_000_000_000 + n, key=BIG)
        bench.consumer.append(record_of(big, f"big{n}"))
    bench.clicks(1, fan="small")
    await die_before_the_write(bench)
    assert len(bench.publisher.of(DLQ)) == 2
    for _ in range(3):
        await bench.deliver(at_most=1)
    await bench.runner.stop()
    assert bench.state("small")["clicks"] == 1
    assert bench.balanced()


async def test_a_mended_handler_does_not_apply_what_lies_in_the_dead_letter_topic() -> None:
    bench = Bench()
    bench.consumer.append(record_of(click("a", key=POISON), "bad"))
    bench.clicks(2)
    await die_before_the_write(bench)
    bench.handler.poison = "nothing"
    await bench.deliver()
    await bench.runner.stop()
    assert bench.state()["clicks"] == 2
    reasons = {dict(record.headers)["dlq_reason"] for record in bench.publisher.of(DLQ)}
    assert reasons == {b"handler_raised"}
    assert bench.balanced()


async def test_what_is_noted_is_forgotten_when_its_offset_is_committed() -> None:
    bench = Bench()
    for n in range(3):
        bench.consumer.append(record_of(click("a", key=POISON), f"bad{n}"))
        bench.clicks(30, start=30 * n)
    await bench.assign()
    await until(lambda: bench.runner.assignment.partitions[0].books_from >= 0)
    for n in range(1, 4):
        await bench.deliver(at_most=31)
        async with asyncio.timeout(30):
            while bench.consumer.committed_offsets.get(0) != 31 * n:
                await asyncio.sleep(0.005)  # the announcements come first
                await bench.runner.assignment.commit()
    await bench.runner.stop()
    (noted,) = bench.books.aside.values()
    assert list(noted) == [62], "only the last one can still be needed"
    assert bench.balanced()


@pytest.mark.parametrize("batch", [1, 5_000])
async def test_good_records_note_nothing(batch: int) -> None:
    bench = Bench()
    bench.clicks(5)
    await bench.run(batch)
    assert bench.books.aside == {}
