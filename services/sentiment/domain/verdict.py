"""What is said about one comment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Tone = Literal["neg", "neu", "pos"]
Kind = Literal["complaint", "question", "praise", "spam", "other"]
Aspect = Literal["product", "price", "delivery", "service", "store", "advertising"]
Hazard = Literal["safety", "injury", "food", "legal", "media", "minors", "refund", "fraud"]

TONES: Final[tuple[Tone, ...]] = ("neg", "neu", "pos")
WORST_SEVERITY: Final = 3


@dataclass(frozen=True, slots=True)
class SeverityReason:
    """A term of the normalised text that raised the severity, and why."""

    hazard: Hazard
    level: int
    term: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one comment.

    `negative` is the calibrated probability that the comment is negative, on the training mixture;
    `tone` is the likeliest of three classes and may differ from a threshold on `negative`.
    `severity` runs from 0 (harmless) to 3 (someone may be hurt) and does not depend on the tone;
    `reasons` names the terms that set it, worst first. `spans` are the pieces of the normalised
    text that speak most for the tone, strongest first. `aspect` is None where none is named.
    """

    tone: Tone
    negative: float
    probabilities: tuple[float, float, float]
    severity: int
    reasons: tuple[SeverityReason, ...]
    kind: Kind
    aspect: Aspect | None
    spans: tuple[str, ...]
