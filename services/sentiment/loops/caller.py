"""Makes one call to a channel: the words, the call, and an outcome whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from services.sentiment.domain.incidents.usual import Prior
from services.sentiment.domain.paging.digest import digest
from services.sentiment.domain.paging.dispatch import Due
from services.sentiment.domain.paging.page_text import Language, PageMessage, page_text
from services.sentiment.domain.paging.pages import Outcome, dedup_key
from services.sentiment.ports import AlertChannel, CommentBook, IncidentObserver
from shared.errors import FanEngagementError

CALL_S = 10.0
"""After so long a call counts as unanswered."""


class Caller:
    """Calls channels; never raises for what a channel does.

    Args:
        channels: by the names that the policy uses.
        book: for the words of samples.
        prior: named in the page where there is no history.
        link: makes the link that acknowledges an incident.
        language: of the pages.
        observer: is told where samples can't be read.
    """

    def __init__(
        self,
        *,
        channels: Mapping[str, AlertChannel],
        book: CommentBook,
        prior: Prior,
        link: Callable[[str], str],
        language: Language,
        observer: IncidentObserver,
    ) -> None:
        self._channels = channels
        self._book = book
        self._prior = prior
        self._link = link
        self._language = language
        self._observer = observer

    async def call(self, rows: Sequence[Due]) -> Outcome:
        """Call the channel of these rows once; several rows are words that go together."""
        channel = self._channels.get(rows[0].page.wanted.channel)
        if channel is None:
            return Outcome("refused", "no_such_channel")
        message = await self._message(rows[-1])
        if len(rows) > 1:
            words = [(one.page.wanted.action, one.incident) for one in rows]
            message = replace(message, text=digest(words, self._language))
        try:
            async with asyncio.timeout(CALL_S):
                return await channel.send(message)
        except TimeoutError:
            return Outcome("unavailable", "timeout")
        except Exception as error:  # noqa: BLE001 - a broken channel must not stop the others
            return Outcome("unavailable", type(error).__name__)

    async def _message(self, due: Due) -> PageMessage:
        wanted, incident = due.page.wanted, due.incident
        texts: dict[str, str] = {}
        if due.alarm:
            try:
                texts = await self._book.texts(incident.samples)
            except FanEngagementError as error:  # a page without samples is better than none
                self._observer.failed("samples", error)
        text = page_text(
            incident,
            action=wanted.action,
            step=wanted.step,
            samples=[texts[one] for one in incident.samples if one in texts],
            link=self._link(incident.id),
            prior=self._prior,
            language=self._language,
            why=wanted.why or "not_acknowledged",
        )
        return PageMessage(
            text=text,
            action=wanted.action,
            page=due.page.id,
            incident=incident.id,
            dedup_key=due.page.dedup_key,
            account=incident.account,
            subject=incident.subject,
            severity=incident.severity,
            step=wanted.step,
            mention=wanted.mention,
            occurred_at=incident.opened_at,
            earlier_keys=tuple(dedup_key(incident.id, one) for one in range(wanted.round)),
        )
