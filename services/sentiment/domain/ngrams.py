"""Which features a normalised text has, and how they are summed.

A feature is a character 1- to 4-gram, hashed into a table of weights; a text's ends count as a
character, n-grams across them do not exist. Everything works on the code points of a whole batch.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.text import codes_of

LONGEST_NGRAM: Final = 4

_SEPARATOR_CODE: Final = 10
_MULTIPLIER: Final = np.uint32(0x9E3779B1)  # golden ratio, odd
_STEP: Final = np.uint32(0x85EBCA6B)  # murmur3's first finaliser
_LENGTH_SEEDS: Final = (0, 0x2545F491, 0x7F4A7C15, 0x1B873593)


class Grams:
    """The n-gram buckets of a joined batch, `rows[n - 1][i]` for the n-gram that begins at i.

    A position without a valid n-gram holds `buckets`, the row of zeros behind the table.
    `starts[t]` is where text t begins (its leading separator); `counts[t]` is its number of
    valid n-grams.
    """

    __slots__ = ("codes", "counts", "rows", "starts")

    def __init__(self, joined: str, buckets: int, longest: int = LONGEST_NGRAM) -> None:
        self.codes = codes_of(joined)
        separators = self.codes == _SEPARATOR_CODE
        self.starts = np.flatnonzero(separators)[:-1]
        self.rows = _buckets_of(self.codes, separators, buckets, longest)
        lengths = np.diff(np.flatnonzero(separators)) - 1
        self.counts = _valid_ngrams(lengths, longest)


def _buckets_of(
    codes: npt.NDArray[np.uint32], separators: npt.NDArray[np.bool_], buckets: int, longest: int
) -> list[npt.NDArray[np.intp]]:
    size = len(codes)
    mixed = codes * _MULTIPLIER
    mixed ^= mixed >> np.uint32(15)
    rolling = mixed.copy()
    inside = separators.copy()  # does the n-gram hold a separator anywhere but at its ends?
    rows = []
    for n in range(1, longest + 1):
        if n > 1:
            rolling = rolling[: size - n + 1] * _STEP
            rolling ^= rolling >> np.uint32(13)
            rolling += mixed[n - 1 :]
        hashed = (rolling ^ np.uint32(_LENGTH_SEEDS[n - 1])) * _MULTIPLIER
        hashed ^= hashed >> np.uint32(16)
        row = np.full(size, buckets, dtype=np.intp)
        if n == 1:
            valid = ~separators
        elif n == 2:
            valid = ~(separators[:-1] & separators[1:])
        else:
            inside = separators[1 : size - 1] if n == 3 else inside[:-1] | separators[2 : size - 1]
            valid = ~inside
        row[: len(hashed)] = np.where(valid, hashed & np.uint32(buckets - 1), buckets)
        rows.append(row)
    return rows


def _valid_ngrams(lengths: npt.NDArray[np.intp], longest: int) -> npt.NDArray[np.intp]:
    """How many n-grams texts of these lengths have: ends included from n = 2 on."""
    total = lengths.copy()
    for n in range(2, longest + 1):
        total += np.maximum(lengths + 3 - n, 0)
    total[lengths == 0] = 0
    return total
