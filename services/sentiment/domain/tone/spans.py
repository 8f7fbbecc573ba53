"""Which pieces of a text speak most for its tone.

Each n-gram's weight for the winning tone against the runner-up is spread over its characters; the
strongest character and its neighbours of at least half its weight make a span.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.tone.ngrams import Grams

SPANS: Final = 2  # at most so many a text
LONGEST_SPAN: Final = 8  # characters

_SIGNS: Final = (1.0, 0.0, -1.0)  # a neutral text has no spans


def strongest_spans(
    joined: str,
    grams: Grams,
    rows: Sequence[npt.NDArray[np.int8]],
    tones: npt.NDArray[np.intp],
) -> list[tuple[str, ...]]:
    """The spans of each text, strongest first; a neutral text has none."""
    size = len(grams.codes)
    starts = [*grams.starts.tolist(), size - 1]
    weight = np.zeros(size, dtype=np.float32)
    shares = np.zeros(size, dtype=np.float32)
    # An n-gram gives each of its n characters 1/n of its weight: what every n-gram longer than
    # `place` gives to the character at that place is added in one go.
    for n in range(len(rows), 0, -1):
        row = rows[n - 1]
        shares += np.subtract(row[:, 0], row[:, 2], dtype=np.float32) * np.float32(1.0 / n)
        place = n - 1
        weight[place:] += shares[: size - place]
    weight[starts] = 0.0
    values = weight.tolist()
    return [
        _spans(joined, values, starts[index] + 1, starts[index + 1], _SIGNS[tone])
        for index, tone in enumerate(tones.tolist())
    ]


def _spans(joined: str, values: list[float], start: int, end: int, sign: float) -> tuple[str, ...]:
    piece = [sign * value for value in values[start:end]]
    spans: list[str] = []
    top = max(piece, default=0.0)
    while top > 0.0 and len(spans) < SPANS:
        peak = max(piece)
        if peak < top / 2:
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
