"""A mass send that became real: called under its key until its outcome is known, then settled.

The outcome goes, in this order, to the account, the wave's record, the fans' ledgers and the rows;
then the wave is closed. Each step can be repeated, so a crash between any two of them does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.notifier.domain import pushes
from services.notifier.domain.account import (
    Account,
    Wave,
    call_free_at,
    close_wave,
    repeat_wave,
    stop_channel,
)
from services.notifier.domain.campaigns import Campaign
from services.notifier.domain.fan import Fan
from services.notifier.domain.pushes import Push, PushState
from services.notifier.domain.reactions import (
    CallOutcome,
    Receipt,
    name_outcome,
    settle_ledger,
    settle_push,
    stop_after,
)
from services.notifier.domain.wave_record import WaveRecord, record_wave
from services.notifier.domain.waves import (
    FEWEST_FANS,
    TOO_FEW_LEFT,
    must_wait,
    next_try,
    why_ended,
)
from services.notifier.loops.desk import Desk
from services.notifier.loops.last_look import LOOK_LASTS_MS
from services.notifier.loops.rows import chunks
from services.notifier.ports import PushChannel
from shared.kafka.handler import Change
from shared.platforms.outcomes import Accepted, Reaction, Reason, Refused, Unknown


class OpenWaves:
    """Finds out about the open wave of one account.

    Args:
        desk: the account's documents and clock.
        channel: makes the calls.
    """

    def __init__(self, desk: Desk, channel: PushChannel) -> None:
        self._desk = desk
        self._channel = channel

    async def call_first(
        self, wave: Wave, rows: Sequence[Push], campaign: Campaign, latest: int
    ) -> None:
        """Make the first call of a wave that has just become real; `latest` as in `LastLook`."""
        outcome = await self._call(wave, rows, campaign, latest)
        if isinstance(outcome, Refused):
            # Only here is a refusal definite for the wave: no earlier call may have been accepted.
            reason, reaction = outcome.reason.value, outcome.reaction.value
            await self._note(wave, "refused", reason, reaction=reaction)
        else:
            await self._learn(wave, outcome)

    async def go_on(self, account: Account, wave: Wave, tenure: int) -> int:
        """Repeat the call if it is time, or settle what is known; answers the fans it is about."""
        if account.tenure != tenure:
            return 0
        if wave.outcome:
            await self._finish(wave)
            return wave.fans
        now = self._desk.time.moment().now
        if now < wave.try_at:
            return 0
        campaign = await self._campaign(wave)
        ended = why_ended(wave, campaign, now)
        if ended is not None:
            await self._note(wave, "unknown", ended)
            return wave.fans
        return await self._repeat(account, wave, campaign, now)

    async def _repeat(self, account: Account, wave: Wave, campaign: Campaign, now: int) -> int:
        desk = self._desk
        quiet = desk.rules.quiet_hours
        if must_wait(campaign, account, quiet, now) or call_free_at(account, now) > now:
            return 0
        rows = await self._who_still_may(wave, now)
        if len(rows) < FEWEST_FANS:
            await self._note(wave, "unknown", TOO_FEW_LEFT)
            return wave.fans
        # Reading the fans may have taken long: campaign and account once more, as before any call.
        now, latest = desk.time.moment().now, desk.time.read().mono + LOOK_LASTS_MS
        campaign = await self._campaign(wave)
        if why_ended(wave, campaign, now) is not None:
            return wave.fans  # and the next step ends it
        again = repeat_wave(account, wave, now, next_try(wave, now))
        if again.wave is None or not await desk.change_account(
            account, again, lambda known: not must_wait(campaign, known, quiet, now)
        ):
            return 0
        outcome = await self._call(again.wave, rows, campaign, latest)
        await self._learn(again.wave, outcome)
        return wave.fans

    async def _campaign(self, wave: Wave) -> Campaign:
        return (await self._desk.read_campaigns([wave.campaign]))[wave.campaign]

    async def _who_still_may(self, wave: Wave, now: int) -> list[Push]:
        """The wave's fans without those who opted out or left meanwhile.

        An earlier call may have reached these, so they end as unknown.
        """
        rows = await self._desk.books.queries.of_attempt(wave.id)
        fans = await self._desk.read_fans(row.fan for row in rows)
        staying: list[Push] = []
        lost: dict[str, list[Push]] = {"opted_out": [], "not_following": []}
        for row in rows:
            facts = fans[row.fan].facts
            if facts.opted_out:
                lost["opted_out"].append(row)
            elif facts.following is False:
                lost["not_following"].append(row)
            else:
                staying.append(row)
        for reason, leaving in lost.items():
            settled = replace(wave, outcome="unknown", reason=reason, known_at=now)
            for some in chunks(leaving):
                await self._settle(settled, some)
        return staying

    async def _call(
        self, wave: Wave, rows: Sequence[Push], campaign: Campaign, latest: int
    ) -> CallOutcome:
        time = self._desk.time
        before = time.read().mono
        if before > latest:  # the store took long since the look: it is looked again
            return Refused(Reason.UNREACHABLE, Reaction.RETRY)
        openids = sorted(row.openid for row in rows)
        outcome: CallOutcome
        try:
            outcome = await self._channel.send(openids, campaign.content, wave.id, latest / 1000)
        except Exception as error:  # noqa: BLE001 - whatever broke, the call may have been made
            self._desk.observer.failed("call", error)
            outcome = Unknown(Reason.CONNECTION_LOST)
        time.hear(outcome.platform_time)
        self._desk.observer.step("wave_called")
        seconds = (time.read().mono - before) / 1000
        name = name_outcome(outcome)
        self._desk.observer.called(self._channel.name, name, len(rows), seconds)
        return outcome

    async def _learn(self, wave: Wave, outcome: CallOutcome) -> None:
        """Only acceptance settles a wave of which an earlier call may have been accepted."""
        if isinstance(outcome, Accepted):
            await self._note(wave, "accepted", "", receipt=outcome.value)

    async def _note(
        self,
        wave: Wave,
        outcome: str,
        reason: str,
        *,
        reaction: str = "",
        receipt: Receipt | None = None,
    ) -> None:
        desk = self._desk
        known_wave = replace(
            wave,
            outcome=outcome,
            reason=reason,
            reaction=reaction,
            message_id=receipt.message_id if receipt else "",
            article=receipt.article if receipt else "",
            known_at=desk.time.moment().now,
        )

        def decide(_key: str, known: Account) -> Change[Account] | None:
            if known.wave is None or known.wave.id != wave.id or known.wave.outcome:
                return None
            return Change(replace(known, wave=known_wave))

        account = (await desk.books.accounts.change([desk.account], decide, announced=False))[
            desk.account
        ]
        if account.wave is not None and account.wave.id == wave.id:
            await self._finish(account.wave)

    async def _finish(self, wave: Wave) -> None:
        desk = self._desk
        books = desk.books

        def keep(_wave: str, known: WaveRecord) -> Change[WaveRecord] | None:
            return None if known.id else record_wave(desk.account, wave)

        desk.observer.step("wave_known")
        await books.waves.change([wave.id], keep, announced=False)
        desk.observer.step("wave_recorded")
        rows = await books.queries.of_attempt(wave.id)
        for some in chunks(rows):
            await self._settle(wave, some)
        desk.observer.step("wave_rows_settled")
        await self._close(wave)

    async def _settle(self, wave: Wave, rows: Sequence[Push]) -> None:
        outcome = _outcome_of(wave)
        by_fan: Mapping[str, str] = {row.fan: row.id for row in rows}

        def settle_fan(key: str, fan: Fan) -> Change[Fan] | None:
            ledger = settle_ledger(fan.ledger, by_fan[key], outcome, wave.known_at)
            return Change(replace(fan, ledger=ledger)) if ledger != fan.ledger else None

        def settle_row(_push: str, known: Push) -> Change[Push] | None:
            if known.state is not PushState.CALLING or known.attempt != wave.id:
                return None
            if isinstance(outcome, Unknown):
                return pushes.unknown(known, wave.reason, wave.known_at)
            return settle_push(known, outcome, wave.known_at)

        await self._desk.books.ledgers.change(list(by_fan), settle_fan, announced=False)
        self._desk.observer.step("wave_ledgers_settled")
        await self._desk.books.rows.change([row.id for row in rows], settle_row, announced=False)
        self._desk.observer.settled(self._channel.name, wave.outcome, wave.reason, len(rows))

    async def _close(self, wave: Wave) -> None:
        desk = self._desk
        stop = stop_after(_outcome_of(wave), desk.account, wave.known_at)

        def decide(_key: str, known: Account) -> Change[Account] | None:
            if known.wave is None or known.wave.id != wave.id:
                return None
            closed = close_wave(known, known.wave)
            if stop is not None:
                closed = stop_channel(closed, self._channel.name, stop, wave.known_at)
            return Change(closed)

        await desk.books.accounts.change([desk.account], decide, announced=False)
        if stop is not None:
            desk.observer.channel_stopped(desk.account, self._channel.name, stop.reason, stop.until)


def _outcome_of(wave: Wave) -> CallOutcome:
    match wave.outcome:
        case "accepted":
            return Accepted(Receipt(wave.message_id, wave.article))
        case "refused":
            return Refused(Reason(wave.reason), Reaction(wave.reaction))
        case _:
            return Unknown(Reason.TIMEOUT)
