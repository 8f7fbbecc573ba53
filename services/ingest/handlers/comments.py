"""Reads an article's new comments, publishes them, and only then moves the cursor.

Broken off anywhere, the next reading goes over the same ground and publishes the same ids again:
no gap, and nothing that consumers would apply twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from services.ingest.domain.articles import (
    Article,
    Cursor,
    Found,
    plan_next_poll,
    understand_comment,
)
from services.ingest.domain.incoming import Incoming
from services.ingest.domain.walk import Walk, finish_walk, take_page
from services.ingest.handlers.articles import load_article
from services.ingest.handlers.webhooks import to_record
from services.ingest.ports import Comments
from shared.errors import TransientError
from shared.kafka.ports import Publisher
from shared.store.ports import GuardedStore, GuardedWrite, Leases

LEASE_S: Final = 60.0
FINISHED: Final = "finished"
ELSEWHERE: Final = "leased_elsewhere"
MISSING: Final = "missing"
UNSTEADY: Final = "list_unsteady"
LOG_UNAVAILABLE: Final = "log_unavailable"
_MOST_RACES: Final = 5


@dataclass(frozen=True, slots=True)
class Polled:
    """What a reading found."""

    outcome: str
    """`finished`, or a bounded word why not."""
    published: int = 0
    malformed: int = 0
    """Comments whose data made no event; they are left out. One that can't even be told from the
    others is counted when its page brings something new."""


@dataclass(frozen=True, slots=True)
class Poller:
    """What a reading needs."""

    store: GuardedStore
    leases: Leases
    publisher: Publisher
    comments: Mapping[str, Comments]
    """By the account's gh_ id."""
    holder: str
    """Names this process among the pollers."""
    every_s: float
    """The pace for young articles, in seconds."""

    async def poll(self, doc_id: str, now: float) -> Polled:
        """Read one article's new comments; `now` is in Unix seconds.

        Raises:
            TransientError: the store can't be reached.
        """
        lease = f"comments:{doc_id}"
        if not await self.leases.acquire(lease, self.holder, LEASE_S, now):
            return Polled(ELSEWHERE)
        try:
            return await self._poll(doc_id, now)
        finally:
            await self.leases.release(lease, self.holder)

    async def _poll(self, doc_id: str, now: float) -> Polled:
        fields = (await self.store.read([doc_id])).get(doc_id)
        if fields is None:
            return Polled(MISSING)
        article, cursor = load_article(fields), load_cursor(fields)
        comments = self.comments.get(article.account)
        if comments is None:
            return Polled(MISSING)
        walk, polled = await self._walk(article, cursor, comments)
        finished = polled.outcome == FINISHED
        moved = Cursor(
            known=finish_walk(walk, cursor.known) if finished else cursor.known,
            next_poll_at=plan_next_poll(
                article, every_s=self.every_s, refused=not finished, now=now
            ),
        )
        await self._save(doc_id, fields, moved)
        return polled

    async def _walk(
        self, article: Article, cursor: Cursor, comments: Comments
    ) -> tuple[Walk, Polled]:
        walk = Walk(frozenset(cursor.known))
        polled = Polled(FINISHED)
        while True:
            page = await comments.read_page(article.article, article.index, walk.begin)
            if isinstance(page, str):
                return walk, replace(polled, outcome=page)
            by_id = {found.comment_id: found for found in page.comments}
            step = take_page(
                walk,
                list(by_id),
                listed=len(page.comments) + page.unreadable,
                asked=page.asked,
                total=page.total,
            )
            events, malformed = _understand(article, [by_id[one] for one in step.fresh])
            try:
                await self.publisher.publish([to_record(event) for event in events])
            except TransientError:
                return walk, replace(polled, outcome=LOG_UNAVAILABLE)
            walk = step.walk
            polled = Polled(
                UNSTEADY if step.gave_up else FINISHED,
                polled.published + len(events),
                polled.malformed + malformed + (page.unreadable if step.fresh else 0),
            )
            if step.done or step.gave_up:
                return walk, polled

    async def _save(self, doc_id: str, fields: Mapping[str, Any], cursor: Cursor) -> None:
        for _ in range(_MOST_RACES):
            write = GuardedWrite(doc_id, fields["v"], dump_cursor(cursor))
            if doc_id not in await self.store.write([write]):
                return
            # learning wrote meanwhile; the fields we write are ours alone
            fields = (await self.store.read([doc_id])).get(doc_id, fields)
        raise TransientError("the cursor lost every race; the next reading tries again")


def load_cursor(fields: Mapping[str, Any]) -> Cursor:
    """Return the cursor of a document; the beginning where it was never read."""
    return Cursor(tuple(fields.get("known") or ()), fields.get("next_poll_at") or 0)


def dump_cursor(cursor: Cursor) -> dict[str, Any]:
    """Return the fields that say how far the article was read."""
    return {"known": list(cursor.known), "next_poll_at": cursor.next_poll_at}


def _understand(article: Article, found: Sequence[Found]) -> tuple[list[Incoming], int]:
    events: list[Incoming] = []
    for one in found:
        try:
            events.append(understand_comment(article, one))
        except ValidationError:
            continue
    return events, len(found) - len(events)
