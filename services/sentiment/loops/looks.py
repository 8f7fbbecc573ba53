"""Remembers which incidents were looked after, so that none is read again without a reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from services.sentiment.domain.incidents.incident import Incident
from services.sentiment.domain.paging.escalation import Done, Escalate, Wait
from services.sentiment.domain.paging.pages import WORD_LIFETIME_MS

LOOK_AGAIN_MS = 30_000
"""An open incident's rows are read so often, since another process may have been refused."""
NEVER = 1 << 62


class Looks:
    """By incident: the number it had when it was looked after, and when to look again."""

    def __init__(self) -> None:
        self._looks: dict[str, tuple[int, int]] = {}

    def needed(self, incident: Incident, now: int) -> bool:
        """Whether the rows of an incident may lack something."""
        if incident.resolved_at is not None and now - incident.resolved_at > WORD_LIFETIME_MS:
            return False
        number, again_at = self._looks.get(incident.id, (0, 0))
        return number != incident.number or incident.grave or now >= again_at

    def note(self, incident: Incident, due: Escalate | Wait | Done, now: int) -> None:
        """It has all that it needs until `due`, or until it changes."""
        again_at = NEVER
        if incident.status == "open":
            again_at = now + LOOK_AGAIN_MS
            if isinstance(due, Wait):
                again_at = min(again_at, due.until)
        self._looks[incident.id] = incident.number, again_at

    def forget(self, incidents: Iterable[str]) -> None:
        """Something happened to these: look again."""
        for incident in incidents:
            self._looks.pop(incident, None)

    def keep(self, incidents: Collection[str]) -> None:
        """Only these are there by now."""
        self.forget([one for one in self._looks if one not in incidents])

    def instants(self) -> list[int]:
        """When to look again, ms."""
        return [again_at for _, again_at in self._looks.values()]
