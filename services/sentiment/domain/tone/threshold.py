"""Where to put the threshold of a stream, from its own unlabelled scores.

A threshold that gives one false alert in a hundred on one stream gives eight on another. Without
labels the share of negatives is unknown, so the helper leans on an assumption that it states: the
calibrated probabilities are right on average over this stream. Then the expected false alerts above
a threshold are the sum of (1 - p) over the comments above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.sentiment.domain.tone.metrics import ALERT_BASE

MINIMUM_SCORES: Final = 500  # below this a quantile of one in a hundred means little
ASSUMPTION: Final = (
    "the calibrated probabilities are right on average over this stream, and its next comments are "
    "like these"
)
CAUTIOUS_ASSUMPTION: Final = (
    "every comment above the threshold is a false alert: the true number is at most the budget, "
    "and recall is lower than need be"
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Alert where `negative` is above `value`; the two expectations are per 10,000 comments."""

    value: float
    alerts: float
    false_alerts: float
    assumes: str


def choose_threshold(
    scores: Sequence[float], false_alerts: float, *, cautious: bool = False
) -> Threshold:
    """The lowest threshold whose expected false alerts stay in the budget.

    `scores` are the `negative` probabilities of recent comments of one stream; `false_alerts` is
    the budget per 10,000 comments that are not negative. With `cautious`, no calibration is trusted
    and every alert counts as false.

    Raises:
        ValueError: fewer than MINIMUM_SCORES scores, or a budget outside (0, 10,000].
    """
    if len(scores) < MINIMUM_SCORES:
        raise ValueError(f"{MINIMUM_SCORES} scores are needed, {len(scores)} were given")
    if not 0 < false_alerts <= ALERT_BASE:
        raise ValueError("the budget is a number of false alerts per 10,000 comments")
    ranked = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    wrong = np.ones_like(ranked) if cautious else 1.0 - ranked
    benign = max(float(wrong.sum()), 1.0)
    expected = np.cumsum(wrong) * ALERT_BASE / benign
    # Scores that tie cross the threshold together, so a cut may only fall between two values.
    cuts = np.flatnonzero(np.append(ranked[:-1] > ranked[1:], True) & (expected <= false_alerts))
    if not len(cuts):
        return Threshold(float(ranked[0]), 0.0, 0.0, _assumption(cautious=cautious))
    last = int(cuts[-1])
    value = float(ranked[last + 1]) if last + 1 < len(ranked) else 0.0
    alerts = (last + 1) * ALERT_BASE / len(ranked)
    return Threshold(value, alerts, float(expected[last]), _assumption(cautious=cautious))


def _assumption(*, cautious: bool) -> str:
    return CAUTIOUS_ASSUMPTION if cautious else ASSUMPTION
