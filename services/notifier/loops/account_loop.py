"""One account's sender: holds the lease, recovers what a crash left, and steps its channels.

A new holder first raises the tenure in the account's document, so that an older one, frozen and
woken, can make no wave real; then it settles rows left in `calling`. Rows that an older holder
marks after that are found by a sweep every minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Final

from services.notifier.domain.account import Account
from services.notifier.domain.periods import HOUR_MS, MINUTE_MS
from services.notifier.loops.desk import Desk
from services.notifier.loops.mass import MassSender
from services.notifier.loops.single import SingleSender
from shared.errors import TransientError
from shared.kafka.handler import Change
from shared.store.ports import Leases
from shared.waiting import Bell, spread

LEASE_S: Final = 30.0
RENEW_AFTER_MS: Final = 5_000
"""So that a step that takes long has most of the lease before it."""
BUSY_S: Final = 0.2
"""Between two steps that find nothing to do, while a wave is open or a row is due."""
IDLE_S: Final = 3.0
"""Between two looks for what another process has planned; what this one plans rings."""
LOOK_AHEAD_MS: Final = 4_000
"""The next look at what is due comes before that."""
REFUSED_S: Final = 2.0
"""Between two tries for a lease that another process has."""
FAILED_S: Final = 1.0
SWEEP_EVERY_MS: Final = MINUTE_MS
SWEPT_AFTER_MS: Final = 5 * MINUTE_MS
"""No call lasts so long: a row still in `calling` is nobody's."""
_EVER_MS: Final = 24 * HOUR_MS
"""Ahead of every clock that may have marked a row."""


class AccountLoop:
    """Sends the pushes of one account while it holds the account's lease.

    Args:
        desk: the account's documents and clock.
        senders: its channels.
        leases: one holder an account.
        holder: names this process.
        bell: wakes it when this process has planned something.
    """

    def __init__(
        self,
        desk: Desk,
        senders: Sequence[SingleSender | MassSender],
        *,
        leases: Leases,
        holder: str,
        bell: Bell,
    ) -> None:
        self._desk = desk
        self._senders = tuple(senders)
        self._leases = leases
        self._holder = holder
        self._bell = bell
        self._is_busy = True
        """Whether a whole step is worth while, whatever is due."""
        self._rest_s = 0.0
        """How long nothing is to be done after the last step, as far as this process knows."""
        self._tenure: int | None = None
        self._held_at = 0
        self._swept_at = 0

    async def run(self) -> None:
        """Step for ever. A step that has begun is finished before the process stops."""
        try:
            while True:
                step = asyncio.ensure_future(self._step_safely())
                try:
                    wait_s = await asyncio.shield(step)
                except asyncio.CancelledError:
                    await asyncio.wait({step})
                    raise
                await self._bell.rest(wait_s)
        except asyncio.CancelledError:  # most of the time it rests
            await self.release()
            raise

    async def step(self) -> int:
        """One round over the channels; answers how many rows were looked at."""
        if not await self._hold():
            self._rest_s = spread(REFUSED_S)
            return 0
        if not self._is_busy and (due_in_s := await self._due_in_s()) > 0:
            self._rest_s = min(spread(IDLE_S), due_in_s)
            return 0
        self._is_busy = True
        looked = 0
        account = await self._desk.read_account()
        for sender in self._senders:
            looked += await sender.step(account)  # before a call, the account is read again
        self._is_busy = looked > 0 or account.wave is not None
        self._rest_s = 0.0 if looked else BUSY_S
        return looked

    async def release(self) -> None:
        """Let another process take the account at once."""
        if self._tenure is None:
            return
        try:
            await self._leases.release(self._name, self._holder)
        except TransientError as error:
            self._desk.observer.failed("lease", error)

    @property
    def _name(self) -> str:
        return f"sender.{self._desk.account}"

    async def _step_safely(self) -> float:
        try:
            await self.step()
        except TransientError as error:
            self._desk.observer.failed("step", error)
            return FAILED_S
        except Exception as error:  # noqa: BLE001 - one account's trouble must not stop the others
            self._desk.observer.failed("step", error)
            self._tenure = None  # whatever it was, begin as after a crash
            return FAILED_S
        return self._rest_s

    async def _due_in_s(self) -> float:
        """Seconds until a row is to be looked at; not above 0 where one is."""
        now = self._desk.time.moment().now
        until = now + LOOK_AHEAD_MS
        first = await self._desk.books.queries.first_look(self._desk.account, until)
        return inf if first is None else (first - now) / 1000

    async def _hold(self) -> bool:
        """Whether this process holds the lease; recovers when it has just got it."""
        reading = self._desk.time.read()
        since = reading.mono - self._held_at
        lapsed = since > LEASE_S * 1000
        if self._tenure is not None and since < RENEW_AFTER_MS:
            return True
        if not await self._leases.acquire(self._name, self._holder, LEASE_S, reading.wall / 1000):
            self._tenure = None
            return False
        self._held_at = reading.mono
        if self._tenure is None or lapsed:
            await self._begin()
        elif reading.mono - self._swept_at > SWEEP_EVERY_MS:
            await self._recover(self._tenure, self._desk.time.moment().now - SWEPT_AFTER_MS)
        return True

    async def _begin(self) -> None:
        self._tenure = None
        self._is_busy = True  # another holder may have left a wave open, which no row tells of

        def decide(_key: str, known: Account) -> Change[Account]:
            return Change(replace(known, tenure=known.tenure + 1))

        books = self._desk.books
        found = await books.accounts.change([self._desk.account], decide, announced=False)
        tenure = found[self._desk.account].tenure
        await self._recover(tenure, self._desk.time.moment().now + _EVER_MS)
        self._tenure = tenure

    async def _recover(self, tenure: int, called_before: int) -> None:
        self._swept_at = self._desk.time.read().mono
        for sender in self._senders:
            match sender:
                case SingleSender():
                    await sender.recover(called_before)
                case MassSender():
                    await sender.recover(tenure, called_before)
