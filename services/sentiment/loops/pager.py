"""Pages staff: makes the rows that an incident needs, calls the channels, escalates.

A page is a row before it is a call, and stays due until its channel answered; so a crash anywhere
repeats a call at most. The channel classifies, only this loop retries.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from services.sentiment.domain.incidents.changes import escalate
from services.sentiment.domain.incidents.incident import (
    AccountIncidents,
    Incident,
    find,
    unresolved,
)
from services.sentiment.domain.incidents.usual import Prior
from services.sentiment.domain.paging.escalation import (
    Escalate,
    Policy,
    WantedPage,
    missing,
    next_escalation,
    wanted_pages,
)
from services.sentiment.domain.paging.page_text import Language, PageMessage, page_text
from services.sentiment.domain.paging.pages import (
    Outcome,
    Page,
    answered,
    needed,
    new_page,
    obsolete,
)
from services.sentiment.loops.leases import AccountLeases
from services.sentiment.ports import (
    AlertChannel,
    CommentBook,
    Counters,
    IncidentObserver,
    PageRows,
)
from shared.errors import FanEngagementError
from shared.events import IncidentEvent
from shared.kafka.handler import Announcement, Change
from shared.kafka.writer import DocumentWriter

TICK_S = 0.5
AT_ONCE = 100
CALL_S = 10.0
"""After so long a call counts as unanswered."""

Clock = Callable[[], int]


class Pager:
    """Looks after the pages of the accounts that this process holds.

    Args:
        incidents: writer of the incidents' documents.
        pages: writer of the pages' documents.
        rows: queries over pages.
        book: for the words of samples.
        counters: tells which accounts there are.
        leases: which accounts are ours.
        channels: by the names that the policy uses.
        policy: the escalation.
        prior: named in the page where there is no history.
        link: makes the link that acknowledges an incident.
        language: of the pages.
        observer: is told.
        clock: ms.
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
    ) -> None:
        self._incidents = incidents
        self._pages = pages
        self._rows = rows
        self._book = book
        self._counters = counters
        self._leases = leases
        self._channels = channels
        self._policy = policy
        self._prior = prior
        self._link = link
        self._language = language
        self._observer = observer
        self._clock = clock
        self._woken = asyncio.Event()
        self._calls: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._settled: set[tuple[str, int]] = set()

    def wake(self) -> None:
        """An incident changed: don't wait for the next tick."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled; calls on their way get their time."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self.round()
                except FanEngagementError as error:
                    self._observer.failed("page", error)
                    await asyncio.sleep(TICK_S)
                try:
                    async with asyncio.timeout(TICK_S):
                        await self._woken.wait()
                except TimeoutError:
                    pass
        finally:
            await self.finish()

    async def finish(self) -> None:
        """Wait for the calls that are on their way."""
        await asyncio.gather(*self._calls.values(), return_exceptions=True)

    async def round(self) -> None:
        """Escalate what is due, make the rows that are missing, begin the calls that are due."""
        now = self._clock()
        accounts = [
            account
            for account in await self._counters.all()
            if await self._leases.hold(account, now)
        ]
        # A page must not wait for the log: what is not announced yet is paged all the same.
        states = await self._incidents.change(accounts, lambda _id, _state: None, announced=False)
        for account, state in states.items():
            for incident in state.incidents:
                if (incident.id, incident.number) not in self._settled:
                    states[account] = await self._look_after(account, incident, states[account])
        oldest = now
        for page in await self._rows.due(self._clock(), AT_ONCE):
            owner = states.get(page.wanted.account)
            if owner is not None:
                oldest = min(oldest, page.wanted.due_at)
                self._begin(page, find(owner, page.wanted.incident))
        incidents = (one for state in states.values() for one in unresolved(state))
        counts: Counter[str] = Counter(one.status for one in incidents)
        self._observer.waiting(counts, (now - oldest) / 1000)

    async def _look_after(
        self, account: str, incident: Incident, state: AccountIncidents
    ) -> AccountIncidents:
        rows = await self._rows.of_incident(incident.id)
        refused = frozenset(
            row.wanted.channel
            for row in rows
            if row.state == "refused" and row.wanted.step == incident.step
        )
        due = next_escalation(incident, self._policy, self._clock(), refused=refused)
        if isinstance(due, Escalate):
            state = await self._escalate(account, incident, due)
            incident = find(state, incident.id) or incident
        paged = (row.wanted.channel for row in rows if row.wanted.action == "trigger")
        wanted = wanted_pages(incident, self._policy, paged)
        await self._make_rows(missing(wanted, (row.id for row in rows)))
        if incident.status != "open":
            self._settled.add((incident.id, incident.number))
        return state

    async def _escalate(self, account: str, incident: Incident, due: Escalate) -> AccountIncidents:
        now = self._clock()
        events: list[IncidentEvent] = []

        def decide(_id: str, state: AccountIncidents) -> Change[AccountIncidents] | None:
            events.clear()
            announced = escalate(state, incident.id, due.step, now)
            if announced is None:
                return None
            events.extend(event for event, _ in announced.events)
            return Change(
                announced.state,
                tuple(Announcement(event, cause) for event, cause in announced.events),
            )

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

    def _begin(self, page: Page, incident: Incident | None) -> None:
        """One call at a time for each incident and channel, so that they arrive in order."""
        key = (page.wanted.incident, page.wanted.channel)
        if key in self._calls:
            return
        task = asyncio.create_task(self._handle(page, incident))
        self._calls[key] = task

        def over(done: asyncio.Task[None]) -> None:
            self._calls.pop(key, None)
            if not done.cancelled() and (error := done.exception()) is not None:
                self._observer.failed("page", error)
            self.wake()

        task.add_done_callback(over)

    async def _handle(self, page: Page, incident: Incident | None) -> None:
        if incident is None or not needed(page, incident, self._clock()):
            await self._put(page, obsolete(page, self._clock()))
            return
        outcome = await self._call(page, incident)
        self._observer.step("page_called")
        now = self._clock()
        seconds = None
        if outcome.result == "sent" and page.wanted.deciding_at:
            seconds = max(now - page.wanted.deciding_at, 0) / 1000
        self._observer.page_called(page, outcome, seconds)
        await self._put(page, answered(page, outcome, now, random.random()))

    async def _call(self, page: Page, incident: Incident) -> Outcome:
        channel = self._channels.get(page.wanted.channel)
        if channel is None:
            return Outcome("refused", "no_such_channel")
        message = await self._message(page, incident)
        try:
            async with asyncio.timeout(CALL_S):
                return await channel.send(message)
        except TimeoutError:
            return Outcome("unavailable", "timeout")
        except Exception as error:  # noqa: BLE001 - a broken channel must not stop the others
            return Outcome("unavailable", type(error).__name__)

    async def _message(self, page: Page, incident: Incident) -> PageMessage:
        wanted = page.wanted
        try:
            texts = await self._book.texts(incident.samples)
        except FanEngagementError as error:
            self._observer.failed("samples", error)
            texts = {}  # a page without samples is better than none
        text = page_text(
            incident,
            action=wanted.action,
            step=wanted.step,
            samples=[texts[one] for one in incident.samples if one in texts],
            link=self._link(incident.id),
            prior=self._prior,
            language=self._language,
        )
        return PageMessage(
            text=text,
            action=wanted.action,
            page=page.id,
            incident=incident.id,
            dedup_key=page.dedup_key,
            account=incident.account,
            subject=incident.subject,
            severity=incident.severity,
            step=wanted.step,
            mention=wanted.mention,
            occurred_at=incident.opened_at,
        )

    async def _put(self, before: Page, after: Page) -> None:
        def decide(_id: str, row: Page | None) -> Change[Page | None] | None:
            same = row is not None and row.state == "due" and row.attempts == before.attempts
            return Change(after) if same else None

        await self._pages.change([before.id], decide)
