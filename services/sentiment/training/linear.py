"""Trains the n-gram table: masked multinomial logistic regression by AdaGrad on small batches.

Most sets know no neutral texts. Their rows are only asked «negative or positive?»: otherwise a
classifier learns that reviews of hotels are never neutral, which is a fact about the set and not
about hotels, and neutral texts of a new domain come out negative.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

EPOCHS: Final = 2
BATCH: Final = 64
RATE: Final = 0.2
LAST_RATE: Final = 0.1  # of the first, reached linearly
BIAS_RATE: Final = 0.05
FIRST_SQUARE: Final = 1e-3  # so that a feature's first step is bounded

Floats = npt.NDArray[np.float32]


def train_table(
    features: sparse.csr_matrix,
    labels: npt.NDArray[np.int8],
    three: npt.NDArray[np.bool_],
    seed: int,
    *,
    epochs: int = EPOCHS,
    rate: float = RATE,
) -> tuple[Floats, Floats]:
    """The weights (buckets, 3) and the bias; the same input and seed give the same result."""
    buckets = features.shape[1]
    weights = np.zeros((buckets, 3), dtype=np.float32)
    squares = np.full((buckets, 3), FIRST_SQUARE, dtype=np.float32)
    bias, bias_squares = np.zeros(3, np.float32), np.ones(3, np.float32)
    targets = np.eye(3, dtype=np.float32)[labels]
    local = np.zeros(buckets, dtype=np.int32)
    dice = np.random.default_rng(seed)
    count = len(labels)
    steps, step = epochs * -(-count // BATCH), 0
    for _ in range(epochs):
        order = dice.permutation(count)
        for first in range(0, count, BATCH):
            rows = order[first : first + BATCH]
            part = features[rows]
            used = np.unique(part.indices)
            local[used] = np.arange(len(used), dtype=np.int32)
            part = sparse.csr_matrix(
                (part.data, local[part.indices], part.indptr), shape=(len(rows), len(used))
            )
            wrong = _wrong(part @ weights[used] + bias, targets[rows], three[rows])
            left = 1.0 - (1.0 - LAST_RATE) * step / steps
            step += 1
            slope = part.T @ wrong
            squares[used] += slope * slope
            weights[used] -= np.float32(rate * left) * slope / np.sqrt(squares[used])
            drift = wrong.sum(axis=0)
            bias_squares += drift * drift
            bias -= np.float32(BIAS_RATE) * drift / np.sqrt(bias_squares)
    return weights, bias


def _wrong(scores: Floats, targets: Floats, three: npt.NDArray[np.bool_]) -> Floats:
    """Softmax minus target; without «neutral» where the set does not know it."""
    scores[~three, 1] = -1e9
    scores -= scores.max(axis=1, keepdims=True)
    likely = np.exp(scores)
    likely /= likely.sum(axis=1, keepdims=True)
    return (likely - targets).astype(np.float32)
