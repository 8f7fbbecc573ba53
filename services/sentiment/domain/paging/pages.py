"""One page: a row that is called until it is through, and what each answer makes of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from services.sentiment.domain.incidents.incident import Incident
from services.sentiment.domain.paging.escalation import WantedPage
from shared.retry import RetryPolicy

RETRY = RetryPolicy(first_delay_s=1.0, max_delay_s=60.0)
"""Until the page is through, or nobody needs it any more."""
WORD_LIFETIME_MS = 24 * 3_600_000
"""How long it is tried to tell a channel that an incident was acknowledged or is over."""
MAX_RETRY_AFTER_S = 600.0

Result = Literal["sent", "refused", "throttled", "unavailable"]
RESULTS: tuple[Result, ...] = ("sent", "refused", "throttled", "unavailable")
State = Literal["due", "sent", "refused", "obsolete"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a channel answered, classified by the channel."""

    result: Result
    """`refused`: trying again can't help; `throttled` and `unavailable`: try again."""
    code: str = ""
    """The channel's own code, bounded and without secrets, for the row and the log."""
    retry_after_s: float | None = None
    """How long the channel asked us to wait."""


@dataclass(frozen=True, slots=True)
class Page:
    """A row: what to page, and how far it is."""

    wanted: WantedPage
    state: State = "due"
    attempts: int = 0
    next_at: int = 0
    """Not to be called before, ms."""
    done_at: int | None = None
    code: str = ""
    """The last answer."""

    @property
    def id(self) -> str:
        """The row's id."""
        return self.wanted.id

    @property
    def dedup_key(self) -> str:
        """The same for all pages of one round, whatever step: a pager opens one alert."""
        return dedup_key(self.wanted.incident, self.wanted.round)


def dedup_key(incident: str, number: int) -> str:
    """The key of an incident's round.

    A round has its own, since a pager takes a trigger for an alert that was acknowledged for a
    repetition, and calls nobody.
    """
    return f"{incident}#{number}" if number else incident


def new_page(wanted: WantedPage) -> Page:
    """The row of a page that was never called."""
    return Page(wanted, next_at=wanted.due_at)


def needed(page: Page, incident: Incident | None, now: int) -> bool:
    """Whether the page still has to be called, were it due.

    A page of an earlier round is overtaken, and so is word of an acknowledgement by the end.
    """
    if page.state != "due" or incident is None or page.wanted.round != incident.round:
        return False
    if page.wanted.action == "trigger":
        return incident.status == "open"
    told = "acknowledge" if incident.status == "acknowledged" else "resolve"
    if incident.status == "open" or page.wanted.action != told:
        return False
    return now - page.wanted.due_at < WORD_LIFETIME_MS


def obsolete(page: Page, now: int) -> Page:
    """Nobody needs it any more."""
    return replace(page, state="obsolete", done_at=now)


def answered(page: Page, outcome: Outcome, now: int, chance: float) -> Page:
    """The row after a call.

    Args:
        page: the row before it.
        outcome: what the channel answered.
        now: ms.
        chance: a number in [0, 1) for the jitter.
    """
    attempts = page.attempts + 1
    if outcome.result in ("sent", "refused"):
        state: State = "sent" if outcome.result == "sent" else "refused"
        return replace(page, state=state, attempts=attempts, done_at=now, code=outcome.code)
    delay_s = RETRY.delay_s(attempts, chance)
    if outcome.retry_after_s is not None:
        delay_s = max(delay_s, min(outcome.retry_after_s, MAX_RETRY_AFTER_S))
    return replace(page, attempts=attempts, next_at=now + round(delay_s * 1000), code=outcome.code)
