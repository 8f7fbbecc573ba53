"""The feature matrix of normalised texts, exactly as the shipped scorer sees them."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from services.sentiment.domain.tone.ngrams import LONGEST_NGRAM, Grams


def matrix_of(
    texts: list[str], buckets: int, longest: int = LONGEST_NGRAM, chunk: int = 4096
) -> sparse.csr_matrix:
    """Row t holds text t's n-gram counts, divided by the root of their number."""
    parts = [
        _chunk(texts[first : first + chunk], buckets, longest)
        for first in range(0, len(texts), chunk)
    ]
    return sparse.vstack(parts, format="csr")


def _chunk(texts: list[str], buckets: int, longest: int) -> sparse.csr_matrix:
    grams = Grams("\n" + "\n".join(texts) + "\n", buckets, longest)
    bounds = np.append(grams.starts, len(grams.codes))
    owner = np.repeat(np.arange(len(texts)), np.diff(bounds))
    columns = np.concatenate([row[: len(owner)] for row in grams.rows])
    owners = np.tile(owner, longest)
    valid = columns < buckets
    scale = 1.0 / np.sqrt(np.maximum(grams.counts, 1))
    values = scale[owners[valid]].astype(np.float32)
    return sparse.csr_matrix(
        (values, (owners[valid], columns[valid])), shape=(len(texts), buckets), dtype=np.float32
    )
