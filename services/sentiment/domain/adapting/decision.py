"""Where the line between the tones is drawn, from labels: three biases, two of them free.

The model's probabilities lean: what an account's staff calls neutral it may call negative. A bias
moves the line and leaves the ranking as it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

TIMIDITY: Final = 1.0  # prior precision of a bias, as of so many labels that contradict it
NEVER: Final = -50.0  # the logarithm of what is not asked
LEAST_SURE: Final = 0.2  # of the model's own certainty that is kept
WORTH: Final = 2.0  # gain of log-likelihood that two biases have by chance alone, and more
SMALLEST: Final = 1e-12  # probability whose logarithm is taken
STEPS: Final = 50
SMALLEST_STEP: Final = 1e-8

Floats = npt.NDArray[np.float64]


def decision_biases(
    logs: Floats, shifts: Floats, truth: npt.NDArray[np.integer]
) -> tuple[float, float, float]:
    """The likeliest biases of neg and neu beside pos, held near zero, by Newton's method.

    `logs` are the frozen model's, `shifts` what is added to «negative» for texts not taught. Where
    no label is neutral, the line is drawn between neg and pos. How sure the model is of itself is
    fitted beside: labels from the top of the queue, of which it is too sure, would else move the
    line in the middle. Biases that make the labels no likelier than their number explains are 0.
    """
    base = logs.copy()
    base[:, 0] += shifts
    if not (truth == 1).any():
        base[:, 1] = NEVER
    base = np.maximum(base - base.max(axis=1, keepdims=True), NEVER)
    wanted = np.eye(3)[truth]
    prior = np.array([0.0, 0.0, 1.0])
    learned = prior.copy()
    for _ in range(STEPS):
        likely = _likely(base, learned)
        # What each of the three unknowns moves: two scores by one, all of them by the base.
        moves = np.stack([np.eye(3)[[0]].repeat(len(base), 0), np.eye(3)[[1]].repeat(len(base), 0),
                          base], axis=2)  # fmt: skip
        mean = np.einsum("tk,tkp->tp", likely, moves)
        slope = np.einsum("tk,tkp->p", wanted - likely, moves) - TIMIDITY * (learned - prior)
        bend = np.einsum("tk,tkp,tkq->pq", likely, moves, moves) - mean.T @ mean
        step = np.linalg.solve(bend + TIMIDITY * np.eye(3), slope)
        learned = learned + np.clip(step, -0.5, 0.5)
        learned[2] = max(learned[2], LEAST_SURE)
        if np.abs(step).max() < SMALLEST_STEP:
            break
    straight = np.array([0.0, 0.0, learned[2]])
    rows = np.arange(len(truth))
    gain = np.log(_likely(base, learned)[rows, truth] / _likely(base, straight)[rows, truth])
    if float(gain.sum()) <= WORTH:
        return 0.0, 0.0, 0.0
    neg, neu = learned[:2] / learned[2]
    return float(neg), float(neu), 0.0


def _likely(base: Floats, learned: Floats) -> Floats:
    scores = learned[2] * base
    scores[:, :2] += learned[:2]
    likely: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    return np.maximum(likely, SMALLEST, out=likely)
