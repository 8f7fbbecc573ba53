"""From raw texts to verdicts: a linear model over hashed n-grams, then the tables.

Everything that costs is done once for a batch; what is left for a single text is a few look-ups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.aspect import choose_aspect
from services.sentiment.domain.kind import choose_kind, is_boilerplate
from services.sentiment.domain.ngrams import Grams
from services.sentiment.domain.severity import severity_of, severity_reasons
from services.sentiment.domain.spans import strongest_spans
from services.sentiment.domain.terms import Found, TermFinder
from services.sentiment.domain.text import normalise_batch
from services.sentiment.domain.verdict import TONES, Verdict

CHUNK: Final = 512  # texts scored together: large enough for numpy, small enough for the caches


@dataclass(frozen=True, slots=True)
class Weights:
    """What the model file holds.

    `table` is int8, one row of four (neg, neu, pos, padding) a bucket, and a last row of zeros;
    a score is `sum of rows · scale / sqrt(number of n-grams) + bias`. `calibration` turns the three
    scores into the log-odds of «negative»: three factors and a constant.
    """

    table: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    calibration: npt.NDArray[np.float64]

    @property
    def buckets(self) -> int:
        """How many rows an n-gram can fall into."""
        return len(self.table) - 1


class LinearModel:
    """Scores texts with shipped weights; holds no state between calls."""

    __slots__ = ("_finder", "_packed", "_weights")

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._packed = np.ascontiguousarray(weights.table).view(np.int32).ravel()
        self._finder = TermFinder()

    def score(self, texts: Sequence[str]) -> list[Verdict]:
        """One verdict a text, in order."""
        verdicts: list[Verdict] = []
        for first in range(0, len(texts), CHUNK):
            verdicts += self._score_chunk(texts[first : first + CHUNK])
        return verdicts

    def decision(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The three raw scores of each text, before rules and calibration."""
        if not texts:
            return np.zeros((0, 3))
        grams = Grams(normalise_batch(texts), self._weights.buckets)
        return self._decide(grams, self._gather(grams))

    def _score_chunk(self, texts: Sequence[str]) -> list[Verdict]:
        joined = normalise_batch(texts)
        grams = Grams(joined, self._weights.buckets)
        rows = self._gather(grams)
        scores = self._decide(grams, rows)
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        tones = scores.argmax(axis=1)
        spans = strongest_spans(joined, grams, rows, tones)
        found = self._finder.find(joined, grams.starts)
        calibration = self._weights.calibration
        negative = 1.0 / (1.0 + np.exp(-(scores @ calibration[:3] + calibration[3])))
        starts = [*grams.starts.tolist(), len(joined) - 1]
        return list(
            starmap(
                _verdict,
                zip(
                    (joined[a + 1 : b] for a, b in zip(starts, starts[1:], strict=False)),
                    starts,
                    tones.tolist(),
                    negative.tolist(),
                    likely.tolist(),
                    (found.get(index, ()) for index in range(len(texts))),
                    spans,
                    strict=False,
                ),
            )
        )

    def _gather(self, grams: Grams) -> list[npt.NDArray[np.int8]]:
        return [self._packed[row].view(np.int8).reshape(-1, 4) for row in grams.rows]

    def _decide(self, grams: Grams, rows: list[npt.NDArray[np.int8]]) -> npt.NDArray[np.float64]:
        total = np.zeros((len(grams.starts), 4), dtype=np.int64)
        for row in rows:
            total += np.add.reduceat(row, grams.starts, axis=0, dtype=np.int32)
        root = np.sqrt(np.maximum(grams.counts, 1))[:, None]
        scores = total[:, :3] * self._weights.scale.astype(np.float64) / root + self._weights.bias
        return scores


def _verdict(
    text: str,
    start: int,
    tone_index: int,
    negative: float,
    likely: list[float],
    found: Sequence[Found],
    spans: tuple[str, ...],
) -> Verdict:
    tone = TONES[tone_index]
    boilerplate = is_boilerplate(text)
    offset = start + 1
    signs: set[str] = set()
    aspects: list[Any] = []
    hazards: list[Any] = []
    for hit in found:
        if hit.term.family == "hazard":
            hazards.append((hit.term.value, hit.term.level, hit.start - offset, hit.end - offset))
        elif hit.term.family == "kind":
            signs.add(hit.term.value)
        else:
            aspects.append(hit.term.value)
    reasons = severity_reasons(text, hazards) if hazards else ()
    severity = severity_of(reasons)
    kind = choose_kind(tone, frozenset(signs), severity=severity, boilerplate=boilerplate)
    return Verdict(
        tone=tone,
        negative=negative,
        probabilities=(likely[0], likely[1], likely[2]),
        severity=severity,
        reasons=reasons,
        kind=kind,
        aspect=choose_aspect(aspects),
        spans=spans,
    )
