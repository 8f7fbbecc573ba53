"""Which features a normalised text has, and how they are summed.

A feature is a character 1- to 4-gram, hashed into a table of weights; a text's ends count as a
character, n-grams across them do not exist. Everything works on the code points of a whole batch.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.tone.text import codes_of

LONGEST_NGRAM: Final = 4

_SEPARATOR_CODE: Final = 10
_MULTIPLIER: Final = np.uint32(0x9E3779B1)  # golden ratio, odd
_STEP: Final = np.uint32(0x85EBCA6B)  # murmur3's first finaliser
_LENGTH_SEEDS: Final = tuple(map(np.uint32, (0, 0x2545F491, 0x7F4A7C15, 0x1B873593)))
_SHIFT_LETTER: Final = np.uint32(15)
_SHIFT_STEP: Final = np.uint32(13)
_SHIFT_LAST: Final = np.uint32(16)


class Grams:
    """The n-gram buckets of a joined batch, `rows[n - 1][i]` for the n-gram that begins at i.

    A position without a valid n-gram holds `buckets`, the row of zeros behind the table.
    `starts[t]` is where text t begins (its leading separator); `lengths[t]` is its number of
    characters, `counts[t]` that of its valid n-grams.
    """

    __slots__ = ("codes", "counts", "lengths", "rows", "starts")

    def __init__(self, joined: str, buckets: int, longest: int = LONGEST_NGRAM) -> None:
        self.codes = codes_of(joined)
        ends = (self.codes == _SEPARATOR_CODE).nonzero()[0]
        self.starts = ends[:-1]
        self.rows = _buckets_of(self.codes, ends, buckets, longest)
        self.lengths = ends[1:] - self.starts - 1
        self.counts = valid_ngrams(self.lengths, longest)


def valid_ngrams(lengths: npt.NDArray[np.intp], longest: int) -> npt.NDArray[np.intp]:
    """How many n-grams texts of these lengths have: ends included from n = 2 on."""
    total = lengths.copy()
    for n in range(2, longest + 1):
        total += np.maximum(lengths + (3 - n), 0)
    return np.where(lengths == 0, 0, total)


def _buckets_of(
    codes: npt.NDArray[np.uint32], separators: npt.NDArray[np.intp], buckets: int, longest: int
) -> list[npt.NDArray[np.intp]]:
    size = len(codes)
    mixed = codes * _MULTIPLIER
    mixed ^= mixed >> _SHIFT_LETTER
    rolling = mixed
    last_bucket = np.uint32(buckets - 1)
    rows = []
    for n in range(1, longest + 1):
        if n > 1:
            rolling = rolling[: size - n + 1] * _STEP
            rolling ^= rolling >> _SHIFT_STEP
            rolling += mixed[n - 1 :]
        hashed = (rolling ^ _LENGTH_SEEDS[n - 1]) * _MULTIPLIER
        hashed ^= hashed >> _SHIFT_LAST
        hashed &= last_bucket
        row = np.empty(size, dtype=np.intp)
        row[: len(hashed)] = hashed
        row[len(hashed) :] = buckets
        # No n-gram has a separator inside; one alone, or two side by side, is none either.
        if n == 1:
            row[separators] = buckets
        elif n == 2:  # noqa: PLR2004 - a pair
            row[separators[:-1][separators[1:] - separators[:-1] == 1]] = buckets
        for inside in range(1, n - 1):
            row[np.maximum(separators - inside, 0)[1:]] = buckets
        rows.append(row)
    return rows
