"""Adapting from raw texts: what the frozen model says about them, and then `adapt`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from services.sentiment.domain.adapting.adapt import Texts, adapt
from services.sentiment.domain.adapting.bags import bags_of
from services.sentiment.domain.adapting.report import Report
from services.sentiment.domain.adapting.table import AccountTable
from services.sentiment.domain.scorer import CommentScorer
from services.sentiment.domain.verdict import TONES, Tone

MOST_TEXTS: Final = 4_000  # of a stream, its last ones
MOST_LABELS: Final = 2_000  # the last ones
SMALLEST: Final = 1e-12  # probability whose logarithm is taken


def learn(
    scorer: CommentScorer, stream: Sequence[str], labelled: Iterable[tuple[Tone, str]]
) -> tuple[AccountTable, Report]:
    """An account's table from its last comments and its staff's labels, oldest first.

    Copies count once. A text that was labelled twice has its last label.
    """
    texts = list(dict.fromkeys(reversed(stream)))[:MOST_TEXTS]
    labels = {text: TONES.index(tone) for tone, text in labelled}
    last = list(labels.items())[-MOST_LABELS:]
    return adapt(
        answers_of(scorer, texts[::-1]),
        answers_of(scorer, [text for text, _ in last]),
        np.array([label for _, label in last], dtype=np.int64),
        scorer.model,
    )


def answers_of(scorer: CommentScorer, texts: Sequence[str]) -> Texts:
    """What an unadapted scorer says about raw texts, rules included, beside their n-grams."""
    verdicts = scorer.score(texts)
    likely = np.array([verdict.probabilities for verdict in verdicts]).reshape(-1, len(TONES))
    negative = np.array([verdict.negative for verdict in verdicts], dtype=np.float64)
    negative = np.clip(negative, SMALLEST, 1.0 - SMALLEST)
    return Texts(
        bags_of(texts),
        np.log(np.maximum(likely, SMALLEST)),
        np.log(negative / (1.0 - negative)),
    )
