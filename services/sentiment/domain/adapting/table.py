"""An account's table: what is added to the model's own scores for that account's comments.

Two-byte weights of n-grams shift the log-odds of «negative»; three biases shift the decision among
the tones. A table belongs to the model that it was learned beside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.adapting.bags import BUCKETS, LONGEST
from services.sentiment.domain.tone.ngrams import Grams, valid_ngrams

LARGEST_INT16: Final = 32_767
LARGEST_SHIFT: Final = 8.0  # of log-odds; no account's habit outweighs the model beyond it

Floats = npt.NDArray[np.float64]


class OtherModelError(ValueError):
    """An account's table does not belong to this model; adapt again."""


@dataclass(frozen=True, slots=True)
class AccountTable:
    """`weights · step` over the root of the number of n-grams, summed, plus `bias`, is the shift.

    `weights[0]` is 0: an n-gram of that bucket says nothing. `decision` is added to the logarithms
    of the three probabilities when the tone is decided; `model` names the model's weights.
    """

    weights: npt.NDArray[np.int16]
    step: float
    bias: float
    decision: tuple[float, float, float]
    model: str

    def shifts(self, grams: Grams) -> Floats:
        """The shift of each text of a batch, hashed for the model's table, without the bias."""
        low_bits = BUCKETS - 1
        by_place = self.weights[grams.rows[0] & low_bits].astype(np.int32)
        for row in grams.rows[1:LONGEST]:
            by_place += self.weights[row & low_bits]
        total = np.add.reduceat(by_place, grams.starts)
        counts = valid_ngrams(grams.lengths, LONGEST)
        shifts: Floats = total * self.step / np.sqrt(np.maximum(counts, 1))
        return shifts


def packed(weights: Floats) -> tuple[npt.NDArray[np.int16], float]:
    """Weights as whole steps of two bytes, and the size of a step."""
    largest = float(np.abs(weights).max(initial=0.0))
    step = (largest or 1.0) / LARGEST_INT16
    return np.rint(weights / step).astype(np.int16), step
