"""The last step: learned scores, found terms and rules become one verdict.

Rules overrule the model only where a text says nothing (转发微博), sells something (兼职刷单),
merely asks (什么时候发货) or shrugs (一般般): turns that the corpora hold too rarely to be learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from services.sentiment.domain.tables.aspect import choose_aspect
from services.sentiment.domain.tables.kind import (
    choose_kind,
    is_boilerplate,
    is_lukewarm,
    merely_asks,
)
from services.sentiment.domain.tables.severity import severity_of, severity_reasons
from services.sentiment.domain.tables.terms import Found
from services.sentiment.domain.verdict import TONES, Aspect, Hazard, SeverityReason, Verdict

SILENT: Final = (0.02, 0.96, 0.02)  # what a rule makes of neg, neu, pos
SILENT_NEGATIVE: Final = 0.02
LEANING: Final = 0.3  # what a shrug leaves to neg and pos together
SURE: Final = 0.9  # of «negative»: above it a question is a complaint with a question mark
SEVERE: Final = 2

_ASKING: Final = frozenset({"question", "inquiry"})


def judge(
    text: str,
    found: Sequence[Found],
    negative: float,
    learned: Sequence[float],
    spans: tuple[str, ...],
) -> Verdict:
    """The verdict on one normalised text.

    `negative` is the calibrated probability, `learned` are the model's neg, neu, pos.
    """
    likely = (learned[0], learned[1], learned[2])
    signs: set[str] = set()
    reasons: tuple[SeverityReason, ...] = ()
    aspect: Aspect | None = None
    if found:
        signs = {hit.value for hit in found if hit.family == "kind"}
        aspect = choose_aspect(
            [cast("Aspect", hit.value) for hit in found if hit.family == "aspect"]
        )
        hazards = [
            (cast("Hazard", hit.value), hit.level, hit.start, hit.end)
            for hit in found
            if hit.family == "hazard"
        ]
        if hazards:
            reasons = severity_reasons(text, hazards)
    severity = severity_of(reasons)
    boilerplate = is_boilerplate(text)
    sells = "spam" in signs and severity < SEVERE
    inquires = "inquiry" in signs and severity < SEVERE and merely_asks(text, signs)
    if "lukewarm" in signs and severity < SEVERE and _shrugs(text, found):
        leaning = LEANING / (likely[0] + likely[2])
        likely = (likely[0] * leaning, 1.0 - LEANING, likely[2] * leaning)
        spans = ()
    if boilerplate or sells or (inquires and likely[0] < SURE):
        likely, negative, spans = SILENT, min(negative, SILENT_NEGATIVE), ()
    tone = TONES[likely.index(max(likely))]
    return Verdict(
        tone=tone,
        negative=negative,
        probabilities=likely,
        severity=severity,
        reasons=reasons,
        kind=choose_kind(
            tone, sells=sells, asks=not signs.isdisjoint(_ASKING), severe=severity >= SEVERE
        ),
        aspect=aspect,
        spans=spans,
    )


def _shrugs(text: str, found: Sequence[Found]) -> bool:
    places = {
        sign: [(hit.start, hit.end) for hit in found if hit.value == sign]
        for sign in ("lukewarm", "demand")
    }
    return is_lukewarm(text, places["lukewarm"], places["demand"])
