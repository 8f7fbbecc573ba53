"""Where the line between the tones is drawn, from labels: three biases, two of them free.

The model's probabilities lean: what an account's staff calls neutral it may call negative. A bias
moves the line and leaves the ranking as it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

TIMIDITY: Final = 1.0  # prior precision of a bias, as of so many labels that contradict it
NEVER: Final = -1e3  # the logarithm of what is not asked
STEPS: Final = 50
SMALLEST_STEP: Final = 1e-8

Floats = npt.NDArray[np.float64]


def decision_biases(
    logs: Floats, shifts: Floats, truth: npt.NDArray[np.integer]
) -> tuple[float, float, float]:
    """The likeliest biases of neg and neu beside pos, held near zero, by Newton's method.

    `logs` are the frozen model's, `shifts` what is added to «negative» for texts not taught. Where
    no label is neutral, the line is drawn between neg and pos. Biases that make the labels no
    likelier than their number explains are 0.
    """
    base = logs.copy()
    base[:, 0] += shifts
    if not (truth == 1).any():
        base[:, 1] = NEVER
    wanted = np.eye(3)[truth][:, :2]
    biases = np.zeros(2)
    for _ in range(STEPS):
        scores = base.copy()
        scores[:, :2] += biases
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        likely = (likely / likely.sum(axis=1, keepdims=True))[:, :2]
        slope = (wanted - likely).sum(axis=0) - TIMIDITY * biases
        bend = np.diag(likely.sum(axis=0) + TIMIDITY) - likely.T @ likely
        step = np.linalg.solve(bend, slope)
        biases += np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < SMALLEST_STEP:
            break
    moved = base + np.append(biases, 0.0)
    rows = np.arange(len(truth))
    gains = (moved - np.logaddexp.reduce(moved, axis=1, keepdims=True))[rows, truth]
    gains -= (base - np.logaddexp.reduce(base, axis=1, keepdims=True))[rows, truth]
    if float(gains.sum()) <= len(biases):
        return 0.0, 0.0, 0.0
    return float(biases[0]), float(biases[1]), 0.0
