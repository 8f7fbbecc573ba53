"""What the senders of one account share: its documents, its clock, and how verdicts are written.

The order of writes is the guarantee. Debit, then `calling`, then the call, then the outcome. A
verdict against a push is written to its row before a debit of an earlier attempt is taken back, so
that nobody who still holds the old row can call without a debit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.notifier.domain import pushes
from services.notifier.domain.account import Account
from services.notifier.domain.campaigns import Campaign
from services.notifier.domain.decide_push import (
    Context,
    Hold,
    Moment,
    PushRules,
    Send,
    Verdict,
    decide_push,
)
from services.notifier.domain.fan import Fan
from services.notifier.domain.ledger import Debit
from services.notifier.domain.pushes import OPEN_STATES, Push, PushState
from services.notifier.domain.records import NO_CAMPAIGN
from services.notifier.domain.wave_record import WaveRecord
from services.notifier.loops.account_time import AccountTime
from services.notifier.loops.rows import (
    CHUNK,
    chunks,
    name_verdict,
    states,
    write_down,
)
from services.notifier.ports import PushQueries, Reader, SendingObserver, Writer
from shared.documents.reader import Versioned
from shared.kafka.handler import Change


@dataclass(frozen=True, slots=True)
class Books:
    """The documents that sending reads and writes."""

    rows: Writer[Push]
    ledgers: Writer[Fan]
    accounts: Writer[Account]
    waves: Writer[WaveRecord]
    campaigns: Writer[Campaign]
    queries: PushQueries
    fans_now: Reader[Fan]
    accounts_now: Reader[Account]
    campaigns_now: Reader[Campaign]


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
        return await self.books.accounts_now.read_one(self.account)

    async def change_account(
        self, account: Account, changed: Account, allowed: Callable[[Account], bool]
    ) -> bool:
        """Write the account if nobody changed it since it was read; whether it was written.

        Incidents are another loop's: they may come in meanwhile, and `allowed` looks at them.
        """
        written = False

        def decide(_key: str, known: Account) -> Change[Account] | None:
            nonlocal written
            same = replace(known, incidents=account.incidents) == account
            written = same and allowed(known)
            return Change(replace(changed, incidents=known.incidents)) if written else None

        await self.books.accounts.change([self.account], decide, announced=False)
        return written

    async def find_fans(self, fans: Iterable[str]) -> dict[str, Versioned[Fan]]:
        """Fans, fresh, for changes to go on from."""
        return await self.books.fans_now.read(fans)

    async def read_fans(self, fans: Iterable[str]) -> dict[str, Fan]:
        """Fans, fresh."""
        return states(await self.find_fans(fans))

    async def read_campaigns(self, campaigns: Iterable[str]) -> dict[str, Campaign]:
        """Campaigns, fresh; one that is not there is as good as cancelled."""
        missing = replace(NO_CAMPAIGN, cancelled=True)
        found = await self.books.campaigns_now.read(campaigns)
        return {name: one.state if one.version else missing for name, one in found.items()}

    async def contexts(
        self, rows: Sequence[Push], account: Account, moment: Moment
    ) -> dict[str, Context]:
        """The context of each campaign that the rows belong to."""
        found = await self.read_campaigns(row.campaign for row in rows)
        return {name: Context(one, account, moment, self.rules) for name, one in found.items()}

    async def adopt(self, channel: str) -> None:
        """Give rows that an older version wrote their place in the queue."""

        def decide(_push: str, known: Push) -> Change[Push] | None:
            return Change(pushes.queue(known)) if known.state in OPEN_STATES else None

        now = self.time.moment().now
        while found := await self.books.queries.unqueued(self.account, channel, now, CHUNK):
            await self.books.rows.change(found, decide, announced=False)
            if len(found) < CHUNK:
                return

    async def debit(
        self,
        rows: Sequence[Push],
        contexts: Mapping[str, Context],
        read: dict[str, Versioned[Fan]],
    ) -> tuple[dict[str, Verdict], dict[str, Fan]]:
        """Decide on rows of different fans, and debit those that may go, in the same write.

        `read` are the fans as they were read; here and below it is kept in step.
        """
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
            fans |= await self.books.ledgers.change(some, decide, announced=False, read=read)
        return verdicts, fans

    async def commit(
        self, rows: Sequence[Push], now: int, attempt: str, read: dict[str, Versioned[Push]]
    ) -> list[Push]:
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
            committed |= await self.books.rows.change(some, decide, announced=False, read=read)
        return [committed[row.id] for row in rows if row.id in ours]

    async def turn_down(
        self,
        rows: Sequence[Push],
        verdicts: Mapping[str, Verdict],
        fans: Mapping[str, Fan],
        read: dict[str, Versioned[Push]],
    ) -> None:
        """Write the verdicts that are not `Send`."""
        against = {row.id: row for row in rows if not isinstance(verdicts[row.id], Send)}
        if not against:
            return
        now = self.time.moment().now

        def decide(push: str, known: Push) -> Change[Push] | None:
            if known != against[push]:
                return None
            return write_down(known, verdicts[push], now)

        for some in chunks(list(against)):
            await self.books.rows.change(some, decide, announced=False, read=read)
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
            (row.channel, *name_verdict(verdicts[row.id])) for row in against.values()
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

    async def put_back(
        self, rows: Sequence[Push], reason: str, read: dict[str, Versioned[Push]] | None = None
    ) -> None:
        """Free rows that were marked `calling` and, for certain, never called.

        They keep their place in the queue: they did not have their turn.
        """
        now = self.time.moment().now
        expected = {row.id: row.attempt for row in rows}

        def decide(push: str, known: Push) -> Change[Push] | None:
            if known.state is not PushState.CALLING or known.attempt != expected[push]:
                return None
            return pushes.hold(
                known, reason, now, not_before=None, look_at=now, deadline=known.deadline or None
            )

        for some in chunks(list(expected)):
            await self.books.rows.change(some, decide, announced=False, read=read)

    async def _look_again(self, rows: Mapping[str, Push], before: Mapping[str, Fan]) -> None:
        """Wake rows whose fan acted while the row was being held: that act may have missed it."""
        if not rows:
            return
        after = await self.read_fans(rows)
        missed = [row.id for fan, row in rows.items() if after[fan].facts != before[fan].facts]
        if missed:
            await self.wake(missed)

    async def wake(self, ids: Sequence[str]) -> None:
        """Have held rows decided again at once."""
        now = self.time.moment().now
        await self.books.rows.change(
            ids, lambda _id, known: pushes.wake(known, now), announced=False
        )
