"""What a service supplies to the runner: pure decisions about one kind of document.

No I/O package is imported here, so that handlers stay free of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from shared.events.base import Event
from shared.observe.traces import valid_traceparent

S = TypeVar("S")


# One of each is made for every record: frozen ones take three times as long to make.
@dataclass(slots=True)
class Fact:
    """One validated record: the event and where it came from. Never changed."""

    event: Event
    id: str
    """`ce_id`."""
    source: str
    """`ce_source`; ids are unique within it."""
    topic: str
    partition: int
    offset: int
    trace_header: bytes = b""
    """The record's `traceparent`, whatever it says."""

    @property
    def traceparent(self) -> str:
        """The trace that the record belongs to; empty where it names none, or none that is valid.

        Looked at only where it is needed: few records announce something.
        """
        return valid_traceparent(self.trace_header) if self.trace_header else ""


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event to publish with the state change, and what caused it.

    The runner derives its id from (cause, type, record key, its place among the cause's effects).
    """

    event: Event
    cause: str
    traceparent: str = ""
    """The trace that it goes on with; empty for that of the fact it is announced with."""


@dataclass(slots=True)
class Decision(Generic[S]):
    """What a fact does to a document: its new state and what that announces. Never changed."""

    state: S
    events: tuple[Event | Announcement, ...] = ()
    """Announced with the fact as their cause, unless they name another: what time had caused
    before the fact has the same id as if the clock had noticed it."""


@dataclass(frozen=True, slots=True)
class Change(Generic[S]):
    """What something other than a record (time, a call's result) does to a document."""

    state: S
    announcements: tuple[Announcement, ...] = ()


class Documents(Protocol[S]):
    """How the state of one loop is kept: the collection, the codec and the loop's name.

    A document may be written by several loops of a service; each writes only the fields that its
    own `dump` names, and reads all of them.
    """

    @property
    def collection(self) -> str:
        """The collection's name."""

    @property
    def loop(self) -> str:
        """Names this loop's bookkeeping in the document: letters and underscores only."""

    def load(self, fields: Mapping[str, Any]) -> S:
        """State from a stored document's fields; an empty mapping is a document never seen."""

    def dump(self, state: S) -> dict[str, Any]:
        """The fields this loop owns, as BSON values, always with the same names.

        The names `_id`, `v` and `l` belong to the runner. None stores null.
        """


class Handler(Documents[S], Protocol[S]):
    """What one consumer group does with the records of one topic.

    `decide` is pure: time comes from the event, randomness from the state. An exception out of
    `decide` sets that one record aside (`handler_raised`, or the reason of a `PermanentError`); a
    `TransientError` makes the runner try the batch again later.
    """

    @property
    def types(self) -> frozenset[type[Event]]:
        """The events that matter here; all others are skipped and counted."""

    def document_id(self, event: Event) -> str | None:
        """The document that this event changes; None skips the event."""

    def decide(self, state: S, fact: Fact) -> Decision[S]:
        """The document's next state. Called once for each fact that is new to the document."""

    async def before(self, facts: Sequence[Fact]) -> None:
        """Prepare a batch, before `decide`: score its texts at once, refresh a list of rules.

        May raise `TransientError`; must not fail because of one record.
        """

    async def after(self, facts: Sequence[Fact]) -> None:
        """Follow up, after the state is durable and before the offsets are committed.

        Called for repeated facts too (a crash may have come before it), so it must be idempotent.
        """
