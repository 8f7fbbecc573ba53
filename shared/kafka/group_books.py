"""One group's books: which offsets of each partition were skipped, or hold no record at all."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter

from shared.errors import TransientError
from shared.kafka.partition import Count, Partition
from shared.kafka.records import RawRecord
from shared.store.ports import PartitionBook, PartitionBooks

_OFFSET = attrgetter("offset")
MOST_UNSAVED = 1_000
"""Counts of one partition in memory, while its book can't be written."""


def offsets_without_record(records: Sequence[RawRecord], first: int) -> int:
    """How many offsets from `first` to the last record hold none of `records`.

    Transactions leave markers, and readers of committed records are not given the aborted ones;
    compaction leaves gaps.
    """
    held = len(records)
    if records[0].offset < first:
        held -= bisect_left(records, first, key=_OFFSET)
    return max(0, records[-1].offset + 1 - first - held)


class GroupBooks:
    """The books of one group in one incarnation of the log; see `PartitionBooks`."""

    def __init__(self, books: PartitionBooks, *, group: str, epoch: str, topic: str) -> None:
        self._books = books
        self._place = (group, epoch, topic)
        self._saving: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def load(self, number: int) -> PartitionBook | None:
        """The partition's book."""
        return await self._books.load(*self._place, number)

    async def open(self, number: int, start: int, topic_id: str) -> None:
        """Begin the book of a partition that this group reads for the first time."""
        await self._books.save(
            *self._place, number, start=start, read=-1, upto=start, topic_id=topic_id
        )

    async def count(
        self, partition: Partition, upto: int, *, without_record: int = 0, topic_id: str = ""
    ) -> None:
        """Count what became of the offsets before `upto`, once, in the store's book.

        Raises:
            TransientError: see `save`.
        """
        self.note(partition, Count(upto, without_record=without_record))
        await self.save(partition, topic_id)

    async def save(self, partition: Partition, topic_id: str = "") -> None:
        """Write down what was counted; a commit must not go before it.

        Raises:
            TransientError: it is not known whether it is written. Counts that turn out to be
                written are not written again; see `Partition.is_disowned` for another's.
        """
        async with self._saving[partition.number]:
            unsaved = list(partition.unsaved)
            if partition.is_disowned:
                raise TransientError("another process keeps these books")
            if not unsaved and not topic_id:
                return
            upto = unsaved[-1].upto if unsaved else partition.books_saved
            try:
                await self._books.save(
                    *self._place,
                    partition.number,
                    start=partition.start,
                    read=partition.books_saved,
                    upto=upto,
                    skipped=sum(count.skipped for count in unsaved),
                    without_record=sum(count.without_record for count in unsaved),
                    topic_id=topic_id,
                )
            except TransientError:
                book = await self.load(partition.number)
                if book is not None:
                    _compare(partition, book.upto)
                if partition.books_saved != upto:
                    raise
                return
            _saved(partition, upto)

    def note(self, partition: Partition, count: Count) -> None:
        """Count in memory; `save` writes it down."""
        partition.unsaved.append(count)
        partition.books_from = count.upto

    async def count_batch(
        self, partition: Partition, records: Sequence[RawRecord], skipped: Collection[int]
    ) -> None:
        """Count the skips of a delivery, and the offsets in it, or before it, without a record.

        They are written down before the delivery is committed, with those of other deliveries;
        at once where that was late already.

        Raises:
            TransientError: see `save`.
        """
        if skipped:
            skipped = [offset for offset in skipped if offset >= partition.books_from]
        without = offsets_without_record(records, partition.next_offset)
        if skipped or without:
            upto = max(partition.books_from, records[-1].offset + 1)
            self.note(partition, Count(upto, len(skipped), without))
        if len(partition.unsaved) > MOST_UNSAVED:
            await self.save(partition)

    async def pass_over(self, partition: Partition, upto: int) -> None:
        """Count the offsets before `upto` that are not counted or done as ones without a record."""
        without = upto - partition.next_offset
        if without > 0:
            await self.count(partition, upto, without_record=without)
        partition.pass_over(upto)

    async def load_aside(self, number: int) -> dict[int, str]:
        """Offsets that stay dead letters."""
        return await self._books.load_aside(*self._place, number)

    async def note_aside(self, number: int, add: Mapping[int, str], drop: Collection[int]) -> None:
        """Note dead letters before they are sent."""
        await self._books.note_aside(*self._place, number, add=add, drop=drop)


def _saved(partition: Partition, upto: int) -> None:
    partition.books_saved = upto
    partition.unsaved = [count for count in partition.unsaved if count.upto > upto]


def _compare(partition: Partition, stored: int) -> None:
    """Take in how far the store's book goes, after a write whose outcome is not known."""
    if stored == partition.books_saved:
        return
    if any(count.upto == stored for count in partition.unsaved):
        _saved(partition, stored)
    else:
        partition.is_disowned = True
