"""Mass sends: who is in the next wave, and when it becomes real.

The account's document is where a wave becomes real: its write takes the slot and names the key, and
refuses a holder whose tenure is over. Rows marked for a wave that never became real were never
called. What follows is `open_waves`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from services.notifier.domain.account import (
    Account,
    AccountKind,
    Wave,
    mass_free_at,
    open_wave,
)
from services.notifier.domain.campaigns import Campaign
from services.notifier.domain.decide_push import (
    Context,
    Drop,
    Hold,
    Moment,
    Send,
    Verdict,
    decide_campaign,
    decide_push,
)
from services.notifier.domain.fan import Fan
from services.notifier.domain.periods import MINUTE_MS, day_of
from services.notifier.domain.pushes import Push
from services.notifier.domain.waves import MOST_FANS, wave_size
from services.notifier.loops.desk import Desk
from services.notifier.loops.last_look import LOOK_LASTS_MS, look_again, read_contexts
from services.notifier.loops.open_waves import OpenWaves
from services.notifier.loops.rows import by_id, one_a_fan, states
from services.notifier.ports import PushChannel
from shared.documents.reader import Versioned
from shared.kafka.handler import Change

ALONE: Final = "waiting_for_a_second_fan"
PLANNING: Final = "audience_being_planned"
SLOT_TAKEN: Final = "mass_slot_taken"
ABANDONED: Final = "wave_abandoned"


class MassSender:
    """Sends waves in one mass channel of one account.

    Args:
        desk: the account's documents and clock.
        channel: makes the calls.
        kind: which of the platform's limits the account has.
        new_attempt: makes keys that are never used twice, at most 64 bytes.
    """

    def __init__(
        self,
        desk: Desk,
        channel: PushChannel,
        *,
        kind: AccountKind,
        new_attempt: Callable[[], str],
    ) -> None:
        self._desk = desk
        self._channel = channel
        self._waves = OpenWaves(desk, channel)
        self._kind = kind
        self._new_attempt = new_attempt
        self._tenure = 0
        self._marked: list[Push] = []
        """Marked for a wave that has perhaps not become real."""
        self._rows: dict[str, Versioned[Push]] = {}
        """The step's rows as they were read or written last."""

    async def recover(self, tenure: int, called_before: int) -> None:
        """Free the rows that a holder before us marked for a wave that never became real.

        Called when our tenure is in the account's document: no older holder can open a wave now.
        """
        self._tenure = tenure
        self._marked = []
        desk = self._desk
        await desk.adopt(self._channel.name)
        account = await desk.read_account()
        rows = await desk.books.queries.calling(desk.account, self._channel.name, called_before)
        real = account.wave.id if account.wave else None
        await desk.put_back([row for row in rows if row.attempt != real], ABANDONED)

    async def step(self, account: Account) -> int:
        """Find out about the open wave, or make the next; answers how many rows were looked at."""
        if self._marked:
            await self._unmark(account)
        if account.wave is not None:
            return await self._waves.go_on(account, account.wave, self._tenure)
        desk = self._desk
        moment = await self._sure_moment(account)
        due = await desk.books.queries.due(
            desk.account, self._channel.name, moment.now, MOST_FANS + 1
        )
        if not due:
            return 0
        self._rows = by_id(due)
        first = due[0].state.campaign
        rows = one_a_fan([one.state for one in due if one.state.campaign == first])
        context = (await desk.contexts(rows[:1], account, moment))[rows[0].campaign]
        gate = self._decide_wave(context)
        read = await desk.find_fans(row.fan for row in rows)
        fans = states(read)
        verdicts: dict[str, Verdict] = {}
        for row in rows:
            verdict = decide_push(fans[row.fan], row, context)
            verdicts[row.id] = gate if gate and isinstance(verdict, Send) else verdict
        going = [row for row in rows if isinstance(verdicts[row.id], Send)]
        await desk.turn_down(rows, verdicts, fans, self._rows)
        if going:
            await self._gather(going, context, read)
        return len(rows)

    async def _sure_moment(self, account: Account) -> Moment:
        """Now; asks the platform for its time when that is all that is missing."""
        desk = self._desk
        moment = desk.time.moment()
        if moment.unsure_until is None or moment.unsure_until > moment.now:
            return moment
        waiting = await desk.books.queries.due(desk.account, self._channel.name, moment.now, 1)
        if not waiting or account.stop_of(self._channel.name, moment.now):
            return moment
        desk.time.hear(await self._channel.ask_time())
        return desk.time.moment()

    def _decide_wave(self, context: Context) -> Hold | Drop | None:
        """What stands against a wave, beside what stands against each of its pushes."""
        found = decide_campaign(context)
        if found is not None:
            return found
        now = context.moment.now
        if not _is_planned(context.campaign):
            return Hold(PLANNING, None, now + 1_000)
        free_at = mass_free_at(context.account, self._kind, now)
        return Hold(SLOT_TAKEN, free_at, free_at) if free_at > now else None

    async def _gather(
        self, going: Sequence[Push], context: Context, read: dict[str, Versioned[Fan]]
    ) -> None:
        desk = self._desk
        size = wave_size(len(going))
        if not size:
            await self._wait_for_second(going[0], context)
            return
        verdicts, fans = await desk.debit(going[:size], {context.campaign.id: context}, read)
        desk.observer.step("wave_debited")
        await desk.turn_down(going[:size], verdicts, fans, self._rows)
        rows = [row for row in going[:size] if isinstance(verdicts[row.id], Send)]
        if wave_size(len(rows)) != len(rows):
            return
        key = self._new_attempt()
        self._marked = [replace(row, attempt=key) for row in rows]
        self._marked = await desk.commit(rows, context.moment.now, key, self._rows)
        desk.observer.step("wave_marked")
        ours, fresh, latest = await self._still_wanted(self._marked, context)
        wave = await self._open(key, ours, fresh) if wave_size(len(ours)) == len(ours) else None
        if wave is None:
            await self._unmark(await desk.read_account())
            return
        self._marked = []
        desk.observer.step("wave_opened")
        await self._waves.call_first(wave, ours, context.campaign, latest)

    async def _still_wanted(
        self, rows: Sequence[Push], context: Context
    ) -> tuple[list[Push], Context, int]:
        """The last look: who may be named, campaign and account as they are now, and until when."""
        if not rows:
            return [], context, 0
        look = await look_again(self._desk, rows)
        await self._desk.put_back(
            [row for row in rows if row.id not in look.wanted], ABANDONED, self._rows
        )
        # Reading many fans takes long; what staff decided meanwhile is about all of them.
        latest = self._desk.time.read().mono + LOOK_LASTS_MS
        fresh = await read_contexts(self._desk, [context.campaign.id])
        wanted = [row for row in rows if row.id in look.wanted]
        return wanted, fresh[context.campaign.id], latest

    async def _open(self, key: str, rows: Sequence[Push], context: Context) -> Wave | None:
        """Take the slot; None where anything has changed since the decision."""
        desk = self._desk
        moment = desk.time.moment()
        if moment.unsure_until is not None or day_of(moment.now) != day_of(context.moment.now):
            return None
        now = moment.now
        wave = Wave(key, context.campaign.id, len(rows), at=now, try_at=now + MINUTE_MS)
        opened = False

        def decide(_key: str, known: Account) -> Change[Account] | None:
            nonlocal opened
            fresh = replace(context, account=known, moment=moment)
            opened = (
                known.tenure == self._tenure
                and known.wave is None
                and self._decide_wave(fresh) is None
            )
            return Change(open_wave(known, wave)) if opened else None

        await desk.books.accounts.change([desk.account], decide, announced=False)
        return wave if opened else None

    async def _unmark(self, account: Account) -> None:
        """Free rows that we marked, unless their wave became real after all."""
        rows = self._marked
        if rows and (account.wave is None or account.wave.id != rows[0].attempt):
            await self._desk.put_back(rows, ABANDONED)
        self._marked = []

    async def _wait_for_second(self, row: Push, context: Context) -> None:
        """Hold a single fan, or wake the one who waits already: then both are due together."""
        desk = self._desk
        alone = [one.state for one in await desk.books.queries.held_for(desk.account, ALONE)]
        partners = [one.id for one in alone if one.campaign == row.campaign and one.fan != row.fan]
        if partners:
            await desk.wake(partners)
            return
        look_at = min(context.moment.now + MINUTE_MS, context.campaign.expires)
        fans = await desk.read_fans([row.fan])
        await desk.turn_down([row], {row.id: Hold(ALONE, None, look_at)}, fans, self._rows)


def _is_planned(campaign: Campaign) -> bool:
    return campaign.audience_tag is None or campaign.plan.done
