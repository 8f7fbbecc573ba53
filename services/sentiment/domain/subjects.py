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


def subject_of(hazards: Iterable[tuple[str, int]], aspect: str | None) -> str:
    """The subject of a comment.

    Args:
        hazards: what made it severe: names (food, injury, safety, ...) and levels.
        aspect: product, price, delivery, service, store, advertising, or anything else.
    """
    named = [(level, hazard) for hazard, level in hazards if hazard in _BY_HAZARD]
    if named:
        worst = max(level for level, _ in named)
        at_worst = {hazard for level, hazard in named if level == worst}
        return next(subject for hazard, subject in _BY_HAZARD.items() if hazard in at_worst)
    return _BY_ASPECT.get(aspect or "", GENERAL)
