"""Which pieces of a text speak most for its tone.

Each n-gram's weight for the winning tone against the runner-up is spread over its characters; the
strongest character and its neighbours of at least half its weight make a span.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.ngrams import Grams

SPANS: Final = 2  # at most so many a text
LONGEST_SPAN: Final = 8  # characters

_NEUTRAL: Final = 1


def strongest_spans(
    joined: str,
    grams: Grams,
    rows: Sequence[npt.NDArray[np.int8]],
    tones: npt.NDArray[np.intp],
) -> list[tuple[str, ...]]:
    """The spans of each text, strongest first; a neutral text has none."""
    size = len(grams.codes)
    lengths = np.diff(np.append(grams.starts, size))
    lengths[-1] -= 1  # the last separator opens no text
    sign = np.repeat(np.where(tones == 0, 1, -1).astype(np.float32), lengths)
    weight = np.zeros(size + len(rows), dtype=np.float32)
    for n, row in enumerate(rows, start=1):
        lean = (row[: len(sign), 0].astype(np.float32) - row[: len(sign), 2]) * (sign / n)
        for shift in range(n):
            weight[shift : shift + len(lean)] += lean
    weight = weight[:size]
    weight[grams.codes == 10] = 0.0
    best = np.maximum.reduceat(weight[: len(sign)], grams.starts)
    values = weight.tolist()
    starts = [*grams.starts.tolist(), size - 1]
    return [
        ()
        if tone == _NEUTRAL or top <= 0.0
        else _spans(joined, values, starts[index] + 1, starts[index + 1], top)
        for index, (tone, top) in enumerate(zip(tones.tolist(), best.tolist(), strict=True))
    ]


def _spans(joined: str, values: list[float], start: int, end: int, top: float) -> tuple[str, ...]:
    piece = values[start:end]
    spans: list[str] = []
    while len(spans) < SPANS:
        peak = max(piece)
        if peak <= 0.0 or peak < top / 2:
            break
        first = last = piece.index(peak)
        while first > 0 and piece[first - 1] >= peak / 2 and last - first + 1 < LONGEST_SPAN:
            first -= 1
        while (
            last + 1 < len(piece)
            and piece[last + 1] >= peak / 2
            and last - first + 1 < LONGEST_SPAN
        ):
            last += 1
        spans.append(joined[start + first : start + last + 1])
        piece[first : last + 1] = [0.0] * (last - first + 1)
    return tuple(spans)
