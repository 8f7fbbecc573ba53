"""What the clock triggers: reading the comments of articles that are due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from services.ingest.handlers.comments import ELSEWHERE, FINISHED, MISSING, Polled, Poller
from services.ingest.ports import ArticleIndex, Observer
from shared.errors import TransientError
from shared.observe.logs import get_logger

TICK_S: Final = 1.0
BACKOFF_S: Final = 5.0
MOST_DUE: Final = 100
AT_ONCE: Final = 4
"""Articles read at a time."""
STORE_UNAVAILABLE: Final = "store_unavailable"
_SAID_ELSEWHERE: Final = frozenset({ELSEWHERE, MISSING})
"""Not a refusal: another process reads it, or it is no article of ours."""


class CommentLoop:
    """Reads what is due, for ever.

    Args:
        index: finds the articles that are due.
        poller: reads one.
        accounts: the gh_ ids of the accounts to read.
        observer: counts.
        prepare: makes the store ready, before the first reading.
        clock: Unix seconds.
    """

    def __init__(
        self,
        index: ArticleIndex,
        poller: Poller,
        *,
        accounts: Sequence[str],
        observer: Observer,
        prepare: Callable[[], Awaitable[object]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._index = index
        self._poller = poller
        self._accounts = tuple(accounts)
        self._observer = observer
        self._prepare = prepare
        self._clock = clock
        self._log = get_logger(__name__)
        self._refused: dict[str, str] = {}
        """The articles whose comments can't be read now, and why; each change is told once."""

    async def run(self) -> None:
        """Read until cancelled; the store's failures are waited out."""
        while True:
            try:
                if self._prepare is not None:
                    await self._prepare()
                    self._prepare = None
                await self.run_once()
            except TransientError as error:
                self._observer.poll(STORE_UNAVAILABLE)
                self._log.warning("ingest.comments.store_unavailable", exc_info=error)
                await asyncio.sleep(BACKOFF_S)
            else:
                await asyncio.sleep(TICK_S)

    async def run_once(self) -> int:
        """Read every article that is due now; returns how many were.

        Raises:
            TransientError: the store can't be reached.
        """
        now_ms = int(self._clock() * 1000)
        due = await self._index.find_due(self._accounts, now_ms, MOST_DUE)
        gate = asyncio.Semaphore(AT_ONCE)

        async def poll(doc_id: str) -> None:
            async with gate:
                polled = await self._poller.poll(doc_id, self._clock())
            self._tell(doc_id, polled)

        results = await asyncio.gather(*(poll(one) for one in due), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(due)

    def _tell(self, doc_id: str, polled: Polled) -> None:
        self._observer.poll(polled.outcome)
        self._observer.comments(polled.published)
        if polled.published or polled.malformed:
            self._log.info(
                "ingest.comments.read",
                article=doc_id,
                outcome=polled.outcome,
                published=polled.published,
                malformed=polled.malformed,
            )
        elif polled.outcome != ELSEWHERE:
            self._log.debug("ingest.comments.read", article=doc_id, outcome=polled.outcome)
        self._tell_refusal(doc_id, polled.outcome)

    def _tell_refusal(self, doc_id: str, outcome: str) -> None:
        if outcome in _SAID_ELSEWHERE:
            return
        if outcome == FINISHED:
            if self._refused.pop(doc_id, None) is not None:
                self._log.info("ingest.comments.read_again", article=doc_id)
        elif self._refused.get(doc_id) != outcome:
            self._refused[doc_id] = outcome
            self._log.warning("ingest.comments.refused", article=doc_id, reason=outcome)
