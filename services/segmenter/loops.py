"""What the clock triggers: tags that fall by time alone, fans whom a changed rule file concerns.

One process of the service does this at a time (a lease). While the log has records that are not
applied yet, no tag falls by the clock: one of them may have renewed it. Those records' own times
make tags fall meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, Protocol

from services.segmenter.domain.fan import Fan
from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules_file import RulesFileError
from services.segmenter.handlers import TagHandler
from services.segmenter.ports import FanIndex, TagNotes
from shared.errors import FanEngagementError, TransientError
from shared.kafka.writer import DocumentWriter
from shared.observe.observer import Observer
from shared.retry import RetryPolicy
from shared.store.ports import Leases

LEASE = "segmenter.clock"
LEASE_S = 15.0
RETRY = RetryPolicy(first_delay_s=0.5, max_delay_s=10.0)

Backlog = Literal["not_assigned", "some", "none"]
"""Records that are not applied yet; `not_assigned`: this process has no part of the log, so it
can't tell, and leaves the clock to one that can."""


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
        leases: so that one process does it.
        holder: names this process.
        backlog: what this process has to do in the log.
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
        leases: Leases,
        *,
        holder: str,
        backlog: Callable[[], Backlog],
        now: Callable[[], int],
        notes: TagNotes,
        observer: Observer,
        group: str,
        settings: ClockSettings,
    ) -> None:
        self._handler = handler
        self._writer = writer
        self._index = index
        self._leases = leases
        self._holder = holder
        self._backlog = backlog
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
        now = self._now()
        backlog = self._backlog()
        if backlog == "not_assigned":
            return 0
        if not await self._leases.acquire(LEASE, self._holder, LEASE_S, now / 1000):
            return 0
        fallen: list[str] = []
        until = now - self._settings.grace_ms if backlog == "none" else 0
        if until:
            fallen = await self._index.due(until, self._settings.batch)
            await self._advance(fallen, until)
        digest = self._handler.book.digest
        outdated = await self._index.outdated(digest, self._settings.batch)
        await self._advance(outdated, until)
        if outdated:
            self._notes.examined(len(outdated))
        return max(len(fallen), len(outdated))

    async def _advance(self, keys: Sequence[str], now: int) -> None:
        """Advance these fans; one whose state can't be decided must not hold up the others."""
        if not keys:
            return
        try:
            await self._advance_together(keys, now)
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001 - a rule's mistake; told below, fan by fan
            if len(keys) == 1:
                self._observer.failure(self._group, "clock_fan", error)
                return
            for key in keys:
                await self._advance([key], now)

    async def _advance_together(self, keys: Sequence[str], now: int) -> None:
        await self._writer.change(
            keys, lambda key, fan: self._handler.advance(key, fan, now), announced=False
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
