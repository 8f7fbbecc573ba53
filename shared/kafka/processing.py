"""What happens to one batch: parse, prepare, decide, set aside, write, follow up. No consumer here.

The order is the guarantee: dead letters are acknowledged before the state of their batch is
written, and what the state announces is published after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.errors import DeadLetterReason, PermanentError, TransientError
from shared.events import TOPICS
from shared.kafka.deadletters import dead_letter
from shared.kafka.fold import Folded, Held, fold
from shared.kafka.group_books import GroupBooks
from shared.kafka.handler import Fact, Handler
from shared.kafka.limits import Outcome, outcome_of
from shared.kafka.partition import Partition
from shared.kafka.ports import OutgoingRecord, Publisher
from shared.kafka.records import FactReader, RawRecord
from shared.kafka.writer import DocumentWriter
from shared.observe.observer import Observer

PARSE_AT_ONCE = 1_000
"""Records parsed between two looks at the event loop."""

S = TypeVar("S")


@dataclass(slots=True)
class Batch:
    """The records of one delivery and what became of them. Origins are (partition, offset)."""

    records: dict[int, list[RawRecord]]
    facts: list[Fact] = field(default_factory=list)
    documents: dict[str, list[Fact]] = field(default_factory=dict)
    skipped: dict[int, list[int]] = field(default_factory=dict)
    dead: dict[tuple[int, int], PermanentError] = field(default_factory=dict)
    folds: dict[str, Folded] = field(default_factory=dict)

    def outcomes(self, number: int, records: Sequence[RawRecord]) -> list[Outcome]:
        """What became of a partition's records, in order, as its limit sees it."""
        dead = self.dead
        if not dead:
            return ["done"] * len(records)
        return [
            "done" if (error := dead.get((number, record.offset))) is None else outcome_of(error)
            for record in records
        ]


class TooManyDeadLettersError(Exception):
    """The record at `index` of a partition's records would be one dead letter too many."""

    def __init__(self, partition: int, index: int) -> None:
        super().__init__()
        self.partition = partition
        self.index = index


class DeadLetterTopicError(TransientError):
    """The dead-letter topic can't take a record: its batch waits."""


class Processor(Generic[S]):
    """Processes the batches of one group, one after the other; see `Runner` for the arguments."""

    def __init__(
        self,
        handler: Handler[S],
        writer: DocumentWriter[S],
        books: GroupBooks,
        publisher: Publisher,
        observer: Observer,
        *,
        service: str,
        topic: str,
        epoch: str,
    ) -> None:
        self._handler = handler
        self._writer = writer
        self._books = books
        self._publisher = publisher
        self._observer = observer
        self._service = service
        self._topic = topic
        self._epoch = epoch
        self._group = f"{service}.{topic}"
        known = TOPICS.get(topic)
        compacted = known is not None and known.is_compacted
        self._reader = FactReader(topic, handler.types, compacted=compacted)
        self._buried: set[tuple[int, int]] = set()
        """Origins set aside for a batch that is not through yet: they are not set aside again."""

    async def process(
        self, records: dict[int, list[RawRecord]], partitions: dict[int, Partition]
    ) -> tuple[Batch, asyncio.Future[None]]:
        """Make one batch durable; answers what became of it, and when its news are announced.

        Raises:
            TooManyDeadLettersError: a partition must stop; nothing was set aside or written.
            TransientError: try the batch again from its first record.
        """
        step = self._observer.step
        batch = Batch(records)
        step(self._group, "read")
        await self._parse(batch)
        await self._handler.before(batch.facts)
        await self._keep_aside(batch, partitions)
        for fact in batch.facts:
            document_id = self._handler.document_id(fact.event)
            if document_id is None:
                batch.skipped.setdefault(fact.partition, []).append(fact.offset)
            else:
                batch.documents.setdefault(document_id, []).append(fact)

        def decide(document_id: str, held: Held[S]) -> bool:
            facts = batch.documents[document_id]
            if batch.dead:
                facts = [f for f in facts if (f.partition, f.offset) not in batch.dead]
            folded = fold(held, facts, self._handler, epoch=self._epoch, source=self._writer.source)
            batch.folds[document_id] = folded
            for fact, error in folded.dead:
                batch.dead[fact.partition, fact.offset] = error
            return folded.changed

        async def before_write(oversized: set[str]) -> None:
            for document_id in oversized:
                for fact in batch.folds[document_id].new:
                    batch.dead[fact.partition, fact.offset] = PermanentError(
                        DeadLetterReason.DOCUMENT_FULL, "the document would pass 1 MiB"
                    )
            self._check_limits(batch, partitions)
            step(self._group, "decided")
            await self._bury(batch, partitions)
            step(self._group, "set_aside")

        async with self._writer.transaction() as transact:
            done = await transact(list(batch.documents), decide, before_write)
        step(self._group, "written")
        if batch.dead and not batch.documents:
            await before_write(set())
        await self._save_books(batch, partitions)
        alive = batch.facts
        if batch.dead:
            alive = [f for f in alive if (f.partition, f.offset) not in batch.dead]
        await self._handler.after(alive)
        step(self._group, "followed_up")
        self._buried.difference_update(batch.dead)
        return batch, self._writer.announce(done)

    async def _parse(self, batch: Batch) -> None:
        read = self._reader.read
        count = 0
        for number, records in batch.records.items():
            for record in records:
                try:
                    fact = read(record)
                except PermanentError as error:
                    batch.dead[number, record.offset] = error
                else:
                    if fact is None:
                        batch.skipped.setdefault(number, []).append(record.offset)
                    else:
                        batch.facts.append(fact)
                count += 1
                if count % PARSE_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _check_limits(self, batch: Batch, partitions: dict[int, Partition]) -> None:
        if not batch.dead:
            return
        for number, records in batch.records.items():
            index = partitions[number].limit.one_too_many(batch.outcomes(number, records))
            if index is not None:
                raise TooManyDeadLettersError(number, index)

    async def _keep_aside(self, batch: Batch, partitions: dict[int, Partition]) -> None:
        """What was noted to be set aside stays so, whoever noted it and whatever it is now."""
        for number, records in batch.records.items():
            partition = partitions[number]
            if partition.aside is None:
                partition.aside = await self._books.load_aside(number)
            for record in records if partition.aside else ():
                reason = partition.aside.get(record.offset)
                if reason is not None and (number, record.offset) not in batch.dead:
                    batch.dead[number, record.offset] = PermanentError(
                        DeadLetterReason(reason), "noted before this delivery"
                    )

    async def _note_aside(
        self, wanted: set[tuple[int, int]], batch: Batch, partitions: dict[int, Partition]
    ) -> None:
        for number in {number for number, _ in wanted}:
            partition = partitions[number]
            noted = partition.aside or {}
            fresh = {
                offset: batch.dead[number, offset].reason.value
                for origin, offset in wanted
                if origin == number and offset not in noted
            }
            old = [offset for offset in noted if offset < partition.committed]
            if fresh:
                await self._books.note_aside(number, add=fresh, drop=old)
            partition.aside = {o: r for o, r in (noted | fresh).items() if o not in old}

    async def _bury(self, batch: Batch, partitions: dict[int, Partition]) -> None:
        """Set the dead letters aside, acknowledged, before the state of their batch is written."""
        waiting = [origin for origin in batch.dead if origin not in self._buried]
        if not waiting:
            return
        wanted = set(waiting)
        await self._note_aside(wanted, batch, partitions)
        letters: list[OutgoingRecord] = [
            dead_letter(
                topic=self._topic,
                partition=number,
                offset=record.offset,
                key=record.key,
                value=record.value,
                headers=record.headers,
                service=self._service,
                error=batch.dead[number, record.offset],
            )
            for number, records in batch.records.items()
            for record in records
            if (number, record.offset) in wanted
        ]
        try:
            await self._publisher.publish(letters)
        except TransientError as error:
            raise DeadLetterTopicError("the dead-letter topic can't take it") from error
        self._buried.update(waiting)

    async def _save_books(self, batch: Batch, partitions: dict[int, Partition]) -> None:
        for number, records in batch.records.items():
            skipped = batch.skipped.get(number, ())
            await self._books.count_batch(partitions[number], records, skipped)
