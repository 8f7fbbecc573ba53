"""Facts into a document: which are new, which repeat, what they decide. Pure.

One document at a time.

The guard of a write is the version that was read. Watermark and ring are functions of the document
at that version, so they are checked here, once, and the version guard makes the check hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.errors import DeadLetterReason, PermanentError, TransientError
from shared.events.base import Event
from shared.events.ids import effect_id
from shared.kafka.bookkeeping import OUTBOX_LIMIT, Bookkeeping, Entry
from shared.kafka.handler import Announcement, Change, Fact, Handler
from shared.store.ports import owner_text

S = TypeVar("S")


@dataclass(slots=True)
class Held(Generic[S]):
    """A document in memory: the version it was read at, its bookkeeping and its state."""

    version: int
    book: Bookkeeping
    state: S


@dataclass(slots=True)
class Folded:
    """What became of a document's facts."""

    applied: int = 0
    duplicates: int = 0
    redelivered: int = 0
    new: list[Fact] = field(default_factory=list)
    """The facts that this fold applied; set aside if the document turns out too large."""
    dead: list[tuple[Fact, PermanentError]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether the document must be written."""
        return bool(self.applied or self.duplicates)


class OutboxFullError(TransientError):
    """A document's announcements wait for the log; its partition pauses until they are through."""


def fold(
    held: Held[S], facts: Sequence[Fact], handler: Handler[S], *, epoch: str, source: str
) -> Folded:
    """Apply the facts that are new to the document, in order, changing `held`.

    Args:
        held: the document; discard it if this raises.
        facts: of this document, in the order of the log.
        handler: decides.
        epoch: the incarnation of the log that the offsets belong to.
        source: the `ce_source` of what is announced.

    Raises:
        TransientError: the handler can't decide now, or the outbox is full.
    """
    folded = Folded()
    book = held.book
    decide = handler.decide
    partition, mark = -1, None
    ring_of, ring = "", None
    for fact in facts:
        if mark is None or fact.partition != partition:
            partition, mark = fact.partition, book.mark(epoch, fact.topic, fact.partition)
        if fact.offset <= mark.offset:
            folded.redelivered += 1
            continue
        time = fact.event.occurred_at
        if ring is None or fact.source != ring_of:
            ring_of, ring = fact.source, book.ring(fact.source)
        told = ring.tell(fact.id, time)
        if told == "duplicate":
            mark.offset = fact.offset
            mark.duplicates += 1
            folded.duplicates += 1
            continue
        if told == "too_old":
            folded.dead.append((fact, _too_old()))
            continue
        try:
            decision = decide(held.state, fact)
        except TransientError:
            raise
        except PermanentError as error:
            folded.dead.append((fact, error))
            continue
        except Exception as error:  # noqa: BLE001 -- whatever a rule raises sets this record aside
            folded.dead.append(
                (fact, PermanentError(DeadLetterReason.HANDLER_RAISED, type(error).__name__))
            )
            continue
        held.state = decision.state
        if decision.events:
            announcements = [
                e if isinstance(e, Announcement) else Announcement(e, fact.id)
                for e in decision.events
            ]
            _announce(book, announcements, source, fact.traceparent)
        ring.add(fact.id, time)
        mark.offset = fact.offset
        mark.applied += 1
        folded.new.append(fact)
    folded.applied = len(folded.new)
    if facts and book.outbox:
        book.owner = owner_text(facts[-1].topic, facts[-1].partition)
    _check_outbox(book)
    return folded


def change(held: Held[S], wanted: Change[S], *, source: str) -> None:
    """Apply what something other than a record decided, changing `held`."""
    held.state = wanted.state
    book = held.book
    _announce(book, wanted.announcements, source, traceparent="")
    if book.marks:  # it has records' partition too: whoever owns that announces what a crash left
        book.owner = owner_text(book.marks[-1].topic, book.marks[-1].partition)
    _check_outbox(book)


def entry(event: Event, cause: str, ordinal: int, source: str, traceparent: str) -> Entry:
    """The outbox entry that announces `event`, with the id that its cause gives it."""
    name = type(event).__name__
    key = event.key
    return Entry(
        id=effect_id(cause, name, key, ordinal),
        type=name,
        source=source,
        time=event.occurred_at,
        topic=event.topic,
        key=key,
        value=event.to_json(),
        traceparent=traceparent,
    )


def _announce(
    book: Bookkeeping, announcements: Iterable[Announcement], source: str, traceparent: str
) -> None:
    """Put announcements into the outbox, each numbered among the effects of its cause."""
    ordinals: dict[str, int] = {}
    for announcement in announcements:
        ordinal = ordinals.get(announcement.cause, 0)
        ordinals[announcement.cause] = ordinal + 1
        trace = announcement.traceparent or traceparent
        book.outbox.append(entry(announcement.event, announcement.cause, ordinal, source, trace))


def _check_outbox(book: Bookkeeping) -> None:
    if len(book.outbox) > OUTBOX_LIMIT:
        waiting = sum(e.progress != "acknowledged" for e in book.outbox)
        if waiting > OUTBOX_LIMIT:
            raise OutboxFullError(f"{waiting} announcements wait in one document")


def _too_old() -> PermanentError:
    return PermanentError(
        DeadLetterReason.TOO_OLD_TO_TELL, "older than the ids this document still remembers"
    )
