"""`tag-changes.v1`: the fan's tags, and the rows of the campaigns that a tag triggers.

The rows are inserted before the offset is committed and after the tags are durable. A crash in
between repeats it, and the rows' ids make the repetition harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from services.notifier.domain.campaigns import Campaign, is_triggered, occurrence_at, push_id
from services.notifier.domain.fan import Fan, apply_tags
from services.notifier.domain.pushes import Push, plan, plan_again
from services.notifier.domain.records import PushDocuments, TagDocuments
from services.notifier.ports import CampaignQueries, Writer
from shared.documents.reader import Versioned, versioned
from shared.events import Event, TagAssigned, TagRemoved
from shared.kafka.handler import Change, Decision, Fact


class TagChangesHandler(TagDocuments):
    """Keeps each fan's tags."""

    types: ClassVar[frozenset[type[Event]]] = frozenset({TagAssigned, TagRemoved})

    def __init__(self, rows: Writer[Push], campaigns: CampaignQueries) -> None:
        self._rows = rows
        self._campaigns = campaigns

    def document_id(self, event: Event) -> str | None:
        """The fan."""
        return event.key

    def decide(self, state: Fan, fact: Fact) -> Decision[Fan]:
        """Apply the change if it is the newest known."""
        event = fact.event
        if not isinstance(event, TagAssigned | TagRemoved):
            return Decision(state)
        return Decision(replace(state, tags=apply_tags(state.tags, event)))

    async def before(self, facts: Sequence[Fact]) -> None:
        """Nothing to prepare."""

    async def after(self, facts: Sequence[Fact]) -> None:
        """Insert the rows of triggered campaigns that are not there yet."""
        gains = [(fact, fact.event) for fact in facts if isinstance(fact.event, TagAssigned)]
        if not gains:
            return
        campaigns = await self._campaigns.triggered_by(sorted({e.tag for _, e in gains}))
        rows = {
            row.id: row
            for fact, event in gains
            for campaign in campaigns
            if (row := make_triggered_row(campaign, fact.id, event, fact.traceparent)) is not None
        }
        if rows:
            await self._rows.change(list(rows), insert(rows), announced=False, read=not_there(rows))


def make_triggered_row(
    campaign: Campaign, cause: str, event: TagAssigned, trace: str = ""
) -> Push | None:
    """The row that gaining a tag makes; None where the campaign does not ask for it."""
    account = f"{event.platform}:{event.account}"
    if not is_triggered(campaign, event.tag, account, event.occurred_at):
        return None
    occurrence = occurrence_at(campaign, event.occurred_at)
    return Push(
        id=push_id(campaign.id, event.key, occurrence),
        campaign=campaign.id,
        account=campaign.account,
        fan=event.key,
        occurrence=occurrence,
        channel=campaign.channel,
        cause=cause,
        # What time or a new rule decided has no fact of the fan behind it.
        cause_at=event.occurred_at if event.because == "event" else 0,
        created_at=event.occurred_at,
        tag_number=event.number,
        trace=trace,
    )


def not_there(rows: Iterable[str]) -> dict[str, Versioned[Push]]:
    """Most new rows are new indeed: inserting them finds out, without a read before."""
    documents = PushDocuments()
    return {row: versioned(documents, {}) for row in rows}


def insert(rows: Mapping[str, Push]) -> Callable[[str, Push], Change[Push] | None]:
    """A decision that inserts the rows that are not there, or were dropped and are earned anew."""

    def decide(push: str, known: Push) -> Change[Push] | None:
        return plan_again(known, rows[push]) if known.id else plan(rows[push])

    return decide
