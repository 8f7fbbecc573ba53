"""Rule kind `count`: something happened often enough, or amounts to enough, within a window.

How it is kept small: only what can still matter is remembered, the newest happenings that reach
the threshold. A count of up to 64 is exact to the millisecond. A sum, or a larger count, is kept
in slots of 1/64 of the window: a happening then counts until its slot's end plus the window,
at most 1/64 too long.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.segmenter.domain.fan import Fan, Memory
from services.segmenter.domain.rules.base import VERSION_CHARS, Duration, Rule, RuleSpec
from shared.events import (
    CommentPosted,
    Event,
    FanFollowed,
    LinkViewed,
    MenuClicked,
    MessageReceived,
    PurchaseMade,
    QrScanned,
    stable_id,
)

COUNTABLE: dict[str, type[Event]] = {
    event.__name__: event
    for event in (
        CommentPosted,
        FanFollowed,
        LinkViewed,
        MenuClicked,
        MessageReceived,
        PurchaseMade,
        QrScanned,
    )
}
SLOTS = 64
MAX_THRESHOLD = 10**15

Slot = tuple[int, int]
"""(start in ms, how much happened in it)"""


class Prefix(BaseModel):
    """A field must begin with this."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    prefix: Annotated[str, Field(min_length=1, max_length=256)]


class CountSpec(RuleSpec):
    """`at_least` happenings (or a `sum` of at least that) `within` a window."""

    kind: Literal["count"]
    event: str
    at_least: Annotated[int, Field(ge=1, le=MAX_THRESHOLD)]
    within: Duration
    sum: str | None = None
    """The field to add up; None counts the happenings."""
    where: dict[str, str | Prefix] = Field(default_factory=dict)
    """Fields that must equal a text, or begin with it."""

    @model_validator(mode="after")
    def _fields_exist(self) -> Self:
        model = COUNTABLE.get(self.event)
        if model is None:
            raise ValueError(f"event: can't be counted; one of {', '.join(sorted(COUNTABLE))}")
        numbers = [name for name, info in model.model_fields.items() if _is_amount(name, info)]
        if self.sum is not None and self.sum not in numbers:
            raise ValueError(
                f"sum: {self.event} has no such amount; it has {', '.join(numbers) or 'none'}"
            )
        for name in self.where:
            if name not in model.model_fields or name == "text":
                known = ", ".join(sorted(set(model.model_fields) - {"text"}))
                raise ValueError(f"where.{name}: {self.event} has no such field; it has {known}")
        return self

    def compile(self) -> Rule:
        """The rule itself."""
        return CountRule(self)


class CountRule:
    """A compiled `count` rule.

    Memory: (when last earned, or 0; the slots, oldest first). The first is kept for `for` only.
    """

    __slots__ = (
        "_amount_field",
        "_at_least",
        "_exact",
        "_for",
        "_prefixes",
        "_width",
        "_within",
        "events",
        "memory_key",
        "tag",
        "version",
    )

    def __init__(self, spec: CountSpec) -> None:
        self.tag = spec.tag
        self.version = spec.version
        self.events = frozenset({COUNTABLE[spec.event]})
        self._at_least = spec.at_least
        self._within = spec.within
        self._for = spec.for_ms
        self._amount_field = spec.sum
        coarse = spec.sum is not None or spec.at_least > SLOTS
        self._width = -(-spec.within // SLOTS) if coarse else 1
        where = sorted(spec.where.items())
        self._exact = tuple((name, want) for name, want in where if isinstance(want, str))
        self._prefixes = tuple(
            (name, want.prefix) for name, want in where if isinstance(want, Prefix)
        )
        # Another threshold or duration keeps the memory; another subject starts a new one.
        subject = (spec.event, spec.sum or "", spec.within, self._width)
        parts = [repr((name, want)) for name, want in where]
        self.memory_key = stable_id("count", spec.tag, *subject, *parts)[:VERSION_CHARS]

    def observe(self, fan: Fan, event: Event) -> bool:
        """Count the event if it matches."""
        for name, text in self._exact:
            if getattr(event, name) != text:
                return False
        for name, text in self._prefixes:
            if not str(getattr(event, name)).startswith(text):
                return False
        amount = 1 if self._amount_field is None else getattr(event, self._amount_field)
        if amount <= 0:
            return False
        earned, slots = fan.memory.get(self.memory_key, (0, ()))
        kept = self._needed(_added(slots, event.occurred_at, amount, self._width))
        if self._for is not None:
            newest = kept[-1][0] + self._width - 1
            if self._window_end(kept) > newest:
                earned = newest  # the newest only ever moves on
        fan.remember(self.memory_key, (earned, kept))
        return True

    def until(self, fan: Fan) -> int:
        """When the window no longer holds enough, or `for` after it last did."""
        memory: Memory | None = fan.memory.get(self.memory_key)
        if memory is None:
            return 0
        if self._for is not None:
            return memory[0] + self._for if memory[0] else 0
        return self._window_end(memory[1])

    def remembered(self, fan: Fan, now: int) -> dict[str, int | str | None]:
        """How much of what is needed is in the window; more than needed is not remembered."""
        memory: Memory | None = fan.memory.get(self.memory_key)
        if memory is None:
            return {}
        lasts = self._width - 1 + self._within
        counted = sum(amount for start, amount in memory[1] if start + lasts > now)
        return {"counted": min(counted, self._at_least), "at_least": self._at_least}

    def _needed(self, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        """The newest slots that reach the threshold; amounts are cut at it."""
        oldest = slots[-1][0] - self._within - self._width
        total, first = 0, len(slots)
        while first and total < self._at_least and slots[first - 1][0] >= oldest:
            first -= 1
            total += slots[first][1]
        if slots[first][1] > self._at_least:
            slots = (*slots[:first], (slots[first][0], self._at_least), *slots[first + 1 :])
        return slots[first:]

    def _window_end(self, slots: tuple[Slot, ...]) -> int:
        """When fewer than the threshold are left in the window; 0 if there never were enough."""
        total = 0
        for start, amount in reversed(slots):
            total += amount
            if total >= self._at_least:
                return start + self._width - 1 + self._within
        return 0


def _added(slots: tuple[Slot, ...], at: int, amount: int, width: int) -> tuple[Slot, ...]:
    """The slots with `amount` more at `at`; usually that is the newest."""
    start = at - at % width
    if not slots or start > slots[-1][0]:
        return (*slots, (start, amount))
    place = bisect_right(slots, start, key=_start)
    if place and slots[place - 1][0] == start:
        return (*slots[: place - 1], (start, slots[place - 1][1] + amount), *slots[place:])
    return (*slots[:place], (start, amount), *slots[place:])


def _start(slot: Slot) -> int:
    return slot[0]


def _is_amount(name: str, info: object) -> bool:
    return name != "occurred_at" and getattr(info, "annotation", None) is int
