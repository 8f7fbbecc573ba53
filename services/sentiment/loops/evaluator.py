"""Judges accounts: when their bell rang, and now and then, whoever crashed.

Reads the bell first, then the comments; the guarded write names the bell it read. A comment that
came in between rings after that, so the account is judged again.

A process that stores comments rings its own evaluator, which takes the account's lease and judges.
Where another process holds the lease, that one looks at all bells often as long as it does, and
this one goes on asking until the bell has been answered. So nobody has to look often at rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

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
from shared.kafka.handler import Change
from shared.kafka.writer import DocumentWriter
from shared.store.ports import GuardedStore
from shared.waiting import rung_within, spread

BUSY_S = 0.5
"""Between two looks at the bells while comments come."""
IDLE_S = 5.0
"""Between two looks at the bells at rest: only what other processes left needs them."""
BUSY_MS = 3_000
"""An account is busy for so long after its bell rang; then its lease is given back."""
REFUSED_S = 0.5
"""Between two tries for a lease that another process has."""
SWEEP_MS = 5_000
"""A bell may be lost in a crash: so soon an account is judged without one, after comments came;"""
RECENT_MS = 60_000
SWEEP_IDLE_MS = 60_000
"""and so soon where nothing happens, since an incident may end by calm."""
USER = "evaluator"
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


@dataclass(slots=True)
class _Look:
    """What this process knows of an account."""

    bell: int = -1
    """As read last."""
    rang_at: int = 0
    """When it was seen to have changed, ms."""
    seen: int = -1
    """The bell that was answered, by whichever process."""
    judged_at: int | None = None
    """ms."""
    rest_until: float = 0.0
    """Monotonic seconds."""
    refused: bool = False

    def sweep_at(self, now: int) -> int:
        """When it is judged without a bell, ms."""
        if self.judged_at is None:
            return now
        if self.judged_at - self.rang_at < RECENT_MS:
            return self.judged_at + SWEEP_MS
        return self.judged_at + SWEEP_IDLE_MS


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
        self._looks: dict[str, _Look] = {}
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
                wait_s = self._wait_s()
            except FanEngagementError as error:
                self._observer.failed("evaluate", error)
                await asyncio.sleep(BUSY_S)
                wait_s = BUSY_S
            if await rung_within(self._rang, wait_s):
                await asyncio.sleep(GATHER_S)

    async def round(self) -> None:
        """Judge every account that is due once."""
        now = self._clock()
        for account, bell in (await self._counters.all()).items():
            look = self._looks.setdefault(account, _Look())
            if bell != look.bell:
                look.bell, look.rang_at = bell, now
            swept = now >= look.sweep_at(now)
            if not (bell != look.seen or swept) or self._monotonic() < look.rest_until:
                continue
            try:
                await self._judge_if_due(account, look, swept=swept)
            except FanEngagementError as error:  # the other accounts go on
                self._observer.failed("evaluate", error)
        for account in self._leases.held_by(USER):
            if now - self._looks[account].rang_at >= BUSY_MS:
                await self._leases.let_go(account, USER)
        if now - self._relayed_at >= RELAY_MS:
            await self._writer.relay(announced=False)
            self._relayed_at = now
        self._observer.round_done()

    def _wait_s(self) -> float:
        """How long nothing is due, as far as this process knows."""
        now, wait_s = self._clock(), spread(IDLE_S)
        for look in self._looks.values():
            if look.refused:
                wait_s = min(wait_s, REFUSED_S)
            if look.bell != look.seen and look.rest_until:
                wait_s = min(wait_s, max(look.rest_until - self._monotonic(), 0.0))
            if now - look.rang_at < BUSY_MS:
                wait_s = min(wait_s, BUSY_S)
        return wait_s

    async def _judge_if_due(self, account: str, look: _Look, *, swept: bool) -> None:
        """Judge an account, if its bell was not answered by another process and none is at it."""
        look.refused = False
        state = None
        if not swept:
            state = await self._state(account)
            if state.seen >= look.bell:
                look.seen = look.bell
                return
        if await self._leases.hold(account, self._clock(), USER):
            await self.judge(account, look.bell, state)
        else:
            look.refused = look.bell != look.seen
            look.judged_at = self._clock()  # by who has the lease

    async def judge(self, account: str, bell: int, state: AccountIncidents | None = None) -> None:
        """Judge one account by the comments there are.

        Args:
            account: `platform:account`.
            bell: its counter, read before this call.
            state: its incidents, if they were read just now; they tell how far back to look.
        """
        began = self._monotonic()
        evidence = await self._read(account, bell, state or await self._state(account))
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
            return announced.change

        # Not waiting for the log: pages must go out when it is away.
        states = await self._writer.change([account], decide, announced=False)
        self._observer.step("incident_written" if events else "judged")
        look = self._looks.setdefault(account, _Look(bell, now))
        look.seen, look.judged_at = bell, now
        for event in events:
            self._observer.announced(event)
        if events or any(one.grave for one in unresolved(states[account])):
            self._changed()
        took = self._monotonic() - began
        self._observer.evaluated(account, took)
        rest = min(took * REST, MOST_REST_S) if took > SLOW_S else 0.0
        look.rest_until = self._monotonic() + rest

    async def _state(self, account: str) -> AccountIncidents:
        return (await self._writer.change([account], _only_look, announced=False))[account]

    async def _read(self, account: str, bell: int, state: AccountIncidents) -> Evidence:
        now = self._clock()
        started = [one.started_at for one in unresolved(state)]
        since = max(min([now - self._thresholds.horizon_ms, *started]), now - LONGEST_LOOK_MS)
        until = now + AHEAD_MS
        negatives = await self._book.negatives(account, since, until)
        others = await self._book.others(account, since, until) if negatives else {}
        history = (await self._usual.read([account])).get(account, {})
        return Evidence(bell, tuple(negatives), Volume.of(others), load_usual(history))


def _only_look(_id: str, _state: AccountIncidents) -> None:
    return None
