"""Judges accounts: when their bell rang, and every few seconds, whoever crashed.

Reads the bell first, then the comments; the guarded write names the bell it read. A comment that
came in between rings after that, so the account is judged again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from services.sentiment.domain.documents import load_usual
from services.sentiment.domain.incidents.changes import apply_judgements
from services.sentiment.domain.incidents.claims import Evidence, judge_account
from services.sentiment.domain.incidents.incident import AccountIncidents, unresolved
from services.sentiment.domain.incidents.judgement import Thresholds
from services.sentiment.domain.incidents.usual import HOUR_MS, Prior
from services.sentiment.domain.incidents.windows import Volume
from services.sentiment.loops.leases import AccountLeases
from services.sentiment.ports import CommentBook, Counters, IncidentObserver
from shared.errors import FanEngagementError
from shared.events import IncidentEvent
from shared.kafka.handler import Announcement, Change
from shared.kafka.writer import DocumentWriter
from shared.store.ports import GuardedStore

TICK_S = 0.5
SWEEP_MS = 5_000
RELAY_MS = 30_000
AHEAD_MS = HOUR_MS
"""A platform's clock may run ahead of ours by so much."""
LONGEST_LOOK_MS = 24 * HOUR_MS
GATHER_S = 0.1
"""After a bell, wait for what comes with it."""
SLOW_S = 0.2
REST = 4
"""After a slow judgement an account rests so many times as long, so that a storm can't starve
the others."""
MOST_REST_S = 5.0

Clock = Callable[[], int]


class Evaluator:
    """Runs `judge_account` over the accounts that this process holds.

    Args:
        writer: of the incidents' documents.
        usual: the documents of the accounts' history.
        book: the scored comments.
        counters: the accounts' bells.
        leases: which accounts are ours.
        thresholds: when comments become an incident.
        prior: what is usual without history.
        pause_from_severity: promotions pause for incidents at least this severe.
        observer: is told.
        clock: ms.
        changed: called after an incident changed.
        monotonic: seconds, for how long a judgement took and an account rests.
    """

    def __init__(
        self,
        *,
        writer: DocumentWriter[AccountIncidents],
        usual: GuardedStore,
        book: CommentBook,
        counters: Counters,
        leases: AccountLeases,
        thresholds: Thresholds,
        prior: Prior,
        pause_from_severity: int,
        observer: IncidentObserver,
        clock: Clock,
        changed: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._usual = usual
        self._book = book
        self._counters = counters
        self._leases = leases
        self._thresholds = thresholds
        self._prior = prior
        self._pause_from_severity = pause_from_severity
        self._observer = observer
        self._clock = clock
        self._changed = changed
        self._monotonic = monotonic
        self._rang = asyncio.Event()
        self._seen: dict[str, int] = {}
        self._judged_at: dict[str, int] = {}
        self._rest_until: dict[str, float] = {}
        self._relayed_at = 0

    def ring(self) -> None:
        """Comments came to this process: don't wait for the next tick."""
        self._rang.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._rang.clear()
            try:
                await self.round()
            except FanEngagementError as error:
                self._observer.failed("evaluate", error)
                await asyncio.sleep(TICK_S)
            try:
                async with asyncio.timeout(TICK_S):
                    await self._rang.wait()
                    await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass

    async def round(self) -> None:
        """Judge every account that is due once."""
        now = self._clock()
        for account, bell in (await self._counters.all()).items():
            rang = bell != self._seen.get(account)
            swept = now - self._judged_at.get(account, -SWEEP_MS) >= SWEEP_MS
            if not (rang or swept) or self._monotonic() < self._rest_until.get(account, 0.0):
                continue
            if await self._leases.hold(account, self._clock()):
                try:
                    await self.judge(account, bell)
                except FanEngagementError as error:  # the other accounts go on
                    self._observer.failed("evaluate", error)
        if now - self._relayed_at >= RELAY_MS:
            await self._writer.relay(announced=False)
            self._relayed_at = now
        self._observer.round_done()

    async def judge(self, account: str, bell: int) -> None:
        """Judge one account by the comments there are.

        Args:
            account: `platform:account`.
            bell: its counter, read before this call.
        """
        began = self._monotonic()
        evidence = await self._read(account, bell)
        now = self._clock()
        events: list[IncidentEvent] = []

        def decide(_id: str, state: AccountIncidents) -> Change[AccountIncidents] | None:
            judgements = judge_account(state, evidence, self._prior, self._thresholds, now)
            announced = apply_judgements(
                account,
                state,
                judgements,
                seen=bell,
                now=now,
                pause_from_severity=self._pause_from_severity,
            )
            events.clear()
            if announced is None:
                return None
            events.extend(event for event, _ in announced.events)
            return Change(
                announced.state,
                tuple(Announcement(event, cause) for event, cause in announced.events),
            )

        # Not waiting for the log: pages must go out when it is away.
        await self._writer.change([account], decide, announced=False)
        self._observer.step("incident_written" if events else "judged")
        self._seen[account] = bell
        self._judged_at[account] = now
        for event in events:
            self._observer.announced(event)
        if events:
            self._changed()
        took = self._monotonic() - began
        self._observer.evaluated(account, took)
        rest = min(took * REST, MOST_REST_S) if took > SLOW_S else 0.0
        self._rest_until[account] = self._monotonic() + rest

    async def _read(self, account: str, bell: int) -> Evidence:
        now = self._clock()
        states = await self._writer.change([account], lambda _id, _state: None, announced=False)
        started = [one.started_at for one in unresolved(states[account])]
        since = max(min([now - self._thresholds.horizon_ms, *started]), now - LONGEST_LOOK_MS)
        until = now + AHEAD_MS
        negatives = await self._book.negatives(account, since, until)
        others = await self._book.others(account, since, until) if negatives else {}
        history = (await self._usual.read([account])).get(account, {})
        return Evidence(bell, tuple(negatives), Volume.of(others), load_usual(history))
