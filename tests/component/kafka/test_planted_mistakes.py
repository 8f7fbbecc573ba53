"""The suite catches what it claims to catch: each planted mistake must make its test fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from shared.kafka import group_books, processing
from shared.kafka.announcer import Announcer
from shared.kafka.bookkeeping import Bookkeeping, Entry, Mark, Ring
from shared.kafka.fold import Held
from shared.kafka.footing import Footing
from shared.kafka.group_books import GroupBooks
from shared.kafka.limits import DeadLetterLimit
from shared.kafka.partition import Count, Partition
from shared.kafka.processing import Batch, Processor
from shared.kafka.runner import Runner
from shared.kafka.writer import DocumentWriter
from shared.testing.memory_log import MemoryConsumer
from tests.component.kafka import test_offsets_without_a_record as gaps
from tests.component.kafka import test_partition_commits as commits
from tests.component.kafka import test_partitions_have_their_own_clock as clocks
from tests.component.kafka import test_runner_in_memory as suite

Plant = Callable[[pytest.MonkeyPatch], None]
Caught = Callable[[], Awaitable[None]]


def entry_dropped_from_a_cached_copy(patch: pytest.MonkeyPatch) -> None:
    keep = DocumentWriter._keep

    def forgetful(self: DocumentWriter[Any], done: Mapping[str, Held[Any]]) -> None:
        keep(self, done)
        for held in self._cache.values():
            held.book = Bookkeeping(held.book.marks, held.book.rings)

    patch.setattr(DocumentWriter, "_keep", forgetful)


def entry_leaves_before_its_acknowledgement(patch: pytest.MonkeyPatch) -> None:
    def hasty(self: Bookkeeping) -> list[Entry]:
        gone = [entry for entry in self.outbox if entry.progress != "waiting"]
        self.outbox = [entry for entry in self.outbox if entry.progress == "waiting"]
        return gone

    patch.setattr(Bookkeeping, "drop_acknowledged", hasty)


def dead_letter_after_the_write(patch: pytest.MonkeyPatch) -> None:
    bury, save = Processor._bury, Processor._save_books

    async def later(self: Processor[Any], batch: Batch, partitions: dict[int, Partition]) -> None:
        del self, batch, partitions

    async def late(self: Processor[Any], batch: Batch, partitions: dict[int, Partition]) -> None:
        await bury(self, batch, partitions)
        await save(self, batch, partitions)

    patch.setattr(Processor, "_bury", later)
    patch.setattr(Processor, "_save_books", late)


def watermark_without_log_epoch(patch: pytest.MonkeyPatch) -> None:
    mark = Bookkeeping.mark

    def epochless(self: Bookkeeping, _epoch: str, topic: str, partition: int) -> Mark:
        return mark(self, "", topic, partition)

    patch.setattr(Bookkeeping, "mark", epochless)


def no_watermark(patch: pytest.MonkeyPatch) -> None:
    def fresh(_self: Bookkeeping, epoch: str, topic: str, partition: int) -> Mark:
        return Mark(epoch, topic, partition)

    patch.setattr(Bookkeeping, "mark", fresh)


def ring_forgets_how_far_back_it_reaches(patch: pytest.MonkeyPatch) -> None:
    def guess(self: Ring, event_id: str, _time: int) -> str:
        return "duplicate" if event_id in self.members else "new"

    patch.setattr(Ring, "tell", guess)


def commit_without_waiting(patch: pytest.MonkeyPatch) -> None:
    def all_of_it(self: Partition) -> int:
        while self.in_flight:
            self.done, _ = self.in_flight.popleft()
        return self.done

    patch.setattr(Partition, "advance", all_of_it)


def commit_out_of_order(patch: pytest.MonkeyPatch) -> None:
    def whatever_is_done(self: Partition) -> int:
        done = [one for one in self.in_flight if one[1].done() and not one[1].cancelled()]
        for one in done:
            self.in_flight.remove(one)
        self.done = max([self.done, *(offset for offset, _ in done)])
        return self.done

    patch.setattr(Partition, "advance", whatever_is_done)


def a_batch_overtakes_the_one_before(patch: pytest.MonkeyPatch) -> None:
    announce = Announcer.announce

    def overtaking(self: Announcer, entries: Sequence[Entry]) -> asyncio.Future[None]:
        if entries:
            return announce(self, entries)
        through: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        through.set_result(None)
        return through

    patch.setattr(Announcer, "announce", overtaking)
    commit_out_of_order(patch)


def nothing_is_announced_on_assignment(patch: pytest.MonkeyPatch) -> None:
    async def silent(_self: Any, _topic: str = "", _partitions: Sequence[int] = (-1,)) -> int:
        return 0

    patch.setattr(DocumentWriter, "relay", silent)


def lost_races_are_ignored(patch: pytest.MonkeyPatch) -> None:
    write = DocumentWriter._write

    async def careless(self: DocumentWriter[Any], *arguments: Any) -> set[str]:
        await write(self, *arguments)
        return set()

    patch.setattr(DocumentWriter, "_write", careless)


def a_bad_deploy_empties_the_topic(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DeadLetterLimit, "one_too_many", lambda _self, _dead: None)


def skips_are_counted_at_every_delivery(patch: pytest.MonkeyPatch) -> None:
    save = Processor._save_books

    async def again(self: Processor[Any], batch: Batch, partitions: dict[int, Partition]) -> None:
        await save(self, batch, partitions)
        for number in batch.skipped:
            partition = partitions[number]
            self._books.note(partition, Count(partition.books_from, skipped=1))

    patch.setattr(Processor, "_save_books", again)


def offsets_are_committed_before_the_skips_are_written(patch: pytest.MonkeyPatch) -> None:
    async def careless(_self: GroupBooks, _partition: Partition, _topic_id: str = "") -> None:
        return

    patch.setattr(GroupBooks, "save", careless)


def a_log_that_was_wiped_goes_unnoticed(patch: pytest.MonkeyPatch) -> None:
    async def trusting(_self: Footing, partition: Partition, _place: Any) -> None:
        partition.books_from = partition.seen = 0

    patch.setattr(Footing, "find", trusting)


def offsets_without_a_record_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(group_books, "offsets_without_record", lambda _records, _first: 0)


def a_position_is_taken_for_done_while_records_are_out(patch: pytest.MonkeyPatch) -> None:
    def where(self: MemoryConsumer, place: Any) -> tuple[int | None, int]:
        return self.positions[place.partition], 0

    patch.setattr(MemoryConsumer, "where", where)


def a_late_record_is_taken_for_a_failure(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(processing, "outcome_of", lambda _error: "failed")


def one_clock_for_all_partitions(patch: pytest.MonkeyPatch) -> None:
    def progress(self: Runner[Any], *arguments: Any) -> None:
        finish(self, *arguments)
        for partition in self.assignment.partitions.values():
            partition.moved_at = time.monotonic()
            partition.behind_since = None

    finish = Runner._finish
    patch.setattr(Runner, "_finish", progress)


PLANTED: Mapping[Plant, Caught] = {
    entry_dropped_from_a_cached_copy: (
        suite.test_every_write_carries_unacknowledged_announcements_also_from_a_cached_copy
    ),
    entry_leaves_before_its_acknowledgement: (
        suite.test_every_write_carries_unacknowledged_announcements_also_from_a_cached_copy
    ),
    dead_letter_after_the_write: (
        suite.test_dead_letters_are_acknowledged_before_the_state_of_their_batch_is_written
    ),
    watermark_without_log_epoch: (
        suite.test_watermarks_of_another_incarnation_of_the_log_hold_nothing_back
    ),
    no_watermark: suite.test_a_batch_that_was_written_but_not_committed_is_not_applied_again,
    ring_forgets_how_far_back_it_reaches: (
        suite.test_an_event_too_old_for_the_ring_is_set_aside_and_not_guessed
    ),
    commit_without_waiting: (
        suite.test_offsets_are_committed_only_when_everything_before_them_is_announced
    ),
    commit_out_of_order: commits.test_a_batch_that_is_through_early_waits_for_those_before_it,
    a_batch_overtakes_the_one_before: (
        suite.test_offsets_are_committed_only_when_everything_before_them_is_announced
    ),
    nothing_is_announced_on_assignment: (
        suite.test_what_a_crash_left_in_the_outbox_is_announced_on_assignment_with_the_same_id
    ),
    lost_races_are_ignored: (suite.test_a_write_that_loses_the_race_is_read_again_and_applied_once),
    a_bad_deploy_empties_the_topic: (
        suite.test_a_bad_deploy_stops_the_partition_instead_of_emptying_the_topic
    ),
    skips_are_counted_at_every_delivery: (
        suite.test_unwanted_types_are_skipped_and_counted_once_also_when_delivered_again
    ),
    offsets_are_committed_before_the_skips_are_written: (
        suite.test_unwanted_types_are_skipped_and_counted_once_also_when_delivered_again
    ),
    a_log_that_was_wiped_goes_unnoticed: (
        suite.test_a_log_that_went_backwards_under_the_same_epoch_stops_the_partition
    ),
    offsets_without_a_record_are_not_counted: (
        partial(gaps.test_markers_and_gaps_between_records_are_counted_and_the_books_balance, 5_000)
    ),
    a_position_is_taken_for_done_while_records_are_out: (
        gaps.test_records_whose_delivery_came_to_nothing_are_delivered_again_and_not_passed_over
    ),
    a_late_record_is_taken_for_a_failure: (
        suite.test_a_history_that_comes_newest_first_stops_nobody
    ),
    one_clock_for_all_partitions: (
        clocks.test_a_partition_that_gets_nothing_is_silent_though_another_one_moves
    ),
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
async def test_a_planted_mistake_is_caught(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    await PLANTED[plant]()
    plant(monkeypatch)
    with pytest.raises((AssertionError, TimeoutError)):
        async with asyncio.timeout(4.0):
            await PLANTED[plant]()
