"""What is known of one fan: the profile, what the rules remember, and the tags held.

A `Fan` is copied before it is changed (`Fan.copy`); its `memory` and `tags` are never changed in
place but replaced, so a shallow copy is a full one and costs less than a microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

NEVER = 32_503_680_000_000
"""An instant that no event reaches (the year 3000): a tag held until then has no expiry."""

MAX_SCENE_CHARS = 256

FanId = tuple[str, str, str]
"""(platform, account, fan)"""
Because = Literal["event", "time", "rule_changed", "unfollowed"]
Memory = tuple[Any, ...]
"""What one rule remembers of a fan: numbers, and words that are in the rule; nothing else."""
KEPT_MS = 86_400_000
"""How long it is kept what a rule remembered that is no longer in the file."""


@dataclass(frozen=True, slots=True)
class HeldTag:
    """A tag that a fan holds, and why."""

    since: int
    until: int
    """When it falls unless something renews it; `NEVER` for no expiry."""
    rule_version: str
    because: Because
    cause: str
    """The `ce_id` of the event that assigned it, or the id of what else did."""

    def renewed(self, until: int, rule_version: str) -> HeldTag:
        """The same tag with another end."""
        return HeldTag(self.since, until, rule_version, self.because, self.cause)


@dataclass(slots=True)
class Fan:
    """One fan's state. All times are milliseconds since the epoch."""

    number: int = 0
    """How many tag changes were announced; survives the fan's leaving."""
    clock: int = 0
    """The latest instant this fan's state accounts for: its newest event, or expiry."""
    following: bool | None = None
    """None: never seen to follow or leave. False: the fan left, and nothing else is known."""
    first_seen: int | None = None
    followed_at: int | None = None
    scene: str = ""
    """The scene that first led the fan here since the last (re)start; empty without one."""
    scene_at: int = 0
    rules: str | None = None
    """Digest of the rule book that the tags agree with; None if there is nothing to re-examine."""
    memory: Mapping[str, Memory] = field(default_factory=dict)
    tags: Mapping[str, HeldTag] = field(default_factory=dict)
    due: int = NEVER
    """When time alone changes something: a tag falls, or what was set aside is forgotten."""
    retired: Mapping[str, tuple[int, Memory]] = field(default_factory=dict)
    """What rules remembered that are no longer in the file, and until when it is kept."""

    @property
    def left(self) -> bool:
        """Whether the fan unfollowed and was forgotten."""
        return self.following is False

    def copy(self) -> Fan:
        """A copy that can be changed without touching this one."""
        return Fan(
            self.number,
            self.clock,
            self.following,
            self.first_seen,
            self.followed_at,
            self.scene,
            self.scene_at,
            self.rules,
            self.memory,
            self.tags,
            self.due,
            self.retired,
        )

    def hold(self, tags: Mapping[str, HeldTag]) -> None:
        """Replace the tags held, and with them the next instant of expiry."""
        self.tags = tags
        self._look_ahead()

    def remember(self, key: str, memory: Memory) -> None:
        """Replace what one rule remembers."""
        self.memory = {**self.memory, key: memory}

    def retire(self, retired: Mapping[str, tuple[int, Memory]]) -> None:
        """Replace what is set aside of rules that are no longer in the file."""
        self.retired = retired
        self._look_ahead()

    def _look_ahead(self) -> None:
        ends = [tag.until for tag in self.tags.values()]
        if self.retired:
            ends += [until for until, _ in self.retired.values()]
        self.due = min(ends, default=NEVER)


def forgotten(fan: Fan, left_at: int) -> Fan:
    """The tombstone of a fan who left: the running number and when, nothing personal."""
    return Fan(number=fan.number, clock=max(fan.clock, left_at), following=False)
