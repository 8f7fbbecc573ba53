"""The steps for one record, and for one fan whom the clock found: load, decide, store, announce.

The decisions are in `domain.tagging`; here they meet the runner. Events are told apart by their
exact type: pydantic's `isinstance` costs as much as a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

from services.segmenter.domain.fan import NEVER, Fan
from services.segmenter.domain.record import dump_fan, load_fan
from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.tagging import advance, apply_event
from services.segmenter.ports import TagNotes
from shared.events import (
    CommentPosted,
    Event,
    FanEvent,
    FanFollowed,
    FanUnfollowed,
    LinkViewed,
    MenuClicked,
    MessageReceived,
    PurchaseMade,
    QrScanned,
    TagEvent,
)
from shared.kafka.handler import Announcement, Change, Decision, Fact

MAX_AHEAD_MS = 600_000
"""How far an event's time may lie ahead of ours. One from further on counts as of that instant: a
shop's wrong clock must not end all tags of a fan and keep new ones away for as long."""


class TagHandler:
    """Implements `shared.kafka.handler.Handler` for `fan-events.v1`.

    Args:
        book: the rules in force; `use` replaces them while the service runs.
        notes: is told of tag changes.
        now: milliseconds since the epoch, against wrong clocks and for what a changed book does;
            None trusts every event's time.
    """

    collection: ClassVar[str] = "fans"
    loop: ClassVar[str] = "segmenter"
    types: ClassVar[frozenset[type[Event]]] = frozenset(
        {
            CommentPosted,
            FanFollowed,
            FanUnfollowed,
            LinkViewed,
            MenuClicked,
            MessageReceived,
            PurchaseMade,
            QrScanned,
        }
    )

    def __init__(
        self, book: RuleBook, notes: TagNotes, now: Callable[[], int] | None = None
    ) -> None:
        self.book = book
        self._notes = notes
        self._now = now
        self._today = 0
        self._latest = NEVER

    def use(self, book: RuleBook) -> None:
        """Decide by another rule book from now on."""
        self.book = book

    def document_id(self, event: Event) -> str | None:
        """The fan's key; None for a comment of whom the platform names no fan."""
        return None if type(event) is CommentPosted and not event.fan else event.key

    def load(self, fields: Mapping[str, Any]) -> Fan:
        """See `Documents`."""
        return load_fan(fields)

    def dump(self, state: Fan) -> dict[str, Any]:
        """See `Documents`."""
        return dump_fan(state)

    def decide(self, state: Fan, fact: Fact) -> Decision[Fan]:
        """The fan after an event."""
        event = cast("FanEvent", fact.event)  # all of `types` have its fields
        if event.occurred_at > self._latest:
            event = event.model_copy(update={"occurred_at": self._latest})
        who = (event.platform, event.account, event.fan)
        fan, changes = apply_event(self.book, state, who, event, fact.id, today=self._today)
        if not changes:
            return Decision(fan)
        self._notes.changed(changes)
        # What time had caused before this event keeps its own cause.
        return Decision(fan, tuple(_announced(change) for change in changes))

    def advance(self, key: str, state: Fan, now: int, today: int) -> Change[Fan] | None:
        """The fan after time went on to `now`, by the book in force; None if nothing changes.

        `today` is what our clock says; see `domain.tagging.advance`.
        """
        platform, account, fan_id = key.split(":", 2)
        moved = advance(self.book, state, (platform, account, fan_id), now, today=today)
        if moved is None:
            return None
        fan, changes = moved
        self._notes.changed(changes)
        return Change(fan, tuple(_announced(change) for change in changes))

    async def before(self, facts: Sequence[Fact]) -> None:
        """Note what time it is, and with it how far ahead an event of this batch may be."""
        if self._now is not None:
            self._today = self._now()
            self._latest = self._today + MAX_AHEAD_MS

    async def after(self, facts: Sequence[Fact]) -> None:
        """Nothing to follow up."""


def _announced(change: TagEvent) -> Announcement:
    return Announcement(change, change.cause)
