"""What the sentiment service needs from outside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from services.sentiment.domain.incidents.comments import NegativeComment
from services.sentiment.domain.paging.page_text import PageMessage
from services.sentiment.domain.paging.pages import Outcome, Page
from services.sentiment.domain.verdict import Verdict
from shared.events import IncidentEvent


class SentimentModel(Protocol):
    """Judges comments. The shipped model and an encoder of one's own are interchangeable here."""

    def score(self, texts: Sequence[str]) -> list[Verdict]:
        """One verdict a text, in order; any string is valid, none depends on its neighbours."""
        ...


class Scorer(Protocol):
    """The model, off the event loop."""

    async def score(self, texts: Sequence[str]) -> list[Verdict | None]:
        """One verdict a text, in order; None where the model failed on that text."""
        ...


class CommentBook(Protocol):
    """The scored comments, as a set. All methods raise `TransientError`."""

    async def negatives(self, account: str, since: int, until: int) -> list[NegativeComment]:
        """Negative comments with an event time in `[since, until)`, ms; the newest if too many."""
        ...

    async def others(self, account: str, since: int, until: int) -> dict[int, int]:
        """How many comments were not negative, by the start of their minute, ms."""
        ...

    async def texts(self, ids: Sequence[str]) -> dict[str, str]:
        """The words of these comments, where they are kept."""
        ...

    async def first_at(self, account: str) -> int | None:
        """Event time of the account's oldest comment, ms."""
        ...

    async def forget_left(self, authors: Collection[str]) -> None:
        """Erase the words that those of these authors who left had written until then.

        Whoever left has a document of id `left_id(author)`. May be called again.
        """
        ...

    async def forget_texts(self, before: int) -> None:
        """Erase the words of comments older than this, ms."""
        ...


class Counters(Protocol):
    """How many comments an account got: a bell, not a figure. It only rises."""

    async def raise_by(self, counts: Mapping[str, int]) -> None:
        """Raise the counters of these accounts; counting a comment twice does no harm."""
        ...

    async def all(self) -> dict[str, int]:
        """The counter of every account that ever got a comment."""
        ...


class PageRows(Protocol):
    """Queries over the rows of pages."""

    async def of_incident(self, incident: str) -> list[Page]:
        """All rows of an incident."""
        ...

    async def due(self, now: int, at_most: int) -> list[Page]:
        """Rows to call now: alarms first, of them the longest due."""
        ...


class AlertChannel(Protocol):
    """One way to reach staff. It classifies its answers; it never retries and never raises."""

    async def send(self, message: PageMessage) -> Outcome:
        """Make one call."""
        ...


class IncidentObserver(Protocol):
    """Is told what happened to incidents and pages; counts and logs, and never raises."""

    def round_done(self) -> None:
        """The evaluator looked at every account that is due."""
        ...

    def evaluated(self, account: str, seconds: float) -> None:
        """An account was judged."""
        ...

    def announced(self, event: IncidentEvent) -> None:
        """An incident changed, durably."""
        ...

    def page_called(self, page: Page, outcome: Outcome, seconds: float | None) -> None:
        """A channel answered; `seconds` since the deciding comment, for the page it caused."""
        ...

    def waiting(self, unresolved: Mapping[str, int], oldest_page_s: float) -> None:
        """Incidents by status, and for how long the oldest alarm has been due; of all accounts."""
        ...

    def failed(self, step: str, error: BaseException) -> None:
        """Something failed and will be tried again; `step` is bounded."""
        ...

    def step(self, name: str) -> None:
        """A named step was reached. Crash tests kill the process here."""
        ...
