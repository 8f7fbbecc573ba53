"""The n-grams of texts as sparse rows, and the few sums that learning takes of them.

An n-gram's bucket in the small table is the low bits of its bucket in the model's own table, so
that a scorer that has hashed a text for the one needs no second hash for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.tone.negation import blank_double_negation
from services.sentiment.domain.tone.ngrams import Grams
from services.sentiment.domain.tone.text import REPOST, echo_of, normalise_batch

BUCKETS: Final = 2**16
LONGEST: Final = 3  # characters of an n-gram
ECHO: Final = 0.7  # weight of what a comment was added to, as in the model
CHUNK: Final = 4_096  # texts hashed together

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bags:
    """Row t holds `columns[bounds[t]:bounds[t + 1]]` with their values; a bucket may come twice.

    A value is 1 / root of the number of n-grams of the text, so that a row's sum of weights is
    what the scorer adds for the text. Bucket 0 never comes: it stands for «no n-gram».
    """

    bounds: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def take(self, rows: npt.NDArray[np.integer]) -> Bags:
        """These rows, in this order."""
        lengths = np.diff(self.bounds)[rows]
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        places = np.repeat(self.bounds[rows] - bounds[:-1], lengths) + np.arange(bounds[-1])
        return Bags(bounds, self.columns[places], self.values[places])

    def times(self, weights: Floats) -> Floats:
        """For each row the sum of its buckets' weights."""
        sums: Floats = np.concatenate([[0.0], np.cumsum(weights[self.columns] * self.values)])
        of_rows: Floats = sums[self.bounds[1:]] - sums[self.bounds[:-1]]
        return of_rows

    def gathered(self, amounts: Floats) -> Floats:
        """For each bucket the sum of its rows' amounts: the transpose of `times`."""
        told = np.repeat(amounts, np.diff(self.bounds)) * self.values
        return np.bincount(self.columns, told, BUCKETS).astype(np.float64)

    def seen_in(self) -> Floats:
        """In how many rows each bucket occurs."""
        owner = np.repeat(np.arange(len(self)), np.diff(self.bounds))
        pairs = np.unique(owner * BUCKETS + self.columns)
        return np.bincount(pairs % BUCKETS, minlength=BUCKETS).astype(np.float64)

    def kernel(self, scales: Floats) -> Floats:
        """The products of all pairs of rows, each bucket scaled: one row against all at a time."""
        products = np.empty((len(self), len(self)))
        for row in range(len(self)):
            here = slice(self.bounds[row], self.bounds[row + 1])
            weights = np.bincount(self.columns[here], self.values[here], BUCKETS)
            products[row] = self.times(weights * scales**2)
        return products


def bags_of(texts: Sequence[str]) -> Bags:
    """The n-grams of raw texts; of a repost chain the last comment, and its echo with ECHO."""
    parts = [_chunk(texts[first : first + CHUNK]) for first in range(0, len(texts), CHUNK)]
    lengths = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
    return Bags(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([np.zeros(0, np.int32), *(part[1] for part in parts)]),
        np.concatenate([np.zeros(0, np.float32), *(part[2] for part in parts)]),
    )


def _chunk(
    texts: Sequence[str],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    echoes = [(row, echo_of(text)) for row, text in enumerate(texts) if REPOST in text]
    told = [(row, echo) for row, echo in echoes if echo is not None]
    joined = blank_double_negation(normalise_batch([*texts, *(echo for _, echo in told)]))
    grams = Grams(joined, BUCKETS, LONGEST)
    ends = np.append(grams.starts, len(grams.codes) - 1)
    source = np.repeat(np.arange(len(grams.starts)), np.diff(ends))
    columns = np.concatenate([row[: len(source)] for row in grams.rows])
    source = np.tile(source, LONGEST)
    columns &= BUCKETS - 1  # what is no n-gram comes out as bucket 0
    source, columns = source[columns != 0], columns[columns != 0]
    owner_of = np.append(np.arange(len(texts)), np.array([row for row, _ in told], dtype=np.intp))
    share = np.where(np.arange(len(owner_of)) < len(texts), 1.0, ECHO)
    share /= np.sqrt(np.maximum(grams.counts, 1))
    owner = owner_of[source]
    order = np.argsort(owner, kind="stable")
    return (
        np.bincount(owner, minlength=len(texts)).astype(np.int64),
        columns[order].astype(np.int32),
        share[source][order].astype(np.float32),
    )
