"""Begins the calls that are due, alarms first, and writes down how each channel answered.

A page is a row before it is a call, and stays due until its channel answered; so a crash anywhere
repeats a call at most. The channel classifies, only the rows retry.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

from services.sentiment.domain.paging.dispatch import MINUTE_MS, Due, Limits, Used, choose
from services.sentiment.domain.paging.pages import Outcome, Page, answered, needed, obsolete
from services.sentiment.ports import IncidentObserver
from shared.kafka.handler import Change
from shared.kafka.writer import DocumentWriter
from shared.observe.logs import traced

Clock = Callable[[], int]
Call = Callable[[Sequence[Due]], Awaitable[Outcome]]
Key = tuple[str, str]


class Dispatcher:
    """The calls of this process.

    Args:
        pages: writer of the pages' documents.
        call: calls a channel.
        limits: of the channels, by name; a channel that is not named has none.
        observer: is told.
        clock: ms.
        over: called with the incidents of a call that is over.
    """

    def __init__(
        self,
        *,
        pages: DocumentWriter[Page | None],
        call: Call,
        limits: Mapping[str, Limits],
        observer: IncidentObserver,
        clock: Clock,
        over: Callable[[Iterable[str]], None],
    ) -> None:
        self._pages = pages
        self._call = call
        self._limits = limits
        self._observer = observer
        self._clock = clock
        self._over = over
        self._used: defaultdict[str, Used] = defaultdict(Used)
        self._tasks: set[asyncio.Task[None]] = set()
        self._calling: dict[Key, str] = {}
        self._again_at: dict[str, int] = {}
        self._later: dict[str, Page] = {}

    def accounts(self) -> set[str]:
        """Accounts with a call on its way."""
        return set(self._calling.values())

    def instants(self) -> list[int]:
        """When calls may be due that waited when `begin` was called last, ms."""
        return [*self._again_at.values(), *(page.next_at for page in self._later.values())]

    def oldest_alarm(self) -> int | None:
        """Since when the oldest page that a channel did not take has been due, ms."""
        alarms = (page for page in self._later.values() if page.wanted.action == "trigger")
        return min((page.wanted.due_at for page in alarms), default=None)

    def begin(self, due: Iterable[Due]) -> set[str]:
        """Begin what may be called now; answers the accounts of which something must wait."""
        waiting: dict[str, list[Due]] = defaultdict(list)
        overtaken: list[Page] = []
        now = self._clock()
        for one in due:
            if one.key in self._calling:
                continue
            if needed(one.page, one.incident, now):
                waiting[one.page.wanted.channel].append(one)
            else:
                overtaken.append(one.page)
        self.retire(overtaken)
        self._again_at.clear()
        # What was due and is not among these was settled by another process, or is left to it.
        self._later = {name: page for name, page in self._later.items() if page.next_at > now}
        left: set[str] = set()
        for channel, rows in waiting.items():
            used = self._used[channel]
            chosen = choose(rows, self._limits.get(channel, Limits()), used, now)
            for call in chosen.calls:
                used.note(call, now)
                for one in call:
                    self._calling[one.key] = one.page.wanted.account
                self._start(self._handle(call), call)
            if chosen.again_at is not None:
                self._again_at[channel] = chosen.again_at
                left |= {one.page.wanted.account for one in rows}
        return left

    def retire(self, pages: Collection[Page]) -> None:
        """Nobody needs these rows any more."""
        if pages:
            now = self._clock()
            self._start(self._put({page.id: (page, obsolete(page, now)) for page in pages}))

    async def finish(self) -> None:
        """Wait for the calls that are on their way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Awaitable[None], call: Sequence[Due] = ()) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)

        def over(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            for one in call:
                self._calling.pop(one.key, None)
            if not done.cancelled() and (error := done.exception()) is not None:
                self._observer.failed("page", error)
                return  # the row is still due; the next tick tries again, not this instant
            self._over({one.incident.id for one in call})

        task.add_done_callback(over)

    async def _handle(self, call: Sequence[Due]) -> None:
        outcome = await self._call(call)
        self._observer.step("page_called")
        now, chance = self._clock(), random.random()
        if outcome.result == "throttled":
            used = self._used[call[0].page.wanted.channel]
            rest_ms = max(round((outcome.retry_after_s or 0.0) * 1000), MINUTE_MS)
            used.words_rest_until = now + rest_ms
        rows: dict[str, tuple[Page, Page]] = {}
        for one in call:
            seconds = None
            if outcome.result == "sent" and one.page.wanted.deciding_at:
                seconds = max(now - one.page.wanted.deciding_at, 0) / 1000
            with traced(one.incident.trace):
                self._observer.page_called(one.page, outcome, seconds)
            rows[one.page.id] = one.page, answered(one.page, outcome, now, chance)
        await self._put(rows)
        self._later.update((id_, after) for id_, (_, after) in rows.items() if after.state == "due")

    async def _put(self, rows: Mapping[str, tuple[Page, Page]]) -> None:
        def decide(page_id: str, row: Page | None) -> Change[Page | None] | None:
            before, after = rows[page_id]
            same = row is not None and row.state == "due" and row.attempts == before.attempts
            return Change(after) if same else None

        await self._pages.change(rows, decide)
