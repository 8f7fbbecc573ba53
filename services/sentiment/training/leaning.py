"""How far each n-gram leans to negative or positive, and in how many domains it does so.

A learner that sees all texts as one heap trusts an n-gram of one domain as much as one that says
the same in eight. Scaling the features by how consistently they lean (the idea of NB-SVM, with
domains as witnesses) makes what transfers cheap to use and what does not expensive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

SHARE: Final = 0.75  # of the leaning in a feature's factor; the rest is 1
DOUBT: Final = 3.0  # texts that count against a leaning seen in few
LEAST: Final = 0.02  # leaning, before it is scaled to a mean square of 1

Floats = npt.NDArray[np.float32]
Domain = Sequence[tuple[sparse.csr_matrix, npt.NDArray[np.int8]]]


def factors_of(domains: Mapping[tuple[str, ...], Domain]) -> Floats:
    """One factor a feature, from the features and labels of each domain's sets."""
    leaning: Any = 0.0
    witnesses: Any = 0.0
    texts: Any = 0.0
    for parts in domains.values():
        negative, positive = (sum(_texts_with(x, y == label) for x, y in parts) for label in (0, 2))
        among = [sum(int((y == label).sum()) for _, y in parts) for label in (0, 2)]
        found = negative + positive
        odds = np.log((negative + 1.0) / (positive + 1.0)) - np.log(
            (among[0] + 1.0) / (among[1] + 1.0)
        )
        leaning = leaning + odds * found / (found + DOUBT)
        witnesses = witnesses + (found > 0)
        texts = texts + found
    strength = np.maximum(np.abs(leaning) / np.sqrt(np.maximum(witnesses, 1.0)), LEAST)
    scale = np.sqrt((strength**2 * texts).sum() / np.sum(texts))
    factors: Floats = (1.0 - SHARE + SHARE * strength / scale).astype(np.float32)
    return factors


def scaled(features: sparse.csr_matrix, factors: Floats) -> sparse.csr_matrix:
    """The features, each column times its factor."""
    return sparse.csr_matrix(
        (features.data * factors[features.indices], features.indices, features.indptr),
        shape=features.shape,
    )


def _texts_with(
    features: sparse.csr_matrix, rows: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    part = features[rows]
    part.sum_duplicates()
    return np.bincount(part.indices, minlength=part.shape[1]).astype(np.float64)
