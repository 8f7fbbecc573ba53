"""A small convolution over characters, evaluated by look-ups alone.

A convolution over one-hot characters is a sum of table rows: one table a place in the window. The
tables are made once from the stored embedding and filters, then a position costs three look-ups
and two additions, and the strongest answer of each filter in a text is what the text is judged by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

UNKNOWN: Final = 1  # the row of characters that are not in the alphabet; row 0 is a text's end
FIRST_LETTER: Final = 2
WINDOW: Final = 3  # characters

_SEPARATOR_CODE: Final = 10
_LOWEST: Final = np.float32(-1e9)
_SLICE: Final = 1_024  # positions worked on together, so that the rows stay in the cache


@dataclass(frozen=True, slots=True)
class NetWeights:
    """`alphabet` is sorted code points (row FIRST_LETTER on); `filters` is window·width high."""

    alphabet: npt.NDArray[np.uint32]
    embedding: npt.NDArray[np.float32]
    filters: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.float32]
    output: npt.NDArray[np.float32]


class CharNet:
    """The network's answer for a batch of normalised texts."""

    __slots__ = ("_letters", "_offsets", "_output", "_tables")

    def __init__(self, weights: NetWeights) -> None:
        width = weights.embedding.shape[1]
        self._tables = [
            weights.embedding @ weights.filters[place * width : (place + 1) * width]
            for place in range(WINDOW)
        ]
        self._offsets = weights.offsets
        self._output = weights.output
        self._letters = np.full(0x110000, UNKNOWN, dtype=np.int32)
        self._letters[weights.alphabet] = np.arange(len(weights.alphabet)) + FIRST_LETTER
        self._letters[_SEPARATOR_CODE] = 0

    def scores(
        self, codes: npt.NDArray[np.uint32], starts: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float32]:
        """The three scores of each text; `starts` are the places of the leading separators."""
        answers = self.answers(codes, starts)
        # Not a BLAS product: a text's sum must not depend on how many texts stand beside it.
        scores: npt.NDArray[np.float32] = np.einsum("tf,fk->tk", answers, self._output)
        return scores

    def answers(
        self, codes: npt.NDArray[np.uint32], starts: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float32]:
        """How strongly each filter answers to each text, at least 0."""
        letters = self._letters[codes]
        if len(codes) <= _SLICE:
            pooled = self._pool(letters, starts)
        else:
            pooled = self._pool_slices(letters, starts)
        answers: npt.NDArray[np.float32] = np.maximum(pooled + self._offsets, 0.0)
        return answers

    def _pool_slices(
        self, letters: npt.NDArray[np.int32], starts: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float32]:
        pooled = np.empty((len(starts), len(self._offsets)), dtype=np.float32)
        ends = np.append(starts[1:], len(letters) - 1)
        first = 0
        while first < len(starts):
            last = int(np.searchsorted(ends, starts[first] + _SLICE, side="right"))
            last = max(last, first + 1)
            begin, end = int(starts[first]), int(ends[last - 1])
            pooled[first:last] = self._pool(letters[begin : end + 1], starts[first:last] - begin)
            first = last
        return pooled

    def _pool(
        self, letters: npt.NDArray[np.int32], starts: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float32]:
        before, here, after = self._tables
        # `take` copies whole rows, which plain indexing does not; clipping spares a second pass.
        answers = here.take(letters[:-1], axis=0, mode="clip")
        answers[1:] += before.take(letters[:-2], axis=0, mode="clip")
        answers += after.take(letters[1:], axis=0, mode="clip")
        answers[letters[:-1] == 0] = _LOWEST
        pooled = np.empty((len(starts), answers.shape[1]), dtype=np.float32)
        ends = [*starts[1:].tolist(), len(answers)]
        # One reduction a text is twice as fast as one `reduceat` over all of them.
        for row, start, end in zip(pooled, starts.tolist(), ends, strict=True):
            np.maximum.reduce(answers[start:end], axis=0, out=row)
        return pooled
