"""From raw texts to verdicts: two learned scores, added, then the tables and the rules.

The first score is linear in hashed n-grams, the second a small convolution over characters. All
that costs is done once for a batch; what is left for a single text is a few look-ups.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.adapting.bags import BUCKETS
from services.sentiment.domain.adapting.table import LARGEST_SHIFT, AccountTable, OtherModelError
from services.sentiment.domain.judge import judge
from services.sentiment.domain.preference import LEANING, Preference
from services.sentiment.domain.tables.terms import TermFinder
from services.sentiment.domain.tone.charnet import CharNet, NetWeights
from services.sentiment.domain.tone.negation import blank_double_negation
from services.sentiment.domain.tone.ngrams import Grams
from services.sentiment.domain.tone.spans import strongest_spans
from services.sentiment.domain.tone.text import REPOST, echo_of, normalise_batch
from services.sentiment.domain.verdict import Verdict

SMALLEST: Final = 1e-12  # keeps the logarithm of a probability finite
ECHO: Final = 0.7  # weight of what a comment was added to, beside the comment's own
CHUNK: Final = 256  # texts scored together: large enough for numpy, small enough for the caches


@dataclass(frozen=True, slots=True)
class TableWeights:
    """The n-gram table as it is stored.

    `table` is int8, one row of four (neg, neu, pos, padding) a bucket, and a last row of zeros;
    its score is `sum of rows · scale / sqrt(number of n-grams) + bias`.
    """

    table: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]

    @property
    def buckets(self) -> int:
        """How many rows an n-gram can fall into."""
        return len(self.table) - 1


@dataclass(frozen=True, slots=True)
class ModelWeights:
    """All that was learned.

    `calibration` turns the logarithms of the three probabilities into the log-odds of «negative»:
    three factors and a constant.
    """

    table: TableWeights
    net: NetWeights
    calibration: npt.NDArray[np.float64]


Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Learned:
    """A batch: echoes behind the comments, the n-grams' rows, and the comments' three scores.

    `shifts` are what the account's table adds to the log-odds of «negative».
    """

    joined: str
    grams: Grams
    rows: list[npt.NDArray[np.int8]]
    scores: Floats
    shifts: Floats | None


class CommentScorer:
    """Scores texts with learned weights; holds no state between calls."""

    __slots__ = (
        "_account", "_calibration", "_decision", "_finder", "_leaning", "_net", "_packed",
        "_silence", "_table", "model",
    )  # fmt: skip

    _account: AccountTable | None

    def __init__(self, weights: ModelWeights, preference: Preference = "balanced") -> None:
        self.model = fingerprint(weights)
        self._account = None
        self._decision = self._leaning = np.array([LEANING[preference], 0.0, 0.0])
        self._table = weights.table
        self._packed = np.ascontiguousarray(weights.table.table).view(np.int32).ravel()
        self._net = CharNet(weights.net)
        self._calibration = weights.calibration
        self._finder = TermFinder()
        self._silence = np.zeros(3)
        self._silence = self._learned([""]).scores[0]

    def adapted(self, account: AccountTable) -> CommentScorer:
        """This scorer with an account's table on top; what is large is shared.

        Raises:
            OtherModelError: the table was learned beside another model.
        """
        if account.model != self.model or self._table.buckets < BUCKETS:
            raise OtherModelError("the table was learned beside another model: adapt again")
        other = copy(self)
        other._account = account  # noqa: SLF001 - its own kind
        other._decision = self._leaning + account.decision  # noqa: SLF001
        return other

    def score(self, texts: Sequence[str]) -> list[Verdict]:
        """One verdict a text, in order."""
        verdicts: list[Verdict] = []
        for first in range(0, len(texts), CHUNK):
            verdicts += self._score_chunk(texts[first : first + CHUNK])
        return verdicts

    def decision(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The three learned scores of each text, before rules and calibration."""
        chunks = [texts[first : first + CHUNK] for first in range(0, len(texts), CHUNK)]
        return np.concatenate(
            [np.zeros((0, 3)), *(self._learned(chunk).scores for chunk in chunks)]
        )

    def odds_of(self, likely: Floats) -> Floats:
        """The calibrated log-odds of «negative» for rows of probabilities (neg, neu, pos)."""
        # Written out, not as a product: its rounding must not depend on the batch.
        factors = self._calibration
        logs = np.log(likely + SMALLEST)
        odds = logs[:, 0] * factors[0] + logs[:, 1] * factors[1] + logs[:, 2] * factors[2]
        calibrated: Floats = odds + factors[3]
        return calibrated

    def _score_chunk(self, texts: Sequence[str]) -> list[Verdict]:
        learned = self._learned(texts)
        joined, grams, rows = learned.joined, learned.grams, learned.rows
        likely = probabilities(learned.scores)
        odds = self.odds_of(likely)
        scores = learned.scores
        if learned.shifts is not None:
            odds += learned.shifts
            scores = scores.copy()
            scores[:, 0] += learned.shifts
        if scores is not learned.scores or self._decision.any():
            likely = probabilities(scores + self._decision)
        negative = 1.0 / (1.0 + np.exp(-odds))
        spans = strongest_spans(joined, grams, rows, likely.argmax(axis=1))
        bounds = [*grams.starts.tolist(), len(joined) - 1]
        found = self._finder.find(joined, bounds[:-1])
        return list(
            map(
                judge,
                [joined[bounds[at] + 1 : bounds[at + 1]] for at in range(len(texts))],
                [found.get(index, ()) for index in range(len(texts))],
                negative.tolist(),
                likely.tolist(),
                spans,
            )
        )

    def _learned(self, texts: Sequence[str]) -> _Learned:
        """The joined batch, echoes behind the comments, and the comments' scores."""
        echoes = [(index, echo_of(text)) for index, text in enumerate(texts) if REPOST in text]
        told = [(index, echo) for index, echo in echoes if echo is not None]
        joined = normalise_batch([*texts, *(echo for _, echo in told)] if told else texts)
        grams = Grams(blank_double_negation(joined), self._table.buckets)
        rows = self._gather(grams)
        scores = self._decide(grams, rows)
        shifts = None if self._account is None else self._account.shifts(grams)
        if told:
            commented = [index for index, _ in told]
            echoed = scores[len(texts) :] - self._silence
            scores = scores[: len(texts)].copy()
            scores[commented] += ECHO * echoed
            if shifts is not None:
                told_shifts, shifts = shifts[len(texts) :], shifts[: len(texts)].copy()
                shifts[commented] += ECHO * told_shifts
        if shifts is not None and self._account is not None:
            shifts = np.clip(shifts + self._account.bias, -LARGEST_SHIFT, LARGEST_SHIFT)
        return _Learned(joined, grams, rows, scores, shifts)

    def _gather(self, grams: Grams) -> list[npt.NDArray[np.int8]]:
        return [self._packed[row].view(np.int8).reshape(-1, 4) for row in grams.rows]

    def _decide(
        self, grams: Grams, rows: Sequence[npt.NDArray[np.int8]]
    ) -> npt.NDArray[np.float64]:
        by_place = rows[0].astype(np.int32)
        for row in rows[1:]:
            by_place += row
        total = np.add.reduceat(by_place, grams.starts, axis=0)[:, :3]
        root = np.sqrt(np.maximum(grams.counts, 1))[:, None]
        linear = total * self._table.scale / root + self._table.bias
        scores: npt.NDArray[np.float64] = linear + self._net.scores(grams.codes, grams.starts)
        return scores


def probabilities(scores: Floats) -> Floats:
    """Rows of scores as rows of probabilities."""
    likely: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    return likely


def fingerprint(weights: ModelWeights) -> str:
    """A short name of the weights, so that a table is never laid on another model."""
    digest = hashlib.blake2b(digest_size=8)
    net = weights.net
    for part in (weights.table.table, weights.table.scale, net.filters, net.output):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
