"""Whether what was learned beats what was there: two rankings of the same labelled texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.tone import metrics

TRUSTED_AUC: Final = 0.6  # of the frozen model on the labels; below it the labels are not believed

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The AUC before and after, and the standard error of their difference (DeLong, paired)."""

    before: float
    after: float
    error: float

    @property
    def gain(self) -> float:
        """After minus before."""
        return self.after - self.before

    @property
    def convinces(self) -> bool:
        """Is the gain more than one standard error?"""
        return self.gain > self.error and self.gain > 0.0


def compare(negative: Flags, before: Floats, after: Floats) -> Comparison:
    """Two scores of the same texts, of which some are negative and some are not."""
    first, second = metrics.auc(negative, before), metrics.auc(negative, after)
    if first is None or second is None:
        raise ValueError("both kinds of labels are needed to compare rankings")
    wins = _places(negative, after) - _places(negative, before)
    error = 0.0
    for kind in (negative, ~negative):
        if kind.sum() > 1:
            error += float(wins[kind].var(ddof=1)) / float(kind.sum())
    return Comparison(first, second, float(np.sqrt(error)))


def _places(negative: Flags, score: Floats) -> Floats:
    """For each text the share of texts of the other kind that it stands on the right side of."""
    places = np.empty(len(score))
    for kind, sign in ((negative, 1.0), (~negative, -1.0)):
        others = np.sort(sign * score[~kind])
        mine = sign * score[kind]
        below = np.searchsorted(others, mine, "left") + np.searchsorted(others, mine, "right")
        places[kind] = below / (2.0 * len(others))
    return places
