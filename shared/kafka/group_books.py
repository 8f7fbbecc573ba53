"""One group's books: which offsets of each partition were skipped, or hold no record at all."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter

from shared.errors import TransientError
from shared.kafka.partition import Partition
from shared.kafka.records import RawRecord
from shared.store.ports import PartitionBook, PartitionBooks

_OFFSET = attrgetter("offset")


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

    async def load(self, number: int) -> PartitionBook | None:
        """The partition's book."""
        return await self._books.load(*self._place, number)

    async def open(self, number: int, start: int, topic_id: str) -> None:
        """Begin the book of a partition that this group reads for the first time."""
        await self._books.save(
            *self._place, number, start=start, read=-1, upto=start, topic_id=topic_id
        )

    async def count(
        self,
        partition: Partition,
        upto: int,
        *,
        skipped: int = 0,
        without_record: int = 0,
        topic_id: str = "",
    ) -> None:
        """Count what became of the offsets before `upto`, once, whoever counted some meanwhile.

        Raises:
            TransientError: it is not known whether they are counted; what is counted by now was
                read again where that was possible.
        """
        try:
            await self._books.save(
                *self._place,
                partition.number,
                start=partition.start,
                read=partition.books_from,
                upto=upto,
                skipped=skipped,
                without_record=without_record,
                topic_id=topic_id,
            )
        except TransientError:
            book = await self.load(partition.number)
            if book is not None:
                partition.books_from = book.upto
            raise
        partition.books_from = upto

    async def count_batch(
        self, partition: Partition, records: Sequence[RawRecord], skipped: Collection[int]
    ) -> None:
        """Count the skips of a delivery, and the offsets in it, or before it, without a record."""
        if skipped:
            skipped = [offset for offset in skipped if offset >= partition.books_from]
        without = offsets_without_record(records, partition.next_offset)
        if skipped or without:
            upto = max(partition.books_from, records[-1].offset + 1)
            await self.count(partition, upto, skipped=len(skipped), without_record=without)

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
