"""The two small learners, in numpy alone: ridge on many texts, logistic regression on few labels.

Both are exact up to a tolerance and use no chance, so that the same stream and labels always give
the same table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.adapting.bags import BUCKETS, Bags

STEPS: Final = 60  # of conjugate gradients, at most
CLOSE_ENOUGH: Final = 1e-3  # of the first residual
DIRECTIONS: Final = 120
SPARE: Final = 8  # directions followed beside, so that the last ones come out well
ROUNDS: Final = 2
SMALLEST_SHARE: Final = 1e-9  # of the largest: below it a direction is rounding
SEED: Final = 1
NEWTON_STEPS: Final = 30
SMALLEST_GAIN: Final = 1e-8  # of the log-likelihood with its prior: Newton's method is done
SMALLEST_RATE: Final = 1e-6
SMALLEST_WEIGHT: Final = 1e-9

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def ridge(bags: Bags, scales: Floats, targets: Floats, penalty: float) -> Floats:
    """The weights (scales merged in) that come nearest to the targets, which have mean zero.

    Least squares with `penalty` times the squared norm of the unscaled weights.
    """
    slope = scales * bags.gathered(targets)
    weights = np.zeros_like(slope)
    left, way = slope.copy(), slope.copy()
    size = first = float(left @ left)
    for _ in range(STEPS):
        if size <= CLOSE_ENOUGH**2 * first or size == 0.0:
            break
        bent = scales * bags.gathered(bags.times(scales * way)) + penalty * way
        rate = size / float(way @ bent)
        weights += rate * way
        left -= rate * bent
        before, size = size, float(left @ left)
        way = left + (size / before) * way
    return scales * weights


def directions(bags: Bags, scales: Floats) -> Floats:
    """The directions in which the texts differ most: unit vectors over the buckets, as rows.

    Words that stand for one another in this stream point the same way. Subspace iteration from a
    fixed start; fewer rows where there are fewer texts.
    """
    count = min(DIRECTIONS, len(bags))
    begun = np.random.default_rng(SEED).standard_normal((len(bags), count + SPARE))
    found = np.empty((count + SPARE, BUCKETS))
    for turn in range(ROUNDS):
        if turn:
            begun = np.stack([bags.times(scales * row) for row in found], axis=1)
        for row, amounts in enumerate(np.linalg.qr(begun)[0].T):
            found[row] = scales * bags.gathered(amounts)
    _, sizes, turned = np.linalg.svd(found @ found.T)
    kept = sizes[:DIRECTIONS] > sizes[0] * SMALLEST_SHARE
    unit = turned[:DIRECTIONS][kept] / np.sqrt(sizes[:DIRECTIONS][kept])[:, None]
    rows: Floats = unit @ found
    return rows


@dataclass(frozen=True, slots=True)
class Fit:
    """The mode of a logistic regression whose scores have a Gaussian prior.

    `scores` are what is added to the offsets of the labelled texts; `pull` is truth minus
    probability, from which every weight follows: prior covariance with the labelled texts times
    `pull`.
    """

    scores: Floats
    pull: Floats


def logistic(covariance: Floats, offsets: Floats, truth: Flags) -> Fit:
    """Newton's method on the scores themselves: as many unknowns as labels.

    A whole step can overshoot where the prior is wide, and would then turn a ranking over; it is
    halved until it improves.
    """
    wanted = truth.astype(np.float64)
    signs = np.where(truth, 1.0, -1.0)
    identity = np.eye(len(offsets))
    pull, scores = np.zeros_like(offsets), np.zeros_like(offsets)
    worth = -float(np.logaddexp(0.0, -signs * offsets).sum())
    for _ in range(NEWTON_STEPS):
        likely = sigmoid(offsets + scores)
        weight = np.sqrt(np.maximum(likely * (1.0 - likely), SMALLEST_WEIGHT))
        aim = weight * weight * scores + wanted - likely
        inner = identity + weight[:, None] * covariance * weight
        way = aim - weight * np.linalg.solve(inner, weight * (covariance @ aim)) - pull
        rise = covariance @ way
        rate = 1.0
        while rate > SMALLEST_RATE:
            tried, said = pull + rate * way, scores + rate * rise
            now = -float(np.logaddexp(0.0, -signs * (offsets + said)).sum() + 0.5 * tried @ said)
            if now >= worth:
                break
            rate /= 2.0
        else:
            break
        done = now - worth < SMALLEST_GAIN
        pull, scores, worth = tried, said, now
        if done:
            break
    return Fit(scores, wanted - sigmoid(offsets + scores))


def sigmoid(odds: Floats) -> Floats:
    """The probability of log-odds, without overflow."""
    return np.exp(-np.logaddexp(0.0, -odds))
