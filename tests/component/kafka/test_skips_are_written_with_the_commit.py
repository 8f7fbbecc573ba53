"""Skipped records are counted in memory and written down before their offsets are committed."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import TransientError
from shared.kafka.assignment import Assignment
from shared.kafka.group_books import MOST_UNSAVED
from shared.testing.memory_log import record_of
from shared.testing.memory_store import MemoryPartitionBooks
from tests.component.kafka.test_runner_in_memory import TOPIC, Bench, until
from tests.support.counting_handler import click

BOOK = ("test.fan-events.v1", "1", TOPIC, 0)


class UnsteadyBooks(MemoryPartitionBooks):
    """Books that can be away, and that can lose the answer to a write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.is_away = False
        self.loses_answers = 0

    async def save(self, *place: Any, **counts: Any) -> None:
        if self.is_away:
            raise TransientError("away")
        await super().save(*place, **counts)
        self.writes += 1
        if self.loses_answers:
            self.loses_answers -= 1
            raise TransientError("the answer was lost")


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.books = UnsteadyBooks()
    made.runner = made.make()
    return made


def books_of(bench: Bench) -> UnsteadyBooks:
    assert isinstance(bench.books, UnsteadyBooks)
    return bench.books


def nobodys(bench: Bench, count: int, start: int = 0) -> None:
    for n in range(start, start + count):
        bench.consumer.append(record_of(click("nobody"), f"n{n}"))


async def ready(bench: Bench) -> None:
    await bench.assign()
    await until(lambda: bench.runner.assignment.partitions[0].is_ready)


async def test_skips_of_many_deliveries_are_one_write(bench: Bench) -> None:
    await ready(bench)
    before = books_of(bench).writes
    for n in range(50):
        nobodys(bench, 1, start=n)
        await bench.deliver()
    await bench.runner.assignment.commit()
    assert bench.books.books[BOOK]["skipped"] == 50
    assert books_of(bench).writes <= before + 2, "one of them by the clock, at the most"
    assert bench.consumer.committed_offsets == {0: 50}
    await bench.runner.stop()


async def test_nothing_is_committed_before_its_skips_are_written(bench: Bench) -> None:
    await ready(bench)
    books_of(bench).is_away = True
    nobodys(bench, 3)
    await bench.deliver()
    await bench.runner.assignment.commit()
    assert bench.consumer.committed_offsets == {}
    books_of(bench).is_away = False
    await bench.runner.assignment.commit()
    assert bench.consumer.committed_offsets == {0: 3}
    assert bench.balanced()
    await bench.runner.stop()


async def test_a_crash_before_they_are_written_counts_them_once(bench: Bench) -> None:
    await ready(bench)
    books_of(bench).is_away = True
    nobodys(bench, 3)
    bench.clicks(2)
    await bench.deliver()
    await bench.runner.stop(0)
    books_of(bench).is_away = False
    bench.crash()
    await bench.run()
    assert bench.books.books[BOOK]["skipped"] == 3
    assert bench.state()["clicks"] == 2
    assert bench.balanced()


@pytest.mark.parametrize("lost", [1, 2])
async def test_an_answer_that_is_lost_counts_nothing_twice(bench: Bench, lost: int) -> None:
    await ready(bench)
    books_of(bench).loses_answers = lost
    for n in range(4):
        nobodys(bench, 1, start=n)
        await bench.deliver()
        await bench.runner.assignment.commit()
    await until(lambda: bench.consumer.committed_offsets == {0: 4})
    assert bench.books.books[BOOK]["skipped"] == 4
    assert bench.balanced()
    await bench.runner.stop()


async def test_who_finds_anothers_counts_reads_again_and_counts_once(bench: Bench) -> None:
    """As after a freeze: another process took the partition, counted, and died uncommitted."""
    await ready(bench)
    nobodys(bench, 2)
    await bench.deliver()
    nobodys(bench, 1, start=2)
    book = bench.books.books[BOOK]
    bench.books.books[BOOK] = {**book, "upto": 1, "skipped": 1}
    await bench.runner.assignment.commit()
    assert bench.consumer.committed_offsets == {}
    for _ in range(3):
        await bench.deliver()
        await until(lambda: bench.runner.assignment.partitions[0].is_ready)
    await bench.runner.assignment.commit()
    assert bench.consumer.committed_offsets == {0: 3}
    assert bench.books.books[BOOK]["skipped"] == 3
    assert bench.balanced()
    await bench.runner.stop()


async def test_counts_do_not_pile_up_while_the_books_are_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def later(_self: Assignment) -> None:
        """No commit by the clock."""

    monkeypatch.setattr(Assignment, "commit", later)
    await ready(bench)
    books_of(bench).is_away = True
    for n in range(MOST_UNSAVED + 2):
        nobodys(bench, 1, start=n)
        await bench.deliver()
    partition = bench.runner.assignment.partitions[0]
    assert len(partition.unsaved) == MOST_UNSAVED + 1
    assert partition.paused, "it goes on when the store is back"
    await bench.runner.stop(0)
