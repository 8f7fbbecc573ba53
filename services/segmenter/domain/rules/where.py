"""`where` of a counting rule: which events are meant, and which of those counted long ago were.

The values of what was counted are not kept, only marks of them: 32 bits of each value that all of
them had in common. They tell whether a `where` that was written later fits all of them or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field

from services.segmenter.domain.fan import FanId
from shared.events import Event

_WHO = ("platform", "account", "fan")
"""Fields that are the same in all events of a fan."""
_NOT_COMPARED = frozenset({*_WHO, "text"})

Alike = tuple[tuple[str, int], ...]
"""(field, mark of the value that it had in all of them)"""


class Prefix(BaseModel):
    """A field must begin with this."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    prefix: Annotated[str, Field(min_length=1, max_length=256)]


class Where:
    """The compiled conditions of one rule.

    Args:
        model: the event that is counted.
        conditions: by field; all must be met.
    """

    __slots__ = ("_conditions", "_exact", "_fields", "_prefixes", "marks")

    def __init__(self, model: type[Event], conditions: Mapping[str, str | Prefix]) -> None:
        self._conditions = sorted(conditions.items())
        self._exact = tuple((name, want) for name, want in self._conditions if type(want) is str)
        self._prefixes = tuple(
            (name, want.prefix) for name, want in self._conditions if isinstance(want, Prefix)
        )
        self._fields = tuple(
            name
            for name, info in model.model_fields.items()
            if info.annotation is str and name not in _NOT_COMPARED
        )
        self.marks = tuple(mark_of(repr(condition)) for condition in self._conditions)
        """Of the conditions themselves, to tell whether they were the same."""

    def __bool__(self) -> bool:
        return bool(self._conditions)

    def meant(self, event: Event) -> bool:
        """Whether the event meets all conditions."""
        for name, text in self._exact:
            if getattr(event, name) != text:
                return False
        return not self._prefixes or all(
            str(getattr(event, name)).startswith(text) for name, text in self._prefixes
        )

    def traits(self, event: Event) -> Alike:
        """What later events may be alike in."""
        return tuple((name, mark_of(getattr(event, name))) for name in self._fields)

    def fits(self, asked: tuple[int, ...], alike: Alike, who: FanId) -> bool | None:
        """Whether all that was counted meets the conditions, or none of it; None: not known.

        Args:
            asked: the marks of the conditions under which it was counted.
            alike: what all of it has in common.
            who: the fan.
        """
        marks = dict(alike)
        fits: bool | None = True
        for (name, want), mark in zip(self._conditions, self.marks, strict=True):
            if mark in asked:
                continue
            if name in _WHO:
                value = who[_WHO.index(name)]
                if not (
                    value.startswith(want.prefix) if isinstance(want, Prefix) else value == want
                ):
                    return False
            elif isinstance(want, Prefix) or name not in marks:
                fits = None
            elif marks[name] != mark_of(want):
                return False
        return fits


def still_alike(event: Event, alike: Alike) -> Alike:
    """What one more event leaves of what all have in common."""
    for name, mark in alike:
        if mark_of(getattr(event, name)) != mark:
            return tuple(one for one in alike if mark_of(getattr(event, one[0])) == one[1])
    return alike


def mark_of(text: str) -> int:
    """A number in place of a text: what somebody sent can't be read in what is kept."""
    return crc32(text.encode("utf-8", "surrogatepass"))
