"""What the service does with comments, and how its four kinds of documents are kept.

A comment is scored with its batch, becomes one document by its own id, and rings its account's
bell. Whether it makes an incident is decided elsewhere, on the set of comments (`loops`).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.sentiment.domain import documents
from services.sentiment.domain.documents import StoredComment
from services.sentiment.domain.incidents.comments import (
    fingerprint,
    is_negative,
    left_id,
    pseudonym,
    staff_text,
)
from services.sentiment.domain.incidents.incident import AccountIncidents
from services.sentiment.domain.incidents.subjects import subject_of
from services.sentiment.domain.incidents.usual import Usual
from services.sentiment.domain.paging.pages import Page
from services.sentiment.domain.verdict import Verdict
from services.sentiment.ports import CommentBook, Counters, IncidentObserver, Scorer
from shared.errors import DeadLetterReason, PermanentError, TransientError
from shared.events import (
    AccountEvent,
    CommentPosted,
    Event,
    FanUnfollowed,
    MessageReceived,
    stable_id,
)
from shared.kafka.handler import Decision, Fact

REMEMBERED_VERDICTS = 50_000
"""More than all partitions can have at work; what a crash of a batch left falls out."""


class CommentHandler:
    """Scores comments and stores them; see `shared.kafka.handler.Handler`.

    Args:
        scorer: the model.
        counters: rung after comments are durable.
        book: erases what is known of fans who left.
        secret: makes pseudonyms.
        threshold: smallest probability at which a comment counts as negative.
        with_messages: also take fans' direct messages for comments.
        rang: called after bells rang.
        observer: is told the steps that were reached.
    """

    collection = "comments"
    loop = "scoring"

    def __init__(
        self,
        scorer: Scorer,
        counters: Counters,
        book: CommentBook,
        *,
        secret: bytes,
        threshold: float,
        with_messages: bool = False,
        rang: Callable[[], None] = lambda: None,
        observer: IncidentObserver | None = None,
    ) -> None:
        self._scorer = scorer
        self._counters = counters
        self._book = book
        self._secret = secret
        self._threshold = threshold
        self._rang = rang
        self._observer = observer
        self._verdicts: OrderedDict[str, Verdict | None] = OrderedDict()
        self._types: frozenset[type[Event]] = frozenset(
            {CommentPosted, FanUnfollowed, *((MessageReceived,) if with_messages else ())}
        )

    @property
    def types(self) -> frozenset[type[Event]]:
        """See the port."""
        return self._types

    def document_id(self, event: Event) -> str | None:
        """The comment's own identity, whoever read it and however often."""
        match event:
            case CommentPosted():
                return stable_id(
                    "comment",
                    event.platform,
                    event.account,
                    event.article,
                    event.article_index,
                    event.comment_id,
                )
            case MessageReceived():
                message_id = event.fields.get("MsgId", "")
                return (
                    stable_id("message", event.key, event.occurred_at, message_id, event.text)
                    if event.text
                    else None
                )
            case FanUnfollowed():
                return left_id(self._author(event))
            case _:
                return None

    def load(self, fields: Mapping[str, Any]) -> StoredComment:
        """See the port."""
        return documents.load_comment(fields)

    def dump(self, state: StoredComment) -> dict[str, Any]:
        """See the port."""
        return documents.dump_comment(state)

    def decide(self, state: StoredComment, fact: Fact) -> Decision[StoredComment]:
        """The comment with its verdict; one that was stored already stays as it is."""
        event = fact.event
        if isinstance(event, FanUnfollowed):
            at = max(state.at, event.occurred_at)
            return Decision(replace(state, author=self._author(event), at=at))
        if state.account or not isinstance(event, CommentPosted | MessageReceived):
            return Decision(state)
        if fact.id not in self._verdicts:
            raise TransientError("the comment was not scored with its batch")
        verdict = self._verdicts[fact.id]
        if verdict is None:
            raise PermanentError(DeadLetterReason.REJECTED, "the model failed on this comment")
        return Decision(self._stored(event, verdict, fact.traceparent))

    async def before(self, facts: Sequence[Fact]) -> None:
        """Score the batch's texts at once."""
        texts = {
            fact.id: fact.event.text
            for fact in facts
            if isinstance(fact.event, CommentPosted | MessageReceived)
        }
        verdicts = await self._scorer.score(list(texts.values())) if texts else []
        self._verdicts.update(zip(texts, verdicts, strict=True))
        while len(self._verdicts) > REMEMBERED_VERDICTS:
            self._verdicts.popitem(last=False)

    async def after(self, facts: Sequence[Fact]) -> None:
        """Ring the bells, and erase who left."""
        counts: Counter[str] = Counter()
        authors: set[str] = set()
        for fact in facts:
            self._verdicts.pop(fact.id, None)
            event = fact.event
            if isinstance(event, CommentPosted | MessageReceived):
                counts[_account(event)] += 1
            if isinstance(event, CommentPosted | MessageReceived | FanUnfollowed):
                authors.add(self._author(event))
        if authors:  # also of comments: one may be found after its author has left
            await self._book.forget_left(authors)
        if counts:
            self._step("comment_written")
            await self._counters.raise_by(counts)
            self._step("bell_rung")
            self._rang()

    def _stored(
        self, event: CommentPosted | MessageReceived, verdict: Verdict, trace: str
    ) -> StoredComment:
        return StoredComment(
            account=_account(event),
            article=event.article if isinstance(event, CommentPosted) else "",
            at=event.occurred_at,
            author=self._author(event),
            negative=is_negative(
                verdict.tone,
                verdict.negative,
                verdict.severity,
                verdict.kind,
                threshold=self._threshold,
            ),
            subject=subject_of(
                [(reason.hazard, reason.level) for reason in verdict.reasons],
                verdict.aspect,
                event.text,
            ),
            severity=verdict.severity,
            fingerprint=fingerprint(event.text),
            tone=verdict.tone,
            p_negative=round(float(verdict.negative), 4),
            kind=verdict.kind,
            aspect=verdict.aspect or "",
            reasons=tuple(f"{r.hazard}:{r.level}:{r.term}" for r in verdict.reasons),
            text=staff_text(event.text),
            trace=trace,
        )

    def _step(self, name: str) -> None:
        if self._observer is not None:
            self._observer.step(name)

    def _author(self, event: CommentPosted | MessageReceived | FanUnfollowed) -> str:
        """The fan's pseudonym, or one of the comment's own where the platform names no fan."""
        return pseudonym(self._secret, _account(event), event.key)


class IncidentDocuments:
    """The incidents of an account, one document each; `_id` is the account."""

    collection = "incidents"
    loop = "incidents"

    def load(self, fields: Mapping[str, Any]) -> AccountIncidents:
        """See `shared.kafka.handler.Documents`."""
        return documents.load_incidents(fields)

    def dump(self, state: AccountIncidents) -> dict[str, Any]:
        """See `shared.kafka.handler.Documents`."""
        return documents.dump_incidents(state)


class PageDocuments:
    """Pages, one document each."""

    collection = "pages"
    loop = "pages"

    def load(self, fields: Mapping[str, Any]) -> Page | None:
        """See `shared.kafka.handler.Documents`."""
        return documents.load_page(fields)

    def dump(self, state: Page | None) -> dict[str, Any]:
        """See `shared.kafka.handler.Documents`."""
        if state is None:
            raise ValueError("a page is written only once there is one")
        return documents.dump_page(state)


class UsualDocuments:
    """The history of an account, one document each; `_id` is the account."""

    collection = "usual"
    loop = "usual"

    def load(self, fields: Mapping[str, Any]) -> Usual:
        """See `shared.kafka.handler.Documents`."""
        return documents.load_usual(fields)

    def dump(self, state: Usual) -> dict[str, Any]:
        """See `shared.kafka.handler.Documents`."""
        return documents.dump_usual(state)


def _account(event: AccountEvent) -> str:
    return f"{event.platform}:{event.account}"
