"""Does the shipped scorer say what the training library says with the same weights?

The n-gram part is handed to scikit-learn's logistic regression with the de-quantised weights and
the recipe's own feature matrix; the network is evaluated window by window, without tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.adapters.model_file import load_weights
from services.sentiment.domain.scorer import CommentScorer
from services.sentiment.domain.tone.charnet import FIRST_LETTER, UNKNOWN, WINDOW, NetWeights
from services.sentiment.domain.tone.negation import blank_double_negation
from services.sentiment.training.data import normalised
from services.sentiment.training.features import matrix_of

LARGEST_DIFFERENCE: Final = 1e-4


def largest_difference(path: Path, texts: Sequence[str]) -> float:
    """Between the scorer's three raw scores and the library's, over these texts."""
    from sklearn.linear_model import LogisticRegression

    weights = load_weights(path)
    table = weights.table
    seen = blank_double_negation("\n".join(normalised(list(texts)))).split("\n")
    library = LogisticRegression()
    library.classes_ = np.arange(3)
    library.coef_ = (table.table[:-1, :3] * table.scale).T
    library.intercept_ = table.bias
    linear = library.decision_function(matrix_of(seen, table.buckets).astype(np.float64))
    expected = linear + np.array([_network(weights.net, text) for text in seen])
    return float(np.abs(CommentScorer(weights).decision(texts) - expected).max())


def _network(net: NetWeights, text: str) -> npt.NDArray[np.float64]:
    """One text through the convolution, window by window."""
    if not text:
        return np.maximum(np.full(len(net.offsets), -1e9) + net.offsets, 0.0) @ net.output
    place = {int(code): row for row, code in enumerate(net.alphabet, start=FIRST_LETTER)}
    rows = [0, *(place.get(ord(letter), UNKNOWN) for letter in text), 0]
    seen = net.embedding[rows].astype(np.float64)
    windows = [seen[at : at + WINDOW].ravel() for at in range(len(rows) - WINDOW + 1)]
    answers = (np.array(windows) @ net.filters).max(axis=0) + net.offsets
    scores: npt.NDArray[np.float64] = np.maximum(answers, 0.0) @ net.output
    return scores
