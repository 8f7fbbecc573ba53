"""What the clock triggers: tags that fall by time alone, fans whom a changed rule file concerns.

A tag falls by the clock only where no event can be missing that would have renewed it. So time is
let pass for a fan by the process that reads the fan's partition of the log, and only once all that
the partition held a moment ago is applied; a partition that was stopped, and so holds what nobody
has read, lets no time pass. What other processes have not read does not matter. Meanwhile the
records' own times make tags fall.

Fans whom a changed file concerns are examined by one process of the service at a time (a lease).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

from services.segmenter.domain.fan import Fan
from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules_file import RulesFileError
from services.segmenter.handlers import TagHandler
from services.segmenter.ports import FanIndex, FanPartitions, TagNotes
from shared.errors import FanEngagementError, TransientError
from shared.kafka.writer import DocumentWriter
from shared.observe.observer import Observer
from shared.retry import RetryPolicy
from shared.store.ports import Leases

LEASE = "segmenter.clock"
LEASE_S = 15.0
RETRY = RetryPolicy(first_delay_s=0.5, max_delay_s=10.0)

PAGES = 8
"""Batches of fans looked through in one look: the fans of other processes are among them."""


class RulesSource(Protocol):
    """Where the rule file is read from."""

    def read_if_changed(self) -> RuleBook | None:
        """The rules, if they are not the ones read last. May raise `RulesFileError`."""


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """How the clock's work is paced."""

    interval_s: float = 1.0
    """Between two looks while there is little to do."""
    grace_ms: int = 5_000
    """A tag falls this much later than due, for an event on its way may renew it."""
    batch: int = 500
    """Fans changed in one transaction of the store's."""
    fans_per_s: float = 2_000.0
    """Bound on fans changed, so that a new rule file or a mass expiry is no flood."""


class FanClock:
    """Changes fans whom time, or another rule book, concerns.

    Args:
        handler: decides, by the rules in force.
        writer: the runner's writer of the same documents.
        index: finds the fans.
        partitions: which fans are this process's, and how far it has read of them.
        leases: so that one process examines fans.
        holder: names this process.
        now: milliseconds since the epoch.
        notes: is told how many fans were examined.
        observer: is told of failures.
        group: the observer's label.
        settings: the pace.
    """

    def __init__(
        self,
        handler: TagHandler,
        writer: DocumentWriter[Fan],
        index: FanIndex,
        partitions: FanPartitions,
        leases: Leases,
        *,
        holder: str,
        now: Callable[[], int],
        notes: TagNotes,
        observer: Observer,
        group: str,
        settings: ClockSettings,
    ) -> None:
        self._handler = handler
        self._writer = writer
        self._index = index
        self._partitions = partitions
        self._leases = leases
        self._holder = holder
        self._skip = 0
        """Due fans passed over in the looks before this one: they are others' or must wait."""
        self._now = now
        self._notes = notes
        self._observer = observer
        self._group = group
        self._settings = settings

    async def run(self) -> NoReturn:
        """Work for ever; what fails is tried again."""
        failures = 0
        while True:
            try:
                changed = await self.tick()
            except TransientError as error:
                failures += 1
                self._observer.failure(self._group, "clock", error)
                await asyncio.sleep(RETRY.delay_s(failures, random.random()))
                continue
            failures = 0
            settings = self._settings
            pause = settings.interval_s
            if changed >= settings.batch:
                pause = min(pause, changed / settings.fans_per_s)
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        """Let another process go on at once."""
        try:
            await self._leases.release(LEASE, self._holder)
        except TransientError as error:
            self._observer.failure(self._group, "lease", error)

    async def tick(self) -> int:
        """One batch of fallen tags and one of outdated fans; answers how many fans at the most.

        Raises:
            TransientError: the store or the log can't be reached; nothing is half done.
        """
        if not self._partitions.any():
            return 0
        now = self._now()
        fallen = await self._let_fall(now - self._settings.grace_ms, now)
        return max(fallen, await self._examine(now))

    async def _let_fall(self, until: int, now: int) -> int:
        """Let time go on to `until`, for a batch of those fans of whom no event can be missing."""
        batch, changed = self._settings.batch, 0
        applied: dict[int, bool] = {}
        for _ in range(PAGES):
            keys = await self._index.due(until, batch, self._skip)
            by_partition: dict[int, list[str]] = {}
            for key in keys:
                number = self._partitions.of(key)
                if number is not None:
                    by_partition.setdefault(number, []).append(key)
            unknown = by_partition.keys() - applied.keys()
            if unknown:  # asked after `until` was known, so what came before that is applied
                done = await self._partitions.applied(unknown)
                applied.update({number: number in done for number in unknown})
            ready = [k for number, some in by_partition.items() if applied[number] for k in some]
            await self._advance(ready, until, now)
            changed += len(ready)
            # Those who fell are due no more. Without this, others' fans would hide ours for ever.
            self._skip = self._skip + len(keys) - len(ready) if len(keys) == batch else 0
            if changed >= batch or not self._skip:
                break
        return changed

    async def _examine(self, now: int) -> int:
        """Bring a batch of fans into agreement with the rules in force; time does not pass."""
        digest, batch = self._handler.book.digest, self._settings.batch
        outdated = await self._index.outdated(digest, batch)
        if not outdated:
            return 0
        if not await self._leases.acquire(LEASE, self._holder, LEASE_S, now / 1000):
            return 0
        await self._advance(outdated, 0, now)
        self._notes.examined(len(outdated))
        return len(outdated)

    async def _advance(self, keys: Sequence[str], until: int, now: int) -> None:
        """Advance these fans; one whose state can't be decided must not hold up the others."""
        if not keys:
            return
        try:
            await self._advance_together(keys, until, now)
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001 - a rule's mistake; told below, fan by fan
            if len(keys) == 1:
                self._observer.failure(self._group, "clock_fan", error)
                return
            for key in keys:
                await self._advance([key], until, now)

    async def _advance_together(self, keys: Sequence[str], until: int, now: int) -> None:
        await self._writer.change(
            keys, lambda key, fan: self._handler.advance(key, fan, until, now), announced=False
        )


class RulesWatch:
    """Puts a changed rule file in force while the service runs.

    Args:
        source: the file.
        handler: decides by it from then on.
        notes: is told.
        every_s: between two looks.
    """

    def __init__(
        self, source: RulesSource, handler: TagHandler, notes: TagNotes, *, every_s: float
    ) -> None:
        self._source = source
        self._handler = handler
        self._notes = notes
        self._every_s = every_s
        self._refused: list[str] = []

    async def run(self) -> NoReturn:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._every_s)
            self.look()

    def look(self) -> None:
        """Look once. A file that can't be used leaves the rules in force, and is told once."""
        try:
            book = self._source.read_if_changed()
        except RulesFileError as error:
            if error.problems != self._refused:
                self._refused = error.problems
                self._notes.rules_refused(error.problems)
            return
        if book is not None:
            self._refused = []
            self._handler.use(book)
            self._notes.rules_read(book.tags, book.digest)


class TagCount:
    """Keeps the figures of how many fans hold each tag.

    Args:
        index: counts.
        handler: knows the tags.
        notes: is told the figures.
        observer: is told of failures.
        group: the observer's label.
        every_s: between two counts; a count reads an index as long as the tag has fans.
    """

    def __init__(
        self,
        index: FanIndex,
        handler: TagHandler,
        notes: TagNotes,
        observer: Observer,
        *,
        group: str,
        every_s: float,
    ) -> None:
        self._index = index
        self._handler = handler
        self._notes = notes
        self._observer = observer
        self._group = group
        self._every_s = every_s

    async def run(self) -> NoReturn:
        """Count for ever; what fails is tried the next time."""
        while True:
            try:
                self._notes.counted(await self._index.count_by_tag(self._handler.book.tags))
            except FanEngagementError as error:
                self._observer.failure(self._group, "count", error)
            await asyncio.sleep(self._every_s)
