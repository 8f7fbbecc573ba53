"""What staff see of a fan, and of a rule. Times are texts in UTC."""

from __future__ import annotations

from typing import Any

from services.segmenter.domain.fan import NEVER, Fan, HeldTag
from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules import RuleSpec
from shared.events.envelope import format_time


def fan_view(book: RuleBook, key: str, fan: Fan, now: int) -> dict[str, Any]:
    """Profile, tags with their reasons, and how far each rule is."""
    return {
        "fan": key,
        "profile": {
            "first_seen": _time(fan.first_seen),
            "following": fan.following,
            "followed_at": _time(fan.followed_at),
            "source_scene": fan.scene or None,
        },
        "tags": [_tag_view(name, held) for name, held in sorted(fan.tags.items())],
        "counters": {
            rule.tag: {
                name: format_time(value)
                if name.endswith("_at") and isinstance(value, int)
                else value
                for name, value in remembered.items()
            }
            for rule in book.rules
            if (remembered := rule.remembered(fan, now))
        },
        "number": fan.number,
        "rules_current": fan.rules == book.digest,
    }


def rule_view(spec: RuleSpec, fans: int) -> dict[str, Any]:
    """A tag, the rule that assigns it, and how many hold it."""
    fields = spec.model_dump(by_alias=True, exclude_defaults=True, exclude={"tag", "description"})
    return {
        "tag": spec.tag,
        "description": spec.description,
        "rule": fields,
        "rule_version": spec.version,
        "fans": fans,
    }


def _tag_view(name: str, held: HeldTag) -> dict[str, Any]:
    return {
        "tag": name,
        "since": format_time(held.since),
        "until": None if held.until >= NEVER else format_time(held.until),
        "because": held.because,
        "cause": held.cause,
        "rule_version": held.rule_version,
    }


def _time(millis: int | None) -> str | None:
    return None if millis is None else format_time(millis)
