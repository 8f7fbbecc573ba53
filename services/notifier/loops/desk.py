"""What the senders of one account share: its documents, its clock, and how verdicts are written.

The order of writes is the guarantee. Debit, then `calling`, then the call, then the outcome. A
verdict against a push is written to its row before a debit of an earlier attempt is taken back, so
that nobody who still holds the old row can call without a debit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from services.notifier.domain import pushes
from services.notifier.domain.account import Account
from services.notifier.domain.campaigns import Campaign
from services.notifier.domain.decide_push import (
    Context,
    Drop,
    Hold,
    Moment,
    PushRules,
    Send,
    Verdict,
    decide_push,
)
from services.notifier.domain.fan import Fan
from services.notifier.domain.ledger import Debit
from services.notifier.domain.platform_clock import PlatformClock, Reading
from services.notifier.domain.pushes import OPEN_STATES, Push, PushState
from services.notifier.domain.records import NO_CAMPAIGN
from services.notifier.domain.wave_record import WaveRecord
from services.notifier.ports import Clock, PushQueries, SendingObserver, Writer
from shared.kafka.handler import Change

CHUNK = 1_000
"""Documents changed at once."""

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Books:
    """The documents that sending reads and writes."""

    rows: Writer[Push]
    ledgers: Writer[Fan]
    accounts: Writer[Account]
    waves: Writer[WaveRecord]
    campaigns: Writer[Campaign]
    queries: PushQueries


class AccountTime:
    """The platform's clock as one account has heard it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._platform = PlatformClock()

    def hear(self, date: datetime | None) -> None:
        """Take in the `Date` of an answer that has just arrived."""
        if date is not None:
            millis = round(date.timestamp() * 1000)
            self._platform = self._platform.hear(millis, self._clock.read())

    def read(self) -> Reading:
        """Our own clocks."""
        return self._clock.read()

    def moment(self) -> Moment:
        """Now, for decisions."""
        reading = self._clock.read()
        return Moment(self._platform.now(reading), self._platform.unsure_until(reading))


class Desk:
    """Reads what decisions need and writes what they say."""

    def __init__(
        self,
        account: str,
        books: Books,
        time: AccountTime,
        rules: PushRules,
        observer: SendingObserver,
    ) -> None:
        self.account = account
        self.books = books
        self.time = time
        self.rules = rules
        self.observer = observer

    async def read_account(self) -> Account:
        """The account, fresh."""
        found = await self.books.accounts.change([self.account], leave, announced=False)
        return found[self.account]

    async def change_account(self, account: Account, changed: Account) -> bool:
        """Write the account if nobody changed it since it was read; whether it was written."""
        written = False

        def decide(_key: str, known: Account) -> Change[Account] | None:
            nonlocal written
            # Incidents are another loop's: they may come in meanwhile.
            written = replace(known, incidents=account.incidents) == account
            return Change(replace(changed, incidents=known.incidents)) if written else None

        await self.books.accounts.change([self.account], decide, announced=False)
        return written

    async def read_fans(self, fans: Iterable[str]) -> dict[str, Fan]:
        """Fans, fresh."""
        found: dict[str, Fan] = {}
        for some in chunks(list(dict.fromkeys(fans))):
            found |= await self.books.ledgers.change(some, leave, announced=False)
        return found

    async def contexts(
        self, rows: Sequence[Push], account: Account, moment: Moment
    ) -> dict[str, Context]:
        """The context of each campaign that the rows belong to."""
        ids = list(dict.fromkeys(row.campaign for row in rows))
        found = await self.books.campaigns.change(ids, leave, announced=False)
        missing = replace(NO_CAMPAIGN, cancelled=True)
        return {
            name: Context(found[name] if found[name].id else missing, account, moment, self.rules)
            for name in ids
        }

    async def debit(
        self, rows: Sequence[Push], contexts: Mapping[str, Context]
    ) -> tuple[dict[str, Verdict], dict[str, Fan]]:
        """Decide on rows of different fans, and debit those that may go, in the same write."""
        verdicts: dict[str, Verdict] = {}
        by_fan = {row.fan: row for row in rows}

        def decide(key: str, fan: Fan) -> Change[Fan] | None:
            row = by_fan[key]
            context = contexts[row.campaign]
            verdict = verdicts[row.id] = decide_push(fan, row, context)
            if not isinstance(verdict, Send):
                return None
            ledger = fan.ledger.charge(row.id, verdict.charge, context.moment.now)
            return Change(replace(fan, ledger=ledger))

        fans: dict[str, Fan] = {}
        for some in chunks(list(by_fan)):
            fans |= await self.books.ledgers.change(some, decide, announced=False)
        return verdicts, fans

    async def commit(self, rows: Sequence[Push], now: int, attempt: str) -> list[Push]:
        """Mark rows as `calling` that nobody has touched since; the rows that are ours to call."""
        expected = {row.id: row for row in rows}
        ours: set[str] = set()

        def decide(push: str, known: Push) -> Change[Push] | None:
            ours.discard(push)
            if known != expected[push]:
                return None
            ours.add(push)
            return pushes.call(known, now, attempt)

        committed: dict[str, Push] = {}
        for some in chunks(list(expected)):
            committed |= await self.books.rows.change(some, decide, announced=False)
        return [committed[row.id] for row in rows if row.id in ours]

    async def turn_down(
        self, rows: Sequence[Push], verdicts: Mapping[str, Verdict], fans: Mapping[str, Fan]
    ) -> None:
        """Write the verdicts that are not `Send`."""
        against = {row.id: row for row in rows if not isinstance(verdicts[row.id], Send)}
        if not against:
            return
        now = self.time.moment().now

        def decide(push: str, known: Push) -> Change[Push] | None:
            if known != against[push]:
                return None
            return _write_down(known, verdicts[push], now)

        for some in chunks(list(against)):
            await self.books.rows.change(some, decide, announced=False)
        await self.take_back(
            {
                row.fan: debit
                for row in against.values()
                if (debit := fans[row.fan].ledger.debit_of(row.id)) is not None
            }
        )
        await self._look_again(
            {
                row.fan: row
                for row in against.values()
                if isinstance(found := verdicts[row.id], Hold) and found.waits_for_fan
            },
            fans,
        )
        for (channel, kind, reason), number in Counter(
            (row.channel, *_name(verdicts[row.id])) for row in against.values()
        ).items():
            self.observer.decided(channel, kind, reason, number)

    async def take_back(self, debits: Mapping[str, Debit]) -> None:
        """Credit, by fan, debits whose push was for certain not called under them.

        Only these very debits: meanwhile another sender may have debited the same push anew.
        """

        def decide(key: str, fan: Fan) -> Change[Fan] | None:
            debit = debits[key]
            if fan.ledger.debit_of(debit.push) != debit:
                return None
            return Change(replace(fan, ledger=fan.ledger.without(debit.push)))

        for some in chunks(list(debits)):
            await self.books.ledgers.change(some, decide, announced=False)

    async def put_back(self, rows: Sequence[Push], reason: str) -> None:
        """Free rows that were marked `calling` and, for certain, never called."""
        now = self.time.moment().now
        expected = {row.id: row.attempt for row in rows}

        def decide(push: str, known: Push) -> Change[Push] | None:
            if known.state is not PushState.CALLING or known.attempt != expected[push]:
                return None
            return pushes.hold(known, reason, now, not_before=None, look_at=now)

        for some in chunks(list(expected)):
            await self.books.rows.change(some, decide, announced=False)

    async def _look_again(self, rows: Mapping[str, Push], before: Mapping[str, Fan]) -> None:
        """Wake rows whose fan acted while the row was being held: that act may have missed it."""
        if not rows:
            return
        after = await self.read_fans(rows)
        missed = [row.id for fan, row in rows.items() if after[fan].facts != before[fan].facts]
        if missed:
            await self.books.rows.change(missed, _wake, announced=False)


def leave(_id: str, _state: object) -> None:
    """Change nothing: only read."""


def chunks(items: Sequence[S]) -> list[Sequence[S]]:
    """Parts of at most `CHUNK`."""
    return [items[first : first + CHUNK] for first in range(0, len(items), CHUNK)]


def one_a_fan(rows: Sequence[Push]) -> list[Push]:
    """The first row of each fan; a fan's pushes are decided one after the other."""
    first: dict[str, Push] = {}
    for row in rows:
        first.setdefault(row.fan, row)
    return list(first.values())


def _wake(_push: str, known: Push) -> Change[Push] | None:
    return pushes.wake(known)


def _write_down(row: Push, verdict: Verdict, now: int) -> Change[Push] | None:
    if row.state not in OPEN_STATES:
        return None
    match verdict:
        case Hold(reason, not_before, look_at, waits_for_fan):
            return pushes.hold(
                row,
                reason,
                now,
                not_before=not_before,
                look_at=look_at,
                waits_for_fan=waits_for_fan,
            )
        case Drop(reason):
            return pushes.drop(row, reason, now)
        case Send():
            return None


def _name(verdict: Verdict) -> tuple[str, str]:
    match verdict:
        case Hold(reason=reason):
            return "held", reason
        case Drop(reason=reason):
            return "dropped", reason
        case _:
            return "going", ""
