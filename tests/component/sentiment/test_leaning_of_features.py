from __future__ import annotations

import numpy as np
import pytest


def test_a_feature_that_leans_alike_in_two_domains_weighs_more_than_one_that_does_not() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="needs the train extra")
    from services.sentiment.training.leaning import factors_of

    labels = np.array([0] * 20 + [2] * 20, dtype=np.int8)
    negative = (labels == 0).astype(np.float32)
    ones = np.ones(len(labels), np.float32)
    # Alike in both, in the first alone, against each other, in all texts.
    first = np.stack([negative, negative, negative, ones], axis=1)
    second = np.stack([negative, 0 * ones, 1 - negative, ones], axis=1)
    factors = factors_of(
        {
            ("a",): [(sparse.csr_matrix(first), labels)],
            ("b",): [(sparse.csr_matrix(second), labels)],
        }
    )
    alike, alone, against, common = factors.tolist()
    assert alike > alone > against
    assert against == pytest.approx(common)
