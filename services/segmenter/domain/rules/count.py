"""Rule kind `count`: something happened often enough, or amounts to enough, within a window.

With `for`, the tag was earned at each happening whose window, the one that ends there, held enough;
it lasts `for` from the newest of those. The order in which happenings arrive does not matter.

How it is kept small: the newest happenings are remembered, twice as many as the threshold and at
least 16, so that the file can be edited (see `CountRule.adopt`); with `for` also older ones that a
late happening could still make enough, 128 at the most. A count of up to 64 is exact to the
millisecond. A sum, or a larger count, is kept in slots of 1/64 of the window, 66 of them, with
`for` up to 128: a happening then counts until its slot's end plus the window, at most 1/64 too
long. Once so much is remembered, a happening older than all of it counts for nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.segmenter.domain.fan import Fan, FanId, Memory
from services.segmenter.domain.rules.base import VERSION_CHARS, Duration, Rule, RuleSpec
from services.segmenter.domain.rules.happenings import (
    Amounts,
    Moments,
    amount_after,
    enough_until,
    in_slots,
    newest_full,
    one_by_one,
    slot_end,
    with_one,
)
from services.segmenter.domain.rules.where import Alike, Prefix, Where, still_alike
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
"""In a window; a count up to so many needs none."""
MAX_THRESHOLD = 10**15
RESERVE = 16
"""Happenings remembered at the least, for a file that will ask for more."""
LIMIT = 128
"""Happenings, or slots, remembered at the most where `for` needs older ones."""
_NOTHING: Memory = (0, 0, (), (), (), ())


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

    Memory: (when last earned, or 0; until when happenings may be missing, or 0; (`at_least`,
    `within`, the marks of `where`); what all happenings are alike in; their moments; their
    amounts). The first is kept for `for` only.
    """

    __slots__ = (
        "_amount_field",
        "_at_least",
        "_for",
        "_limit",
        "_measure",
        "_old_key",
        "_reserve",
        "_slots",
        "_subject",
        "_where",
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
        self._slots = spec.sum is not None or spec.at_least > SLOTS
        self._width = -(-spec.within // SLOTS) if self._slots else 1
        self._reserve = SLOTS + 2 if self._slots else max(RESERVE, 2 * spec.at_least)
        self._limit = self._reserve if spec.for_ms is None else max(LIMIT, self._reserve)
        self._where = Where(COUNTABLE[spec.event], spec.where)
        self._measure = (spec.at_least, spec.within, self._where.marks)
        # What was counted is the key; how much of it, in what window and which of it is not.
        self._subject = stable_id("count", spec.event, spec.sum or "")[: VERSION_CHARS // 2]
        self.memory_key = self._subject + stable_id("tag", spec.tag)[: VERSION_CHARS // 2]
        old_subject = (spec.event, spec.sum or "", spec.within, self._width)
        parts = [repr(condition) for condition in sorted(spec.where.items())]
        self._old_key = stable_id("count", spec.tag, *old_subject, *parts)[:VERSION_CHARS]

    def observe(self, fan: Fan, event: Event) -> bool:
        """Count the event if it matches."""
        if self._where and not self._where.meant(event):
            return False
        amount = 1 if self._amount_field is None else getattr(event, self._amount_field)
        if amount <= 0:
            return False
        moment = event.occurred_at
        if self._slots:
            moment = slot_end(moment, self._width)
        earned, missing, _, alike, moments, amounts = fan.memory.get(self.memory_key, _NOTHING)
        alike = still_alike(event, alike) if moments else self._where.traits(event)
        moments, amounts, place = with_one(moments, amounts, moment, amount, slots=self._slots)
        if self._for is not None:
            full = newest_full(
                moments, amounts, self._at_least, self._within, place=place, after=earned
            )
            earned = max(earned, full)
        self._remember(fan, earned, missing, alike, moments, amounts)
        return True

    def until(self, fan: Fan) -> int:
        """When the window no longer holds enough, or `for` after it last did."""
        memory: Memory | None = fan.memory.get(self.memory_key)
        if memory is None:
            return 0
        if self._for is not None:
            return memory[0] + self._for if memory[0] else 0
        return enough_until(memory[4], memory[5], self._at_least, self._within)

    def adopt(self, fan: Fan, who: FanId, now: int) -> int:
        """Go on with what was counted before the file changed, as far as it fits."""
        own = fan.memory.get(self.memory_key) or self._old_memory(fan)
        if own is not None and own[2] == self._measure:
            if self.memory_key not in fan.memory or (self._for is not None and not own[0]):
                self._go_on_with(fan, own, now)
            return 0
        others = [
            memory
            for key, memory in (
                *fan.memory.items(),
                *((key, memory) for key, (_, memory) in fan.retired.items()),
            )
            if key.startswith(self._subject) and key != self.memory_key
        ]
        others.sort(key=lambda memory: (-len(memory[4]), memory))
        for memory in (own, *others):
            if memory is not None and self._where.fits(memory[2][2], memory[3], who):
                return self._go_on_with(fan, memory, now)
        if own is None:
            return 0
        self._remember(fan, 0, now, (), (), ())
        doubtful = self._where.fits(own[2][2], own[3], who) is None
        return now + self._within + (self._for or 0) if doubtful else 0

    def remembered(self, fan: Fan, now: int) -> dict[str, int | str | None]:
        """How much of what is needed is in the window; more than needed does not matter."""
        memory: Memory | None = fan.memory.get(self.memory_key)
        if memory is None:
            return {}
        counted = amount_after(memory[4], memory[5], now - self._within)
        return {"counted": min(counted, self._at_least), "at_least": self._at_least}

    def _remember(
        self,
        fan: Fan,
        earned: int,
        missing: int,
        alike: Alike,
        moments: Moments,
        amounts: Amounts,
    ) -> None:
        """Keep a reserve, and what a late happening could still make enough."""
        first = len(moments) - self._reserve
        if first > 0:
            if self._for is not None:
                needed = bisect_right(moments, earned - self._within)
                if not self._slots:  # of those before it, no more than the threshold can matter
                    needed = max(needed, bisect_right(moments, earned) - self._at_least)
                first = max(min(first, needed), len(moments) - self._limit)
            if first > 0:
                missing = max(missing, moments[first - 1])
                moments, amounts = moments[first:], amounts[first:]
        fan.remember(self.memory_key, (earned, missing, self._measure, alike, moments, amounts))

    def _go_on_with(self, fan: Fan, memory: Memory, now: int) -> int:
        """Make memory of the same subject, all of which fits, this rule's own; see `adopt`."""
        earned, missing, (at_least, within, asked), alike, moments, amounts = memory
        complete = set(asked) <= set(self._where.marks)
        if not complete:  # what was not asked for then may fit now
            missing = max(missing, now)
        if self._slots:
            moments, amounts = in_slots(moments, amounts, self._width)
        elif amounts:
            if sum(amounts) > self._limit:
                missing = max(missing, moments[-1])
            moments, amounts = one_by_one(moments, amounts, self._limit), ()
        if self._at_least > at_least or self._within < within:
            earned = 0  # it may have been too little
        if self._for is not None:
            full = newest_full(moments, amounts, self._at_least, self._within, after=earned)
            earned = max(earned, full)
        self._remember(fan, earned, missing, alike, moments, amounts)
        if not missing or (complete and self.until(fan)):
            return 0
        return int(missing) + self._within + (self._for or 0)

    def _old_memory(self, fan: Fan) -> Memory | None:
        """What lies there in an older form: (when last earned, ((slot's start, amount), …))."""
        old = fan.memory.get(self._old_key)
        if old is None:
            return None
        moments = tuple(start + self._width - 1 for start, _ in old[1])
        amounts = tuple(amount for _, amount in old[1])
        missing = moments[0] if moments else 0  # no more was kept than was enough
        if not self._slots:
            moments, amounts = one_by_one(moments, amounts, self._limit), ()
        return (old[0], missing, self._measure, (), moments, amounts)


def _is_amount(name: str, info: object) -> bool:
    return name != "occurred_at" and getattr(info, "annotation", None) is int
