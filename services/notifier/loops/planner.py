"""Plans audiences: a row for each fan who has the campaign's tag, in pages that can be resumed.

The cursor moves after a page's rows are durable, and the rows' ids make a repeated page harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.notifier.domain.campaigns import Campaign, Plan, occurrence_to_plan, push_id
from services.notifier.domain.pushes import Push
from services.notifier.handlers.tag_changes import insert, not_there
from services.notifier.ports import (
    CampaignQueries,
    Clock,
    FanQueries,
    SendingObserver,
    Writer,
)
from shared.errors import TransientError
from shared.kafka.handler import Change
from shared.store.ports import Leases
from shared.waiting import Bell, spread

PAGE: Final = 500
LEASE_S: Final = 30.0
IDLE_S: Final = 5.0
"""Between two looks for what another process was told, or time brings."""
FAILED_S: Final = 1.0
_LEASE: Final = "planner"


class Planner:
    """Plans the audiences of all accounts, one process at a time.

    Args:
        campaigns: moves the cursors.
        rows: inserts.
        queries: finds campaigns.
        fans: finds audiences.
        leases: one planner at a time; two would do no harm but the same work.
        holder: names this process.
        clock: ours.
        bell: wakes it when this process was told of a campaign.
        observer: is told what was planned.
    """

    def __init__(
        self,
        campaigns: Writer[Campaign],
        rows: Writer[Push],
        queries: CampaignQueries,
        fans: FanQueries,
        *,
        leases: Leases,
        holder: str,
        clock: Clock,
        bell: Bell,
        observer: SendingObserver,
    ) -> None:
        self._campaigns = campaigns
        self._rows = rows
        self._queries = queries
        self._fans = fans
        self._leases = leases
        self._holder = holder
        self._clock = clock
        self._bell = bell
        self._observer = observer

    async def run(self) -> None:
        """Plan for ever; what a stop interrupts is planned again by whoever plans next."""
        try:
            while True:
                try:
                    planned = await self.step()
                except TransientError as error:
                    self._observer.failed("plan", error)
                    await self._bell.rest(FAILED_S)
                else:
                    await self._bell.rest(0.0 if planned else spread(IDLE_S))
        except asyncio.CancelledError:
            await self._release()
            raise

    async def step(self) -> int:
        """Plan a page of each campaign that lacks rows; answers how many pages."""
        now = self._clock.read().wall
        todo = [
            (campaign, occurrence)
            for campaign in await self._queries.with_audience(now)
            if (occurrence := occurrence_to_plan(campaign, now)) is not None
        ]
        if not todo:
            return 0
        if not await self._leases.acquire(_LEASE, self._holder, LEASE_S, now / 1000):
            return 0
        for campaign, occurrence in todo:
            await self._plan_page(campaign, occurrence, now)
        return len(todo)

    async def _release(self) -> None:
        """Let another process plan at once."""
        try:
            await self._leases.release(_LEASE, self._holder)
        except TransientError as error:
            self._observer.failed("lease", error)

    async def _plan_page(self, campaign: Campaign, occurrence: str, now: int) -> None:
        fresh = campaign.plan.occurrence != occurrence
        cursor = "" if fresh else campaign.plan.cursor
        fans = await self._fans.with_tag(campaign.account, campaign.tag, cursor, PAGE)
        if fans:
            await self._insert(campaign, occurrence, fans, now)
        plan = Plan(occurrence, fans[-1] if fans else cursor, done=len(fans) < PAGE)

        def decide(_id: str, known: Campaign) -> Change[Campaign] | None:
            return Change(replace(known, plan=plan)) if known.plan == campaign.plan else None

        await self._campaigns.change([campaign.id], decide, announced=False)
        self._observer.planned(campaign.channel, len(fans))

    async def _insert(
        self, campaign: Campaign, occurrence: str, fans: Sequence[str], now: int
    ) -> None:
        rows = {
            row.id: row
            for fan in fans
            for row in [
                Push(
                    id=push_id(campaign.id, fan, occurrence),
                    campaign=campaign.id,
                    account=campaign.account,
                    fan=fan,
                    occurrence=occurrence,
                    channel=campaign.channel,
                    cause=campaign.id,
                    cause_at=0,
                    created_at=now,
                )
            ]
        }
        await self._rows.change(list(rows), insert(rows), announced=False, read=not_there(rows))
