"""How good scores are: the figures of the model card, of `evaluate` and of the recipe.

AUC and recall look at the score of «negative» against the rest. Recall at 100 is the share of
negatives that a threshold catches which lets through 100 false alerts per 10,000 other comments:
what a team that reads a bounded number of alerts would see.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

FALSE_ALERTS: Final = 100  # per ALERT_BASE comments that are not negative
ALERT_BASE: Final = 10_000
CLASSES: Final = 3
SMALLEST: Final = 1e-12  # probability whose logarithm is taken

Labels = npt.NDArray[np.integer]
Scores = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]


def decide(scores: Scores, *, neutral: bool) -> npt.NDArray[np.intp]:
    """The likeliest class of each row (neg, neu, pos); between neg and pos where no neutral."""
    if neutral:
        likeliest: npt.NDArray[np.intp] = np.argmax(scores, axis=1)
        return likeliest
    return np.where(scores[:, 0] >= scores[:, 2], 0, 2)


def ranking(scores: Scores, negative: Scores, *, neutral: bool) -> Scores:
    """By what texts are ranked for AUC and recall, from probabilities (neg, neu, pos).

    The question ranked by is the question decided: «negative or not?» by the calibrated `negative`,
    and in a set without neutral texts «negative or positive?», whatever is held possible beside.
    """
    if neutral:
        return negative
    sure = np.log(np.maximum(scores, SMALLEST))
    odds: Scores = sure[:, 0] - sure[:, 2]
    return odds


def accuracy(truth: Labels, said: Labels) -> float:
    """The share that is right; 0 for nothing."""
    return float((truth == said).mean()) if len(truth) else 0.0


def macro_f1(truth: Labels, said: Labels) -> float:
    """The mean F1 over the classes that occur in the truth."""
    values = []
    for label in range(CLASSES):
        here, claimed = truth == label, said == label
        if here.any():
            values.append(2.0 * (here & claimed).sum() / (here.sum() + claimed.sum()))
    return float(np.mean(values)) if values else 0.0


def auc(negative: Flags, score: Scores) -> float | None:
    """The chance that a negative scores above another; ties count half; None without both."""
    positives = int(negative.sum())
    others = len(negative) - positives
    if not positives or not others:
        return None
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    above = ranks[negative].sum() - positives * (positives + 1) / 2.0
    return float(above / (positives * others))


def recall_at(negative: Flags, score: Scores, alerts: int = FALSE_ALERTS) -> float | None:
    """The share of negatives above the threshold of so many false alerts; None without both."""
    others = np.sort(score[~negative])[::-1]
    if not len(others) or not negative.any():
        return None
    allowed = int(len(others) * alerts / ALERT_BASE)
    return float((score[negative] > others[min(allowed, len(others) - 1)]).mean())
