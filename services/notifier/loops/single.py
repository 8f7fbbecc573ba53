"""Sends pushes that name one fan each and have no idempotency key: never twice, whatever happens.

A step: due rows, fresh fans, decisions, debits, `calling`, a last look, the calls, the outcomes. A
row that a crash left in `calling` may have been called, so it ends as `unknown`. What this process
knows about its own calls it keeps until it is written: known outcomes, and rows it never came to
call. What it has read or written it goes on from, as long as nobody else has changed it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Final

from services.notifier.domain import pushes
from services.notifier.domain.account import Account, stop_channel
from services.notifier.domain.campaigns import Content
from services.notifier.domain.decide_push import Context, Send, Verdict, decide_push
from services.notifier.domain.fan import Fan
from services.notifier.domain.ledger import CALL_HORIZON_MS
from services.notifier.domain.pushes import Push, PushState
from services.notifier.domain.reactions import (
    CRASHED,
    CallOutcome,
    closes_channel,
    name_outcome,
    settle_ledger,
    settle_push,
    stop_after,
)
from services.notifier.loops.desk import Desk
from services.notifier.loops.last_look import look_again
from services.notifier.loops.rows import by_id, chunks, one_a_fan, states
from services.notifier.ports import PushChannel, Rest
from shared.documents.reader import Versioned
from shared.errors import TransientError
from shared.kafka.handler import Change
from shared.platforms.outcomes import Reason, Unknown

DECIDED_AT_ONCE: Final = 500
"""Rows looked at in a step while none of them may go."""
SENT_FROM: Final = 100
"""Rows looked at in a step while some may go: more than one step sends."""
CALLS_AT_ONCE: Final = 64
TOGETHER_S: Final = 0.5
"""Calls of so long a time are made together, after one last look."""
LONGEST_REST_S: Final = 5.0
"""A slow pace is kept in steps of so long, so that the account's lease and other channels go on."""
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
        together_s: calls of so many seconds share a last look; 0 for each its own.
    """

    def __init__(
        self,
        desk: Desk,
        channel: PushChannel,
        *,
        rate: float,
        rest: Rest,
        new_attempt: Callable[[], str],
        together_s: float = TOGETHER_S,
    ) -> None:
        self._desk = desk
        self._channel = channel
        self._rate = rate
        self._rest = rest
        self._new_attempt = new_attempt
        self._batch = max(1, min(CALLS_AT_ONCE, int(rate * 2)))
        self._together = max(1, int(rate * together_s))
        self._free_at = 0
        """When the next batch may be called, by our monotonic clock: a batch keeps the pace."""
        self._some_go = True
        """Whether any row of the last step could go."""
        self._rows: dict[str, Versioned[Push]] = {}
        """The step's rows as they were read or written last."""
        self._fans: dict[str, Versioned[Fan]] = {}
        """Their fans."""
        self._committed: dict[str, Push] = {}
        """Marked `calling`, perhaps, and not called."""
        self._outcomes: dict[str, tuple[Push, CallOutcome]] = {}
        """Called, the outcome not noted everywhere yet."""

    async def recover(self, called_before: int) -> None:
        """Settle rows left in `calling`: ours as we know, others' as unknown."""
        await self.settle()
        desk = self._desk
        await desk.adopt(self._channel.name)
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
        found = await desk.books.queries.due(
            desk.account,
            self._channel.name,
            moment.now,
            SENT_FROM if self._some_go else DECIDED_AT_ONCE,
        )
        if not found:
            return 0
        self._rows = by_id(found)
        due = one_a_fan([one.state for one in found])
        contexts = await desk.contexts(due, account, moment)
        self._fans = await desk.find_fans(row.fan for row in due)
        fans = states(self._fans)
        verdicts: dict[str, Verdict] = {
            row.id: decide_push(fans[row.fan], row, contexts[row.campaign]) for row in due
        }
        going = [row for row in due if isinstance(verdicts[row.id], Send)][: self._batch]
        self._some_go = bool(going)
        await desk.turn_down(due, verdicts, fans, self._rows)
        if going:
            await self._send(going, contexts)
        return len(due)

    async def settle(self) -> None:
        """Write what is known about this process's calls and is not written yet."""
        if self._committed:
            await self._desk.put_back(list(self._committed.values()), NOT_CALLED, self._rows)
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
        wait_s = (self._free_at - desk.time.read().mono) / 1000
        if wait_s > 0:
            await self._rest(min(wait_s, LONGEST_REST_S))
            if wait_s > LONGEST_REST_S:
                return
        started, moment = desk.time.read().mono, desk.time.moment()
        contexts = {name: replace(one, moment=moment) for name, one in contexts.items()}
        verdicts, fans = await desk.debit(going, contexts, self._fans)
        desk.observer.step("debited")
        await desk.turn_down(going, verdicts, fans, self._rows)
        rows = [row for row in going if isinstance(verdicts[row.id], Send)]
        attempt = self._new_attempt()
        self._committed = {row.id: replace(row, attempt=attempt) for row in rows}
        ours = await desk.commit(rows, moment.now, attempt, self._rows)
        self._committed = {row.id: row for row in ours}
        desk.observer.step("committed")
        self._free_at = desk.time.read().mono + round(len(ours) / self._rate * 1000)
        await self._call_in_turn(ours, started)
        await self.settle()

    async def _call_in_turn(self, rows: Sequence[Push], started: int) -> None:
        """Begin the calls at their pace, those that are made together after one last look."""
        time = self._desk.time
        begun = time.read().mono
        calls: list[asyncio.Task[None]] = []
        try:
            for first in range(0, len(rows), self._together):
                wait_s = first / self._rate - (time.read().mono - begun) / 1000
                if wait_s > 0:
                    await self._rest(wait_s)
                if any(closes_channel(outcome) for _, outcome in self._outcomes.values()):
                    return  # the account learns of it when the batch is settled
                some = rows[first : first + self._together]
                calls += [asyncio.ensure_future(one) for one in await self._look(some, started)]
                await asyncio.sleep(0)  # they begin right after their look
        finally:
            await asyncio.gather(*calls)

    async def _look(
        self, rows: Sequence[Push], started: int
    ) -> list[Coroutine[object, object, None]]:
        """Calls to those of the rows that may still go; the others are put back."""
        try:
            look = await look_again(self._desk, rows)
        except TransientError as error:
            self._desk.observer.failed("last_look", error)
            return []
        self._fans |= look.fans
        latest = min(started + START_WITHIN_MS, look.ends_at)
        return [
            self._call(row, look.contexts[row.campaign].campaign.content, latest)
            for row in rows
            if row.id in look.wanted
        ]

    async def _call(self, row: Push, content: Content, latest: int) -> None:
        """Make the call, unless it is too late for it by our monotonic clock."""
        time = self._desk.time
        before = time.read().mono
        if before > latest:
            return
        del self._committed[row.id]
        self._outcomes[row.id] = (row, Unknown(Reason.CONNECTION_LOST))
        try:
            outcome = await self._channel.send([row.openid], content, row.id, latest / 1000)
        except Exception as error:  # noqa: BLE001 - whatever broke, the call may have been made
            self._desk.observer.failed("call", error)
            return
        time.hear(outcome.platform_time)
        self._outcomes[row.id] = (row, outcome)
        seconds = (time.read().mono - before) / 1000
        self._desk.observer.called(self._channel.name, name_outcome(outcome), 1, seconds)

    async def _settle_rows(self, outcomes: Mapping[str, tuple[Push, CallOutcome]]) -> None:
        now = self._desk.time.moment().now

        def decide(push: str, known: Push) -> Change[Push] | None:
            row, outcome = outcomes[push]
            if known.state is not PushState.CALLING or known.attempt != row.attempt:
                return None
            return settle_push(known, outcome, now)

        settled = await self._desk.books.rows.change(
            list(outcomes), decide, announced=False, read=self._rows
        )
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

        await self._desk.books.ledgers.change(
            list(by_fan), decide, announced=False, read=self._fans
        )

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
