"""The model card's figures from stored answers: per set, on average, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.tone import metrics

DRAWS: Final = 200  # bootstrap resamples of each set
SEED: Final = 11
RECALLS: Final = (0.5, 0.7, 0.8)  # of negatives
NAMES: Final = ("accuracy", "auc", "recall_at_100", "neutral_as_negative", "negative_recall")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """A set's test texts: truth, class probabilities, and the score of «negative»."""

    truth: npt.NDArray[np.int8]
    likely: Floats
    score: Floats


def figures_of(judged: Judged) -> Floats:
    """The NAMES, in percent; the last two are nan for a set without neutral texts."""
    truth, negative = judged.truth, judged.truth == 0
    neutral = truth == 1
    three = bool(neutral.any())
    said = metrics.decide(judged.likely, neutral=three)
    called = judged.likely.argmax(axis=1) == 0
    score = metrics.ranking(judged.likely, judged.score, neutral=three)
    area = metrics.auc(negative, score)
    recall = metrics.recall_at(negative, score)
    return 100.0 * np.array(
        [
            metrics.accuracy(truth, said),
            np.nan if area is None else area,
            np.nan if recall is None else recall,
            called[neutral].mean() if three else np.nan,
            called[negative].mean() if three else np.nan,
        ]
    )


def neutral_at_recall(judged: Judged, recall: float) -> float:
    """Percent of neutral texts above the score that catches this share of the negatives."""
    threshold = np.quantile(judged.score[judged.truth == 0], 1.0 - recall)
    return float(100.0 * (judged.score[judged.truth == 1] > threshold).mean())


def resampled(sets: Mapping[str, Judged], draws: int = DRAWS) -> dict[str, Floats]:
    """For each set a (draws, NAMES) array of figures on texts drawn with replacement."""
    dice = np.random.default_rng(SEED)
    out = {}
    for name, judged in sets.items():
        rows = np.empty((draws, len(NAMES)))
        for draw in range(draws):
            pick = dice.integers(0, len(judged.truth), len(judged.truth))
            rows[draw] = figures_of(
                Judged(judged.truth[pick], judged.likely[pick], judged.score[pick])
            )
        out[name] = rows
    return out


def table_of(title: str, sets: Mapping[str, Judged], draws: int = DRAWS) -> str:
    """A markdown table, one line a set and the mean, with 95 % bootstrap intervals."""
    drawn = resampled(sets, draws)
    lines = [f"### {title}", "", "| set | n | " + " | ".join(NAMES) + " |"]
    lines.append("|---|---|" + "---|" * len(NAMES))
    for name, judged in sets.items():
        cells = _cells(figures_of(judged), drawn[name])
        lines.append(f"| {name} | {len(judged.truth)} | " + " | ".join(cells) + " |")
    means = np.nanmean([figures_of(judged) for judged in sets.values()], axis=0)
    spread = np.nanmean([drawn[name] for name in sets], axis=0)
    lines.append("| **mean** | | " + " | ".join(_cells(means, spread)) + " |")
    return "\n".join(lines)


def neutral_table(sets: Mapping[str, Judged]) -> str:
    """Neutral texts above the threshold that catches a given share of the negatives."""
    lines = ["### Neutral texts called negative, at equal recall of negatives", ""]
    lines += ["| set | " + " | ".join(f"at {recall:.0%}" for recall in RECALLS) + " |"]
    lines += ["|---|" + "---|" * len(RECALLS)]
    three = {name: judged for name, judged in sets.items() if (judged.truth == 1).any()}
    values = {
        name: [neutral_at_recall(judged, recall) for recall in RECALLS]
        for name, judged in three.items()
    }
    values["**mean**"] = list(np.mean(list(values.values()), axis=0))
    lines += [
        f"| {name} | " + " | ".join(f"{v:.1f}" for v in row) + " |" for name, row in values.items()
    ]
    return "\n".join(lines)


def _cells(values: Floats, draws: Floats) -> list[str]:
    cells = []
    for value, column in zip(values, draws.T, strict=True):
        if np.isnan(value):
            cells.append("")
        else:
            low, high = np.nanpercentile(column, [2.5, 97.5])
            cells.append(f"{value:.1f} ({low:.1f}–{high:.1f})")
    return cells
