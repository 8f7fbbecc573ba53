"""Publishes announcements one group after the other, until each is acknowledged.

While one group is in flight the next ones gather, so batches grow with the load by themselves.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

from shared.errors import TransientError
from shared.events.envelope import Envelope, to_headers
from shared.kafka.bookkeeping import Entry
from shared.kafka.ports import OutgoingRecord, Publisher
from shared.observe.observer import Observer
from shared.retry import RetryPolicy

RETRY = RetryPolicy(first_delay_s=0.1, max_delay_s=2.0)


class Announcer:
    """Keeps the order in which groups were handed in; a failure holds back what came later."""

    def __init__(self, publisher: Publisher, group: str, observer: Observer) -> None:
        self._publisher = publisher
        self._group = group
        self._observer = observer
        self._queue: list[tuple[Sequence[Entry], asyncio.Future[None], float]] = []
        self._working: asyncio.Task[None] | None = None
        self._stopped = False

    def announce(self, entries: Sequence[Entry]) -> asyncio.Future[None]:
        """Queue the entries; the future ends when they, and all before them, are acknowledged."""
        through: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._stopped:
            through.cancel()
            return through
        if not entries and not self._queue and (self._working is None or self._working.done()):
            through.set_result(None)
            return through
        self._queue.append((entries, through, time.monotonic()))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return through

    async def stop(self, drain_s: float) -> None:
        """Wait for what is queued, at most `drain_s` seconds; the rest stays in its outbox."""
        self._stopped = True
        if self._working is not None and not self._working.done():
            await asyncio.wait({self._working}, timeout=drain_s)
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        for _, through, _ in self._queue:
            through.cancel()

    async def _work(self) -> None:
        while self._queue:
            groups, self._queue = self._queue, []
            entries = [entry for group, _, _ in groups for entry in group]
            try:
                await self._publish(entries)
            except BaseException:
                self._queue = groups + self._queue
                raise
            now = time.monotonic()
            for group, through, since in groups:
                for entry in group:
                    entry.progress = "acknowledged"
                if group:
                    self._observer.announced(self._group, len(group), now - since)
                if not through.done():
                    through.set_result(None)

    async def _publish(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        records = [outgoing(entry) for entry in entries]
        attempt = 0
        while True:
            try:
                await self._publisher.publish(records)
            except TransientError as error:
                self._observer.failure(self._group, "announce", error)
                attempt += 1
                await asyncio.sleep(RETRY.delay_s(attempt, random.random()))
            else:
                return


def outgoing(entry: Entry) -> OutgoingRecord:
    """The record of an outbox entry: made again after a crash, it is the same."""
    envelope = Envelope(entry.id, entry.source, entry.type, entry.time, entry.traceparent)
    return OutgoingRecord(entry.topic, entry.key.encode(), entry.value, to_headers(envelope))
