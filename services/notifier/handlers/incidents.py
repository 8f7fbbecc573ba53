"""`incidents.v1`: whether an account's promotions are paused.

When a pause ends, the pushes that it held are looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from services.notifier.domain.account import Account, apply_incident
from services.notifier.domain.pushes import Push, wake
from services.notifier.domain.records import IncidentDocuments
from services.notifier.ports import PushQueries, Writer
from shared.events import (
    Event,
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentEvent,
    IncidentOpened,
    IncidentResolved,
)
from shared.kafka.handler import Change, Decision, Fact

WAKE_ROUNDS: Final = 20
"""Where another incident still pauses, the sender holds again what is woken; the rest is looked at
within a minute anyway."""


class IncidentsHandler(IncidentDocuments):
    """Keeps each account's incidents."""

    types: ClassVar[frozenset[type[Event]]] = frozenset(
        {IncidentOpened, IncidentEscalated, IncidentAcknowledged, IncidentResolved}
    )

    def __init__(self, rows: Writer[Push], queries: PushQueries) -> None:
        self._rows = rows
        self._queries = queries

    def document_id(self, event: Event) -> str | None:
        """The account."""
        return event.key

    def decide(self, state: Account, fact: Fact) -> Decision[Account]:
        """Apply the news if it is the newest of its incident."""
        if not isinstance(fact.event, IncidentEvent):
            return Decision(state)
        return Decision(apply_incident(state, fact.event))

    async def before(self, facts: Sequence[Fact]) -> None:
        """Nothing to prepare."""

    async def after(self, facts: Sequence[Fact]) -> None:
        """Look again at what a pause held."""
        freed: dict[str, int] = {}
        for event in (fact.event for fact in facts):
            if isinstance(event, IncidentEvent) and not event.pause_promotions:
                freed[event.key] = max(event.occurred_at, freed.get(event.key, 0))

        def decide(_push: str, push: Push) -> Change[Push] | None:
            return wake(push, freed[push.account])

        for account in sorted(freed):
            for _ in range(WAKE_ROUNDS):
                found = await self._queries.held_for(account, "promotions_paused")
                if not found:
                    break
                held = {one.state.id: one for one in found}
                await self._rows.change(list(held), decide, announced=False, read=held)
