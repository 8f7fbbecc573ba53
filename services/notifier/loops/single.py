"""Sends pushes that name one fan each and have no idempotency key: never twice, whatever happens.

A step: due rows, fresh fans, decisions, debits, `calling`, the calls, the outcomes. A row that a
crash left in `calling` may have been called, so it ends as `unknown`. What this process knows about
its own calls it keeps until it is written: known outcomes, and rows it never came to call.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from services.notifier.domain import pushes
from services.notifier.domain.account import Account, stop_channel
from services.notifier.domain.decide_push import Context, Send, Verdict, decide_push
from services.notifier.domain.fan import Fan
from services.notifier.domain.ledger import CALL_HORIZON_MS
from services.notifier.domain.pushes import Push, PushState
from services.notifier.domain.reactions import (
    CRASHED,
    CallOutcome,
    name_outcome,
    settle_ledger,
    settle_push,
    stop_after,
)
from services.notifier.loops.desk import Desk, chunks, one_a_fan
from services.notifier.ports import PushChannel, Rest
from shared.errors import TransientError
from shared.kafka.handler import Change
from shared.platforms.outcomes import Reason, Unknown

DECIDED_AT_ONCE: Final = 500
CALLS_AT_ONCE: Final = 64
START_WITHIN_MS: Final = 4_000
"""A call starts within so long after its debit, or not at all: windows close, leases end."""
NOT_CALLED: Final = "not_called_in_time"


class SingleSender:
    """Sends what is due in one channel of one account.

    Args:
        desk: the account's documents and clock.
        channel: makes the calls.
        rate: calls a second at most.
        rest: waits.
        new_attempt: makes names that are never used twice.
    """

    def __init__(
        self,
        desk: Desk,
        channel: PushChannel,
        *,
        rate: float,
        rest: Rest,
        new_attempt: Callable[[], str],
    ) -> None:
        self._desk = desk
        self._channel = channel
        self._rate = rate
        self._rest = rest
        self._new_attempt = new_attempt
        self._batch = max(1, min(CALLS_AT_ONCE, int(rate * 2)))
        self._committed: dict[str, Push] = {}
        """Marked `calling`, perhaps, and not called."""
        self._outcomes: dict[str, tuple[Push, CallOutcome]] = {}
        """Called, the outcome not noted everywhere yet."""

    async def recover(self, called_before: int) -> None:
        """Settle rows left in `calling`: ours as we know, others' as unknown."""
        await self.settle()
        desk = self._desk
        rows = await desk.books.queries.calling(desk.account, self._channel.name, called_before)
        if not rows:
            return
        now = desk.time.moment().now
        left = {row.id: row for row in rows}

        def give_up(push: str, known: Push) -> Change[Push] | None:
            return pushes.unknown(known, CRASHED, now) if known == left[push] else None

        def close(key: str, fan: Fan) -> Change[Fan]:
            ledger = fan.ledger.settle(by_fan[key], now + CALL_HORIZON_MS)
            return Change(replace(fan, ledger=ledger))

        for some in chunks(rows):
            by_fan = {row.fan: row.id for row in some}
            await desk.books.rows.change([row.id for row in some], give_up, announced=False)
            await desk.books.ledgers.change(list(by_fan), close, announced=False)
        desk.observer.settled(self._channel.name, PushState.UNKNOWN.value, CRASHED, len(rows))

    async def step(self, account: Account) -> int:
        """Decide and send some of what is due; answers how many rows were looked at."""
        desk = self._desk
        await self.settle()
        moment = desk.time.moment()
        due = one_a_fan(
            await desk.books.queries.due(
                desk.account, self._channel.name, moment.now, DECIDED_AT_ONCE
            )
        )
        if not due:
            return 0
        contexts = await desk.contexts(due, account, moment)
        fans = await desk.read_fans(row.fan for row in due)
        verdicts: dict[str, Verdict] = {
            row.id: decide_push(fans[row.fan], row, contexts[row.campaign]) for row in due
        }
        going = [row for row in due if isinstance(verdicts[row.id], Send)][: self._batch]
        await desk.turn_down(due, verdicts, fans)
        if going:
            await self._send(going, contexts)
        return len(due)

    async def settle(self) -> None:
        """Write what is known about this process's calls and is not written yet."""
        if self._committed:
            await self._desk.put_back(list(self._committed.values()), NOT_CALLED)
            self._committed.clear()
        if not self._outcomes:
            return
        outcomes = dict(self._outcomes)
        self._desk.observer.step("called")
        await self._settle_rows(outcomes)
        self._desk.observer.step("row_settled")
        await self._settle_ledgers(outcomes)
        await self._settle_channel(outcomes)
        for push in outcomes:
            del self._outcomes[push]

    async def _send(self, going: Sequence[Push], contexts: Mapping[str, Context]) -> None:
        desk = self._desk
        started, moment = desk.time.read().mono, desk.time.moment()
        contexts = {name: replace(one, moment=moment) for name, one in contexts.items()}
        verdicts, fans = await desk.debit(going, contexts)
        desk.observer.step("debited")
        await desk.turn_down(going, verdicts, fans)
        rows = [row for row in going if isinstance(verdicts[row.id], Send)]
        attempt = self._new_attempt()
        self._committed = {row.id: replace(row, attempt=attempt) for row in rows}
        ours = await desk.commit(rows, moment.now, attempt)
        self._committed = {row.id: row for row in ours}
        desk.observer.step("committed")
        await asyncio.gather(
            *(
                self._call(row, contexts[row.campaign], place / self._rate, started)
                for place, row in enumerate(ours)
            )
        )
        await self.settle()

    async def _call(self, row: Push, context: Context, wait_s: float, started: int) -> None:
        if wait_s:
            await self._rest(wait_s)
            if not await self._is_still_wanted(row):
                return  # put back, and decided again
        time = self._desk.time
        before = time.read().mono
        if before - started > START_WITHIN_MS:
            return
        del self._committed[row.id]
        self._outcomes[row.id] = (row, Unknown(Reason.CONNECTION_LOST))
        try:
            outcome = await self._channel.send([row.openid], context.campaign.content, row.id)
        except Exception as error:  # noqa: BLE001 - whatever broke, the call may have been made
            self._desk.observer.failed("call", error)
            return
        time.hear(outcome.platform_time)
        self._outcomes[row.id] = (row, outcome)
        seconds = (time.read().mono - before) / 1000
        self._desk.observer.called(self._channel.name, name_outcome(outcome), 1, seconds)

    async def _is_still_wanted(self, row: Push) -> bool:
        """Whether the fan has neither opted out nor left while the call waited for its turn."""
        try:
            facts = (await self._desk.read_fans([row.fan]))[row.fan].facts
        except TransientError:
            return False
        return not facts.opted_out and facts.following is not False

    async def _settle_rows(self, outcomes: Mapping[str, tuple[Push, CallOutcome]]) -> None:
        now = self._desk.time.moment().now

        def decide(push: str, known: Push) -> Change[Push] | None:
            row, outcome = outcomes[push]
            if known.state is not PushState.CALLING or known.attempt != row.attempt:
                return None
            return settle_push(known, outcome, now)

        settled = await self._desk.books.rows.change(list(outcomes), decide, announced=False)
        for (state, reason), number in Counter(
            (row.state.value, row.reason) for row in settled.values()
        ).items():
            self._desk.observer.settled(self._channel.name, state, reason, number)

    async def _settle_ledgers(self, outcomes: Mapping[str, tuple[Push, CallOutcome]]) -> None:
        now = self._desk.time.moment().now
        by_fan = {row.fan: (row.id, outcome) for row, outcome in outcomes.values()}

        def decide(key: str, fan: Fan) -> Change[Fan] | None:
            push, outcome = by_fan[key]
            ledger = settle_ledger(fan.ledger, push, outcome, now)
            return Change(replace(fan, ledger=ledger)) if ledger != fan.ledger else None

        await self._desk.books.ledgers.change(list(by_fan), decide, announced=False)

    async def _settle_channel(self, outcomes: Mapping[str, tuple[Push, CallOutcome]]) -> None:
        desk = self._desk
        now = desk.time.moment().now
        stops = [
            stop
            for _, outcome in outcomes.values()
            if (stop := stop_after(outcome, desk.account, now)) is not None
        ]
        if not stops:
            return
        stop = max(stops, key=lambda one: one.until)
        await desk.books.accounts.change(
            [desk.account],
            lambda _key, known: Change(stop_channel(known, self._channel.name, stop, now)),
            announced=False,
        )
        desk.observer.channel_stopped(desk.account, self._channel.name, stop.reason, stop.until)
