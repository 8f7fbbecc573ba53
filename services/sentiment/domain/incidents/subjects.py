"""What a comment is about: one subject from a bounded list. Pure.

A subject names the crisis, so the gravest hazard decides; the aspect only where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable

GENERAL = "general"

_BY_HAZARD = {
    "food": "food_safety",
    "injury": "product_safety",
    "safety": "product_safety",
    "minors": "minors",
    "fraud": "fraud",
    "legal": "legal",
    "media": "media",
    "refund": "refund",
}
"""Of hazards of one level, the first found here decides."""

_CAUSES = frozenset({"food", "safety"})
_CAUSE_FROM = 2  # the level from which a cause is plain
_EATEN = ("吃", "喝")

_BY_ASPECT = {
    "product": "quality",
    "price": "price",
    "delivery": "delivery",
    "service": "service",
    "store": "store",
    "advertising": "advertising",
}

SUBJECTS: tuple[str, ...] = (
    *dict.fromkeys(_BY_HAZARD.values()),
    *_BY_ASPECT.values(),
    GENERAL,
)
"""Every subject. `general` stands for all negative comments that no other incident has."""


def subject_of(hazards: Iterable[tuple[str, int]], aspect: str | None, text: str = "") -> str:
    """The subject of a comment.

    Args:
        hazards: what made it severe: names (food, injury, safety, ...) and levels.
        aspect: product, price, delivery, service, store, advertising, or anything else.
        text: the comment.
    """
    named = [(level, hazard) for hazard, level in hazards if hazard in _BY_HAZARD]
    if any(hazard == "injury" for _, hazard in named):
        named = _with_the_cause(named, text)
    if named:
        worst = max(level for level, _ in named)
        at_worst = {hazard for level, hazard in named if level == worst}
        return next(subject for hazard, subject in _BY_HAZARD.items() if hazard in at_worst)
    return _BY_ASPECT.get(aspect or "", GENERAL)


def _with_the_cause(named: list[tuple[int, str]], text: str) -> list[tuple[int, str]]:
    """An injury is what a cause did: "a stomach ache, then the hospital" is about the food."""
    causes = [hazard for level, hazard in named if hazard in _CAUSES and level >= _CAUSE_FROM]
    if not causes and not any(word in text for word in _EATEN):
        return named
    cause = causes[0] if causes else "food"
    return [(level, cause if hazard == "injury" else hazard) for level, hazard in named]
