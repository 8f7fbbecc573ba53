"""What every kind of rule has: a line in `tags.yaml` (`RuleSpec`) and a compiled form (`Rule`).

A rule decides two things: what of an event it remembers of the fan, and until when, by what is
remembered, the fan holds the tag. A tag is held at an instant if that `until` lies after it. So
every kind falls by time in the same way, and a rule that changed is re-examined from memory: an
edit takes a tag from its holder only where memory shows that the new rule is not met.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Annotated, Any, Protocol

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
)

from services.segmenter.domain.fan import Fan, FanId
from shared.events import Event, stable_id
from shared.text import unseen_in

VERSION_CHARS = 16
MAX_DURATION_MS = 400 * 86_400_000

_EMOJI_JOINT = re.compile(r"(?<=[^\w\s])[\ufe0f\u200d]")
"""What makes one picture of several characters: nobody sees it, but it is part of an emoji."""
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_duration(value: Any) -> int:
    """Milliseconds of a text like `90s`, `30m`, `12h`, `7d`.

    Raises:
        ValueError: it is not such a text, or not between 1 s and 400 d.
    """
    if isinstance(value, str) and value[:-1].isascii() and value[:-1].isdigit():
        millis = int(value[:-1]) * _UNIT_MS.get(value[-1], 0)
        if 0 < millis <= MAX_DURATION_MS:
            return millis
    raise ValueError("write a duration between 1s and 400d, like 90s, 30m, 12h or 7d")


def format_duration(millis: int) -> str:
    """A duration as staff write it, in the largest unit that fits."""
    unit = next(unit for unit in "dhms" if millis % _UNIT_MS[unit] == 0)
    return f"{millis // _UNIT_MS[unit]}{unit}"


Duration = Annotated[int, BeforeValidator(parse_duration), PlainSerializer(format_duration)]
"""A duration in milliseconds, written like `7d`."""


class Rule(Protocol):
    """A compiled rule. It is called for each event, so it keeps what it needs at hand."""

    @property
    def tag(self) -> str:
        """The tag it assigns; no two rules of a book assign the same."""

    @property
    def version(self) -> str:
        """Digest of all that decides."""

    @property
    def memory_key(self) -> str | None:
        """Where `Fan.memory` keeps what it remembers; None if the profile is enough."""

    @property
    def events(self) -> frozenset[type[Event]]:
        """The events it looks at."""

    def observe(self, fan: Fan, event: Event) -> bool:
        """Take the event into the fan's memory; False if it says nothing to this rule.

        Replaces `fan.memory`, never changes it in place.
        """

    def until(self, fan: Fan) -> int:
        """The instant at which the tag falls by what is remembered.

        0 if the rule is not met; `NEVER` if time alone can't end it. No event brings a tag that
        is held to an earlier end, and the order in which events arrive does not matter.
        """

    def adopt(self, fan: Fan, who: FanId, now: int) -> int:
        """Take over what this rule before it was edited, or another rule, remembered of the fan.

        Called for each rule when the file has changed. It looks into `fan.memory`, also of rules
        that are in the file no more, and into `fan.retired`.

        Args:
            fan: whose memory it is; replaced, never changed in place.
            who: the fan.
            now: before it, happenings may be missing that the rule did not ask for then.

        Returns:
            Until when, at the most, the fan may hold the tag by what memory does not show; 0 if
            it shows all.
        """

    def remembered(self, fan: Fan, now: int) -> dict[str, int | str | None]:
        """How far the fan is, for staff; empty if there is nothing. `…_at` is an instant in ms."""


class RuleSpec(BaseModel, ABC):
    """Base of the lines of `tags.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tag: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s]+$")]
    kind: str
    description: Annotated[str, Field(max_length=500)] = ""
    """For staff; it decides nothing."""
    for_ms: Annotated[Duration | None, Field(alias="for")] = None
    """How long the tag is held after it was last earned; None: the kind's own end, if any."""

    @field_validator("tag")
    @classmethod
    def _is_seen(cls, tag: str) -> str:
        joints = {joint.start() for joint in _EMOJI_JOINT.finditer(tag)}
        for place in unseen_in(tag):
            if place not in joints:
                raise ValueError(
                    f"has a character that nobody can see, U+{ord(tag[place]):04X}, at place "
                    f"{place + 1}; write the name anew without it"
                )
        return tag

    @property
    def version(self) -> str:
        """Digest of all fields that decide, the same on every machine.

        A field at its default is left out, so a new optional field changes no old rule's version.
        """
        fields = self.model_dump_json(by_alias=True, exclude={"description"}, exclude_defaults=True)
        return stable_id("rule", fields)[:VERSION_CHARS]

    @abstractmethod
    def compile(self) -> Rule:
        """The rule itself."""
