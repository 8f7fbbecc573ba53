"""`fan-events.v1`: windows, following, preferences; and the end of a mass send.

Facts may free held pushes of their fan, so those are looked at again before the offset moves on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from services.notifier.domain.fan import Fan, apply_event
from services.notifier.domain.pushes import Push, wake
from services.notifier.domain.queueing import window_end
from services.notifier.domain.records import FactDocuments
from services.notifier.ports import PushQueries, Writer
from shared.events import (
    CommentPosted,
    Event,
    FanFollowed,
    FanUnfollowed,
    LinkViewed,
    MassSendFinished,
    MenuClicked,
    MessageReceived,
    OtherReceived,
    PurchaseMade,
    QrScanned,
)
from shared.kafka.handler import Change, Decision, Fact

FAN_EVENT_TYPES: frozenset[type[Event]] = frozenset(
    {
        CommentPosted,
        FanFollowed,
        FanUnfollowed,
        LinkViewed,
        MassSendFinished,
        MenuClicked,
        MessageReceived,
        OtherReceived,
        PurchaseMade,
        QrScanned,
    }
)


class FanEventsHandler(FactDocuments):
    """Keeps each fan's facts."""

    types: ClassVar[frozenset[type[Event]]] = FAN_EVENT_TYPES

    def __init__(self, rows: Writer[Push], queries: PushQueries) -> None:
        self._rows = rows
        self._queries = queries

    def document_id(self, event: Event) -> str | None:
        """The fan; the account for a finished mass send; nobody for a comment without openid."""
        if isinstance(event, CommentPosted) and not event.fan:
            return None
        return event.key

    def decide(self, state: Fan, fact: Fact) -> Decision[Fan]:
        """Apply one fact."""
        return Decision(replace(state, facts=apply_event(state.facts, fact.event)))

    async def before(self, facts: Sequence[Fact]) -> None:
        """Nothing to prepare."""

    async def after(self, facts: Sequence[Fact]) -> None:
        """Have the fans' held pushes looked at again, before the windows close that acts opened."""
        acted: dict[str, int] = {}
        ends: dict[str, int] = {}
        for event in (fact.event for fact in facts):
            acted[event.key] = max(event.occurred_at, acted.get(event.key, 0))
            end = window_end(event)
            if end is not None:
                ends[event.key] = min(end, ends.get(event.key, end))
        if not acted:
            return
        held = {one.state.id: one for one in await self._queries.waiting_for_fans(list(acted))}

        def decide(_push: str, push: Push) -> Change[Push] | None:
            return wake(push, acted[push.fan], ends.get(push.fan))

        if held:
            await self._rows.change(list(held), decide, announced=False, read=held)
