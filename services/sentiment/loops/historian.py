"""Folds the hours that are over into each account's history, and erases old words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.sentiment.domain.incidents.history import (
    fold_span,
    hours_to_fold,
    next_fold_at,
)
from services.sentiment.domain.incidents.usual import Prior, Usual
from services.sentiment.loops.leases import AccountLeases
from services.sentiment.ports import CommentBook, Counters, IncidentObserver
from shared.errors import FanEngagementError
from shared.kafka.handler import Change
from shared.kafka.writer import DocumentWriter

ROUND_S = 30.0
USER = "historian"
ERASE_EVERY_MS = 3_600_000
DAY_MS = 86_400_000

Clock = Callable[[], int]


class Historian:
    """Keeps the usual of the accounts that this process holds.

    Args:
        writer: of the history's documents.
        book: the scored comments.
        counters: tells which accounts there are.
        leases: which accounts are ours.
        prior: what is usual without history.
        text_days: words of comments are erased after so many days.
        observer: is told about failures.
        clock: ms.
    """

    def __init__(
        self,
        *,
        writer: DocumentWriter[Usual],
        book: CommentBook,
        counters: Counters,
        leases: AccountLeases,
        prior: Prior,
        text_days: float,
        observer: IncidentObserver,
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._book = book
        self._counters = counters
        self._leases = leases
        self._prior = prior
        self._text_days = text_days
        self._observer = observer
        self._clock = clock
        self._erased_at = 0
        self._due_at: dict[str, int] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.round()
            except FanEngagementError as error:
                self._observer.failed("history", error)
            await asyncio.sleep(ROUND_S)

    async def round(self) -> None:
        """Fold in what is due, a day of each account at the most, until nothing is."""
        for account in await self._counters.all():
            if self._clock() >= self._due_at.get(account, 0):
                await self._fold_all(account)
        now = self._clock()
        if now - self._erased_at >= ERASE_EVERY_MS:
            await self._book.forget_texts(now - round(self._text_days * DAY_MS))
            self._erased_at = now

    async def _fold_all(self, account: str) -> None:
        """Fold in what is due; what another process is at is left to it, and looked at again."""
        while await self._leases.hold(account, self._clock(), USER):
            if not await self.fold(account):
                self._due_at[account] = next_fold_at(self._clock())
                break
        await self._leases.let_go(account, USER)

    async def fold(self, account: str) -> bool:
        """Fold in the next hours of an account; false if none is due."""
        usual = (await self._writer.change([account], lambda _id, _usual: None))[account]
        first_at = None if usual.folded_upto else await self._book.first_at(account)
        span = hours_to_fold(usual, usual.folded_upto or first_at, self._clock())
        if span[0] >= span[1]:
            return False
        negatives = await self._book.negatives(account, *span)
        others = await self._book.others(account, *span)

        def decide(_id: str, found: Usual) -> Change[Usual] | None:
            if found.folded_upto != usual.folded_upto:
                return None  # another process was here
            return Change(fold_span(found, self._prior, span, negatives, others))

        await self._writer.change([account], decide)
        return True
