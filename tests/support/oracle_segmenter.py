"""What tags fans must have: a slow sequential model, written apart from the segmenter.

It knows `shared.events` and the text of `tags.yaml`, and nothing of `services`. It keeps every
event of a fan's life and asks of the whole list, after each event, until when each tag holds; so
none of the segmenter's shortcuts (slots dropped, memory cut, due instants) can be repeated here.

The rules as they are meant:
- a tag holds at an instant if the instant lies before its end; the end follows from the events
- `count`: every happening counts until its own time plus the window; a sum, or a count above 64,
  rounds that time up to the end of its 1/64 of the window; with `for`, the tag was earned at each
  happening whose window, the one that ends there, holds enough, and lasts `for` from the newest;
  when a happening became known does not matter
- `keywords`: it was earned by each message with a word, and lasts `for`, or for good; width, case,
  traditional characters and characters that nobody sees make no other word
- `source_scene`: earned by the first follow of this life that names a scene
- a fan's clock never goes back; what has run out by the clock is neither kept nor given
- an unfollow ends a life, unless a follow of this life is newer; a follow not older than it begins
  the next; nothing else counts between
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.events import Event, FanFollowed, FanUnfollowed, MessageReceived

FOREVER = 10**15

SIMPLER = str.maketrans("發優惠票", "发优惠票")
"""The traditional characters that the tests write."""

Rules = Sequence[Mapping[str, Any]]
"""The entries under `tags:` in the file, as YAML reads them."""


@dataclass(frozen=True)
class TagChange:
    """A change that must be announced, once and in this order for its fan."""

    type: str
    tag: str
    because: str
    at: int
    tags: tuple[str, ...]
    number: int
    event: int | None
    """Index of the event that caused it in the list given; None for time."""


@dataclass
class _Life:
    events: list[Event] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    clock: int = 0
    number: int = 0
    left: bool = False
    changes: list[TagChange] = field(default_factory=list)

    def change(self, kind: str, tag: str, because: str, at: int, event: int | None) -> None:
        self.number += 1
        names = tuple(sorted(self.held))
        self.changes.append(TagChange(kind, tag, because, at, names, self.number, event))

    def let_time_pass(self, now: int) -> None:
        for end, tag in sorted((end, tag) for tag, end in self.held.items()):
            if end <= now:
                del self.held[tag]
                self.clock = max(self.clock, end)
                self.change("TagRemoved", tag, "time", end, None)


def expected_tags(
    events: Iterable[Event], rules: Rules, *, now: int | None = None
) -> dict[str, set[str]]:
    """The tags of each fan after these events, in the order of the log.

    Args:
        events: without repetitions.
        rules: what the file says.
        now: let time go on to this instant after the last event.
    """
    return {fan: set(life.held) for fan, life in _live(events, rules, now).items()}


def expected_ends(events: Iterable[Event], rules: Rules) -> dict[str, dict[str, int]]:
    """The tags of each fan after these events, and until when each holds."""
    return {fan: dict(life.held) for fan, life in _live(events, rules, None).items()}


def expected_changes(
    events: Iterable[Event], rules: Rules, *, now: int | None = None
) -> dict[str, list[TagChange]]:
    """The tag changes of each fan, in their order."""
    return {fan: life.changes for fan, life in _live(events, rules, now).items()}


def _live(events: Iterable[Event], rules: Rules, now: int | None) -> dict[str, _Life]:
    lives: dict[str, _Life] = {}
    for index, event in enumerate(events):
        fan = getattr(event, "fan", "")
        if fan:
            _live_on(lives.setdefault(event.key, _Life()), event, index, rules)
    if now is not None:
        for life in lives.values():
            life.let_time_pass(now)
    return lives


def _live_on(life: _Life, event: Event, index: int, rules: Rules) -> None:
    at = event.occurred_at
    if life.left:
        if isinstance(event, FanUnfollowed):
            life.clock = max(life.clock, at)
        if not isinstance(event, FanFollowed) or at < life.clock:
            return
        life.left = False
    follows = [one.occurred_at for one in life.events if isinstance(one, FanFollowed)]
    if isinstance(event, FanUnfollowed) and at < max(follows, default=0):
        return
    life.clock = max(life.clock, at)
    life.let_time_pass(life.clock)
    if isinstance(event, FanUnfollowed):
        for tag in sorted(life.held):
            del life.held[tag]
            life.change("TagRemoved", tag, "unfollowed", at, index)
        life.left = True
        life.events = []
        return
    life.events.append(event)
    for rule in rules:
        end = _end(rule, life.events)
        tag = rule["tag"]
        if end > life.clock:
            new = tag not in life.held
            life.held[tag] = end
            if new:
                life.change("TagAssigned", tag, "event", at, index)


def _end(rule: Mapping[str, Any], events: Sequence[Event]) -> int:
    return {"count": _count_end, "keywords": _keywords_end, "source_scene": _scene_end}[
        rule["kind"]
    ](rule, events)


def _count_end(rule: Mapping[str, Any], events: Sequence[Event]) -> int:
    window, enough = _millis(rule["within"]), rule["at_least"]
    exact = "sum" not in rule and enough <= 64
    step = 1 if exact else -(-window // 64)
    line: Counter[int] = Counter()
    for event in events:
        if type(event).__name__ == rule["event"] and _fits(event, rule.get("where", {})):
            amount = getattr(event, rule["sum"]) if "sum" in rule else 1
            if amount:
                line[(event.occurred_at // step + 1) * step - 1] += amount

    def held(begin: int, end: int) -> int:
        """How much lies after `begin`, up to and with `end`."""
        return sum(amount for moment, amount in line.items() if begin < moment <= end)

    if "for" in rule:
        earned = [moment for moment in line if held(moment - window, moment) >= enough]
        return max(earned) + _millis(rule["for"]) if earned else 0
    # Looked at an instant before a happening leaves the window: was there still enough?
    ends = [moment + window for moment in line]
    return max((end for end in ends if held(end - window - 1, FOREVER) >= enough), default=0)


def _keywords_end(rule: Mapping[str, Any], events: Sequence[Event]) -> int:
    patterns = [_pattern(word) for word in rule["any_of"]]
    said = [
        event.occurred_at
        for event in events
        if isinstance(event, MessageReceived)
        and any(pattern.search(_plain(event.text)) for pattern in patterns)
    ]
    if not said:
        return 0
    return max(said) + _millis(rule["for"]) if "for" in rule else FOREVER


def _scene_end(rule: Mapping[str, Any], events: Sequence[Event]) -> int:
    came = [event for event in events if isinstance(event, FanFollowed) and event.scene]
    if not came:
        return 0
    first = came[0]
    prefix = rule.get("prefix")
    if not (first.scene.startswith(prefix) if prefix else first.scene in rule["scenes"]):
        return 0
    return first.occurred_at + _millis(rule["for"]) if "for" in rule else FOREVER


def _fits(event: Event, where: Mapping[str, Any]) -> bool:
    for name, want in where.items():
        value = getattr(event, name)
        if isinstance(want, str):
            if value != want:
                return False
        elif not value.startswith(want["prefix"]):
            return False
    return True


def _pattern(word: str) -> re.Pattern[str]:
    plain = _plain(word).strip()
    before = "(?<![a-z0-9])" if re.match("[a-z0-9]", plain) else ""
    after = "(?![a-z0-9])" if re.search("[a-z0-9]$", plain) else ""
    return re.compile(before + re.escape(plain) + after)


def _plain(text: str) -> str:
    seen = (c for c in text if unicodedata.category(c) not in {"Cf", "Cc"})
    return unicodedata.normalize("NFKC", "".join(seen)).casefold().translate(SIMPLER)


def _millis(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([smhd])", text).groups()  # type: ignore[union-attr]  # valid
    return int(number) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit] * 1_000
