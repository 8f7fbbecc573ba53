"""From an account's stream and its staff's labels to the account's table, or to none.

Two things are learned. The *student* repeats the model's own soft answers in the n-grams of this
stream: words that the model does not know, but that stand beside what it knows, get a weight. The
*residual* learns from labels where model and student are wrong. Its weights are held near zero, so
that few labels say little. What was learned is switched on only if it ranks labelled texts better
that it was not taught; else the model stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.adapting.bags import BUCKETS, Bags
from services.sentiment.domain.adapting.decision import decision_biases
from services.sentiment.domain.adapting.guard import TRUSTED_AUC, Comparison, compare
from services.sentiment.domain.adapting.report import Outcome, Report
from services.sentiment.domain.adapting.solve import directions, logistic, ridge
from services.sentiment.domain.adapting.table import LARGEST_SHIFT, AccountTable, packed
from services.sentiment.domain.verdict import TONES

FEWEST_TEXTS: Final = 300  # of a stream, below which its words are not learned
FEWEST_LABELS: Final = 20
FEWEST_OF_A_KIND: Final = 5  # negative labels, and others
STUDENT_PENALTY: Final = 1.0  # of the mean squared weight of an n-gram
STUDENT_SHARE: Final = 1.5
AGREEMENT: Final = 0.3  # of a student with the model on texts it was not taught
SURE_ODDS: Final = 2.5  # beyond it the model's answers teach no more
WORD_SPREAD: Final = 30.0  # prior variance of what labels of single words add to the log-odds
COARSE_SPREAD: Final = 30.0  # and of what the directions of the stream add
BIAS_SPREAD: Final = 4.0  # and of the constant
FOLDS: Final = 5

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts as n-grams, with the frozen model's answers.

    `logs` are the logarithms of the probabilities (neg, neu, pos), `odds` the calibrated log-odds
    of «negative».
    """

    bags: Bags
    logs: Floats
    odds: Floats

    def __len__(self) -> int:
        return len(self.odds)

    def offsets(self, *, neutral: bool) -> Floats:
        """What the model says on the question asked: negative or not, or negative or positive."""
        return self.odds if neutral else self.logs[:, 0] - self.logs[:, 2]


@dataclass(frozen=True, slots=True)
class Learned:
    """Weights of n-grams and a constant, before they are packed."""

    weights: Floats
    bias: float

    def on(self, bags: Bags) -> Floats:
        """The shift of each text."""
        return bags.times(self.weights) + self.bias


NO_DIRECTIONS: Final = np.zeros((0, BUCKETS))


@dataclass(frozen=True, slots=True)
class Studied:
    """What a stream teaches without labels: how rare its n-grams are, a student, its directions."""

    neutral: bool
    scales: Floats
    student: Learned | None = None
    agreement: float | None = None
    directions: Floats = field(default_factory=lambda: NO_DIRECTIONS)


@dataclass(frozen=True, slots=True)
class Prior:
    """How far, and how alike, the log-odds of labelled texts may be moved before labels are seen.

    Texts are alike by the words that they share, and by the directions of the stream in which they
    lie: of these, not many, a few labels can tell the sign.
    """

    covariance: Floats
    studied: Studied
    words: float
    coarse: float

    def weights(self, bags: Bags, pull: Floats) -> Floats:
        """The likeliest weights of the buckets, from what pulls at the labelled texts."""
        scales, found = self.studied.scales, self.studied.directions
        pulled = scales * bags.gathered(pull)
        weights: Floats = scales * (self.words * pulled + self.coarse * (found @ pulled) @ found)
        return weights


@dataclass(frozen=True, slots=True)
class Tried:
    """What is to be switched on, if anything, and why; `unseen` are out-of-fold log-odds."""

    learned: Learned | None
    outcome: Outcome
    comparison: Comparison | None = None
    unseen: Floats | None = None


NOTHING: Final = Learned(np.zeros(BUCKETS), 0.0)


def study(stream: Texts, *, neutral: bool, known: Studied | None = None) -> Studied:
    """What the stream teaches without labels; `neutral` if the question is «negative or not».

    What is `known` of the same stream for the other question need not be found out again.
    """
    scales = known.scales if known else rarity(stream.bags)
    if len(stream) < FEWEST_TEXTS:
        return Studied(neutral, scales)
    student, agreement = _student(stream, scales, neutral=neutral)
    found = known.directions if known else directions(stream.bags, scales)
    return Studied(neutral, scales, student, agreement, found)


def adapt(
    stream: Texts,
    labelled: Texts,
    truth: npt.NDArray[np.integer],
    model: str,
    studied: Studied | None = None,
) -> tuple[AccountTable, Report]:
    """The account's table, and what is to be said about it; where nothing is on, a blank table.

    `truth` holds the labels' classes (0 neg, 1 neu, 2 pos). `studied` may be given where it is
    known already. The same input gives the same table.
    """
    neg, neu, pos = (int((truth == tone).sum()) for tone in range(len(TONES)))
    negative = truth == 0
    few = min(neg, neu + pos)
    usable = few >= FEWEST_OF_A_KIND and len(truth) >= FEWEST_LABELS
    neutral = not usable or neu > 0
    if studied is None or studied.neutral != neutral:
        studied = study(stream, neutral=neutral)
    if len(stream) < FEWEST_TEXTS:
        studied = replace(studied, scales=rarity(labelled.bags))
    student = studied.student
    decision = (0.0, 0.0, 0.0)
    if not len(truth):
        tried = Tried(student, _without_labels(stream, student))
    elif not usable:
        one_kind = len(truth) >= FEWEST_LABELS
        tried = Tried(student, Outcome.ONE_KIND if one_kind else Outcome.FEW_LABELS)
    else:
        offsets = labelled.offsets(neutral=neutral)
        tried = _taught(studied, labelled.bags, offsets, negative)
        if tried.outcome is not Outcome.UNBELIEVED:
            decision = decision_biases(labelled.logs, _shifts(tried, labelled, offsets), truth)
    learned = tried.learned or NOTHING
    weights, step = packed(learned.weights)
    table = AccountTable(weights, step, learned.bias, decision, model)
    before = stream.logs.argmax(axis=1) == 0
    after = _called_negative(stream, table)
    report = Report(
        outcome=tried.outcome,
        stream_texts=len(stream),
        labels=(neg, neu, pos),
        agreement=studied.agreement,
        comparison=tried.comparison,
        newly_negative=int((after & ~before).sum()),
        no_longer_negative=int((before & ~after).sum()),
    )
    return table, report


def _shifts(tried: Tried, labelled: Texts, offsets: Floats) -> Floats:
    """What is added to the labelled texts' log-odds by what was not taught them."""
    if tried.outcome is Outcome.TAUGHT and tried.unseen is not None:
        return tried.unseen - offsets
    return (tried.learned or NOTHING).on(labelled.bags)


def _called_negative(texts: Texts, table: AccountTable) -> Flags:
    shifts = texts.bags.times(table.weights.astype(np.float64) * table.step) + table.bias
    scores = texts.logs + np.asarray(table.decision)
    scores[:, 0] += np.clip(shifts, -LARGEST_SHIFT, LARGEST_SHIFT)
    negative: Flags = scores.argmax(axis=1) == 0
    return negative


def _without_labels(stream: Texts, student: Learned | None) -> Outcome:
    if student is not None:
        return Outcome.STUDENT
    return Outcome.SHORT_STREAM if len(stream) < FEWEST_TEXTS else Outcome.DISAGREEMENT


def rarity(bags: Bags) -> Floats:
    """The logarithm of how rare each bucket is; a bucket that all texts share counts nothing."""
    return np.log((1.0 + len(bags)) / (1.0 + bags.seen_in()))


def _student(stream: Texts, scales: Floats, *, neutral: bool) -> tuple[Learned | None, float]:
    """The student, unless it can't repeat the model on the half of the stream it was not shown."""
    targets = np.clip(stream.offsets(neutral=neutral), -SURE_ODDS, SURE_ODDS)
    penalty = STUDENT_PENALTY * float(scales.mean()) ** 2
    half = np.arange(len(stream)) % 2 == 0
    shown, kept = np.flatnonzero(half), np.flatnonzero(~half)
    told = targets[shown] - targets[shown].mean()
    guessed = stream.bags.take(kept).times(ridge(stream.bags.take(shown), scales, told, penalty))
    spread = float(guessed.std() * targets[kept].std())
    agreement = float(np.cov(guessed, targets[kept], ddof=0)[0, 1]) / spread if spread else 0.0
    if agreement < AGREEMENT:
        return None, agreement
    weights = STUDENT_SHARE * ridge(stream.bags, scales, targets - targets.mean(), penalty)
    return Learned(weights, -float(stream.bags.times(weights).mean())), agreement


def _taught(studied: Studied, bags: Bags, offsets: Floats, negative: Flags) -> Tried:
    student = studied.student
    first = student or NOTHING
    begun = offsets + first.on(bags)
    prior = _prior(studied, bags)
    if prior is None:  # texts without a single n-gram teach nothing
        return Tried(student, Outcome.FEW_LABELS)
    covariance = prior.covariance
    unseen = begun + _left_out(covariance, begun, negative)
    told = compare(negative, offsets, unseen)
    if told.before <= TRUSTED_AUC:
        return Tried(student, Outcome.UNBELIEVED, told)
    if told.convinces:
        fit = logistic(covariance, begun, negative)
        weights = first.weights + prior.weights(bags, fit.pull)
        learned = Learned(weights, first.bias + BIAS_SPREAD * float(fit.pull.sum()))
        return Tried(learned, Outcome.TAUGHT, told, unseen)
    if student is not None and not compare(negative, begun, offsets).convinces:
        return Tried(student, Outcome.STUDENT_ONLY, told)
    return Tried(None, Outcome.NO_GAIN, told)


def _prior(studied: Studied, bags: Bags) -> Prior | None:
    kernel = bags.kernel(studied.scales)
    size = float(np.trace(kernel)) / len(bags)
    if size <= 0.0:
        return None
    covariance = WORD_SPREAD / size * kernel + BIAS_SPREAD
    found = studied.directions
    if not len(found):
        return Prior(covariance, studied, WORD_SPREAD / size, 0.0)
    places = np.stack([bags.times(studied.scales * row) for row in found], axis=1)
    coarse = float((places * places).sum()) / len(bags)
    share = COARSE_SPREAD / coarse if coarse > 0.0 else 0.0
    return Prior(covariance + share * places @ places.T, studied, WORD_SPREAD / size, share)


def _left_out(covariance: Floats, begun: Floats, negative: Flags) -> Floats:
    """What the labels of the other folds add to each text's log-odds."""
    order = np.lexsort((begun, negative))  # folds of like shares and like certainty
    fold = np.empty(len(order), dtype=np.intp)
    fold[order] = np.arange(len(order)) % FOLDS
    added = np.empty(len(order))
    for index in range(FOLDS):
        held, others = np.flatnonzero(fold == index), np.flatnonzero(fold != index)
        fit = logistic(covariance[np.ix_(others, others)], begun[others], negative[others])
        added[held] = covariance[np.ix_(held, others)] @ fit.pull
    return added
