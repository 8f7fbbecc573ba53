"""Pages staff: makes the rows that an incident needs, has them called, escalates.

It is woken when an incident changed in this process, and wakes by itself at the next instant that
it knows of: an escalation, a retry, room in a channel's minute. A slow tick finds what another
process left.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from services.sentiment.domain.incidents.changes import escalate
from services.sentiment.domain.incidents.incident import (
    AccountIncidents,
    Incident,
    find,
    unresolved,
)
from services.sentiment.domain.incidents.usual import Prior
from services.sentiment.domain.paging.dispatch import Due, Limits
from services.sentiment.domain.paging.escalation import (
    Escalate,
    Policy,
    WantedPage,
    missing,
    next_escalation,
    wanted_pages,
)
from services.sentiment.domain.paging.page_text import Language
from services.sentiment.domain.paging.pages import Page, new_page
from services.sentiment.loops.caller import Caller
from services.sentiment.loops.dispatcher import Dispatcher
from services.sentiment.loops.leases import RENEW_S, AccountLeases
from services.sentiment.loops.looks import NEVER, Looks
from services.sentiment.ports import (
    AlertChannel,
    CommentBook,
    Counters,
    IncidentObserver,
    PageRows,
)
from shared.errors import FanEngagementError
from shared.events import IncidentEvent
from shared.kafka.handler import Change
from shared.kafka.writer import DocumentWriter
from shared.waiting import rung_within, spread

IDLE_S = 5.0
"""Between two looks at rest: only what other processes left needs them."""
ACCOUNTS_MS = 10_000
"""At rest the list of accounts is read so often."""
RETRY_S = 0.5
"""After a round that failed."""
REFUSED_MS = 500
"""Between two tries for the lease of an account that another process works on."""
AT_ONCE = 1_000
"""Rows that are looked at in one round; those that wait for room in a channel's minute are too."""
USER = "pager"

Clock = Callable[[], int]


class Pager:
    """Looks after the pages of all accounts, as far as no other process is at it.

    Args:
        incidents: writer of the incidents' documents.
        pages: writer of the pages' documents.
        rows: queries over pages.
        book: for the words of samples.
        counters: tells which accounts there are.
        leases: which accounts this process works on.
        channels: by the names that the policy uses.
        policy: the escalation.
        prior: named in the page where there is no history.
        link: makes the link that acknowledges an incident.
        language: of the pages.
        observer: is told.
        clock: ms.
        limits: of the channels, by name; a channel that is not named has none.
    """

    def __init__(
        self,
        *,
        incidents: DocumentWriter[AccountIncidents],
        pages: DocumentWriter[Page | None],
        rows: PageRows,
        book: CommentBook,
        counters: Counters,
        leases: AccountLeases,
        channels: Mapping[str, AlertChannel],
        policy: Policy,
        prior: Prior,
        link: Callable[[str], str],
        language: Language,
        observer: IncidentObserver,
        clock: Clock,
        limits: Mapping[str, Limits] | None = None,
    ) -> None:
        self._incidents = incidents
        self._pages = pages
        self._rows = rows
        self._counters = counters
        self._leases = leases
        self._policy = policy
        self._observer = observer
        self._clock = clock
        caller = Caller(
            channels=channels,
            book=book,
            prior=prior,
            link=link,
            language=language,
            observer=observer,
        )
        self._dispatcher = Dispatcher(
            pages=pages,
            call=caller.call,
            limits=limits or {},
            observer=observer,
            clock=clock,
            over=self._over,
        )
        self._woken = asyncio.Event()
        self._accounts: list[str] = []
        self._accounts_at = 0
        self._looks = Looks()
        self._refused_until = 0
        self._round_at = 0

    def wake(self) -> None:
        """An incident changed: don't wait for the next instant."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled; calls on their way get their time."""
        fresh = True
        try:
            while True:
                self._woken.clear()
                try:
                    await self.round(fresh=fresh)
                    wait_s = self._wait_s()
                except FanEngagementError as error:
                    self._observer.failed("page", error)
                    await asyncio.sleep(RETRY_S)
                    wait_s = RETRY_S
                fresh = await rung_within(self._woken, wait_s)
        finally:
            await self.finish()

    async def finish(self) -> None:
        """Wait for the calls that are on their way."""
        await self._dispatcher.finish()

    async def round(self, *, fresh: bool = True) -> None:
        """Escalate what is due, make the rows that are missing, begin the calls that are due.

        Args:
            fresh: also look for accounts that were not there a few seconds ago.
        """
        now = self._round_at = self._clock()
        if fresh or not 0 <= now - self._accounts_at < ACCOUNTS_MS:
            self._accounts, self._accounts_at = list(await self._counters.all()), now
        # A page must not wait for the log: what is not announced yet is paged all the same.
        states = await self._incidents.change(
            self._accounts, lambda _id, _state: None, announced=False
        )
        seen = {one.id for state in states.values() for one in state.incidents}
        self._looks.keep(seen)
        for account, state in states.items():
            for incident in state.incidents:
                if self._looks.needed(incident, now):
                    states[account] = await self._look_after(account, incident, states[account])
        oldest = await self._call(states)
        incidents = (one for state in states.values() for one in unresolved(state))
        counts: Counter[str] = Counter(one.status for one in incidents)
        self._observer.waiting(counts, (now - min(oldest, now)) / 1000)

    def _wait_s(self) -> float:
        """Until the next instant at which something may be due."""
        instants = [
            self._refused_until,
            *self._looks.instants(),
            *self._dispatcher.instants(),
        ]
        # What was due in the round already waits for something else.
        first = min((at for at in instants if at > self._round_at), default=NEVER)
        wait_s = min(spread(IDLE_S), (first - self._clock()) / 1000)
        if self._leases.held_by(USER):
            wait_s = min(wait_s, RENEW_S)
        return max(wait_s, 0.0)

    def _over(self, incidents: Iterable[str]) -> None:
        """A call is over: its incident may need another one."""
        self._looks.forget(incidents)
        self.wake()

    async def _look_after(
        self, account: str, incident: Incident, state: AccountIncidents
    ) -> AccountIncidents:
        rows = await self._rows.of_incident(incident.id)
        now = self._clock()
        refused = frozenset(
            row.wanted.channel
            for row in rows
            if row.state == "refused" and row.wanted.step == incident.step
        )
        due = next_escalation(incident, self._policy, now, refused=refused)
        wanted = self._missing(incident, rows)
        if isinstance(due, Escalate) or wanted:
            if not await self._hold(account):
                return state
            if isinstance(due, Escalate):
                state = await self._escalate(account, incident, due)
                incident = find(state, incident.id) or incident
                wanted = self._missing(incident, rows)
                due = next_escalation(incident, self._policy, now)
            await self._make_rows(wanted)
        self._looks.note(incident, due, now)
        return state

    def _missing(self, incident: Incident, rows: Collection[Page]) -> list[WantedPage]:
        paged = (row.wanted.channel for row in rows if row.wanted.action == "trigger")
        wanted = wanted_pages(incident, self._policy, paged)
        return missing(wanted, (row.id for row in rows))

    async def _escalate(self, account: str, incident: Incident, due: Escalate) -> AccountIncidents:
        now = self._clock()
        events: list[IncidentEvent] = []

        def decide(_id: str, state: AccountIncidents) -> Change[AccountIncidents] | None:
            events.clear()
            announced = escalate(state, incident.id, due.step, now, due.why)
            if announced is None:
                return None
            events.extend(event for event, _ in announced.events)
            return announced.change

        states = await self._incidents.change([account], decide, announced=False)
        for event in events:
            self._observer.announced(event)
        return states[account]

    async def _make_rows(self, wanted: Iterable[WantedPage]) -> None:
        fresh = {page.id: new_page(page) for page in wanted}
        if not fresh:
            return

        def decide(page_id: str, row: Page | None) -> Change[Page | None] | None:
            return Change(fresh[page_id]) if row is None else None

        await self._pages.change(fresh, decide)
        self._observer.step("page_written")

    async def _call(self, states: Mapping[str, AccountIncidents]) -> int:
        """Begin the calls that are due; answers since when the oldest alarm has been, ms."""
        now = self._clock()
        for account in self._dispatcher.accounts():
            await self._hold(account)
        found = await self._rows.due(now, AT_ONCE)
        ours: set[str] = set()
        read_again = False
        for account in {page.wanted.account for page in found} & set(states):
            read_again |= not self._leases.held(account, now)
            if await self._hold(account):
                ours.add(account)
        if read_again:  # who had the lease before may have called them meanwhile
            found = await self._rows.due(now, AT_ONCE)
        due: list[Due] = []
        forgotten: list[Page] = []
        for page in found:
            if page.wanted.account in ours:
                incident = find(states[page.wanted.account], page.wanted.incident)
                if incident is None:
                    forgotten.append(page)
                else:
                    due.append(Due(page, incident))
        self._dispatcher.retire(forgotten)
        left = self._dispatcher.begin(due)
        for account in set(self._leases.held_by(USER)) - left - self._dispatcher.accounts():
            await self._leases.let_go(account, USER)
        alarms = [one.page.wanted.due_at for one in due if one.alarm]
        return min([*alarms, self._dispatcher.oldest_alarm() or now])

    async def _hold(self, account: str) -> bool:
        now = self._clock()
        if await self._leases.hold(account, now, USER):
            return True
        self._refused_until = now + REFUSED_MS
        return False
