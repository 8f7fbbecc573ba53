"""Trains one model from chosen sets, and asks it about others: what every protocol is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from services.sentiment.adapters.model_file import quantised
from services.sentiment.domain.judge import SILENT
from services.sentiment.domain.scorer import ECHO, CommentScorer, ModelWeights, TableWeights
from services.sentiment.domain.tone.negation import blank_double_negation
from services.sentiment.domain.tone.text import REPOST, echo_of
from services.sentiment.training.data import LABELS, TextSet, group_of, normalised
from services.sentiment.training.features import matrix_of
from services.sentiment.training.leaning import factors_of, scaled
from services.sentiment.training.linear import train_table
from services.sentiment.training.network import Examples, train_network

BUCKETS: Final = 2**19
NET_SHARE: Final = 0.6  # of the network's scores beside the table's
NEUTRAL_WEIGHT: Final = 4.0  # in calibration, of a set that knows neutral texts
SEED: Final = 5
UNCALIBRATED: Final = np.array([1.0, 0.0, -1.0, 0.0])

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The texts to learn from, as features and as characters; made-up rows have no domain."""

    features: sparse.csr_matrix
    examples: Examples
    domain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says about a set's test texts: log-probabilities, and where a rule spoke."""

    truth: npt.NDArray[np.int8]
    logs: Floats
    silent: npt.NDArray[np.bool_]

    def likely(self) -> Floats:
        """The class probabilities after the rules."""
        likely = np.exp(self.logs)
        likely[self.silent] = SILENT
        return likely

    def score(self, calibration: Floats) -> Floats:
        """The log-odds of «negative» after calibration and rules."""
        odds: Floats = self.logs @ calibration[:3] + calibration[3]
        odds[self.silent] = np.minimum(odds[self.silent], np.log(SILENT[0] / (1 - SILENT[0])))
        return odds


def make_corpus(texts: list[str], labels: npt.NDArray[np.int8], *, three: bool) -> Corpus:
    """Normalised texts as a corpus; `three` if their source knows neutral texts."""
    seen = _blanked(texts)
    return Corpus(
        matrix_of(seen, BUCKETS), Examples(seen, labels, np.full(len(texts), fill_value=three))
    )


def corpora_of(sets: Mapping[str, TextSet]) -> dict[str, Corpus]:
    """The training side of each set, a repost with its echo as the scorer weighs it."""
    corpora = {}
    for name, part in sets.items():
        rows = np.flatnonzero(~part.test)
        corpus = make_corpus(
            [part.texts[row] for row in rows], part.labels[rows], three=part.has_neutral
        )
        features = corpus.features + np.float32(ECHO) * _echoes([part.raws[row] for row in rows])
        corpora[name] = replace(corpus, features=features.tocsr(), domain=group_of(name))
    return corpora


def corpus_of_rows(rows: Sequence[tuple[str, str]]) -> Corpus:
    """Labelled rows (raw texts, three classes) as a corpus."""
    labels = np.array([LABELS.index(label) for label, _ in rows], dtype=np.int8)
    return make_corpus(normalised([text for _, text in rows]), labels, three=True)


def train_model(corpora: Iterable[Corpus], seed: int = SEED) -> ModelWeights:
    """Table and network from these corpora, quantised as they will be stored, not calibrated."""
    parts = list(corpora)
    together = Examples(
        [text for part in parts for text in part.examples.texts],
        np.concatenate([part.examples.labels for part in parts]),
        np.concatenate([part.examples.three for part in parts]),
    )
    domains: dict[tuple[str, ...], list[tuple[sparse.csr_matrix, npt.NDArray[np.int8]]]] = {}
    for part in parts:
        if part.domain:
            domains.setdefault(part.domain, []).append((part.features, part.examples.labels))
    factors = factors_of(domains)
    features = sparse.vstack([scaled(part.features, factors) for part in parts], format="csr")
    weights, bias = train_table(features, together.labels, together.three, seed)
    weights *= factors[:, None]
    net = train_network(together, seed)
    stored, step = quantised(weights)
    table = np.zeros((BUCKETS + 1, 4), dtype=np.int8)
    table[:-1, :3] = stored
    return ModelWeights(
        TableWeights(table, step, bias.astype(np.float64)),
        replace(
            net,
            embedding=_rounded(net.embedding),
            filters=_rounded(net.filters),
            output=(net.output * np.float32(NET_SHARE)).astype(np.float32),
        ),
        UNCALIBRATED,
    )


def ask(weights: ModelWeights, part: TextSet) -> Answers:
    """The whole scorer's answers on a set's test texts."""
    scorer = CommentScorer(weights)
    texts = [text for text, test in zip(part.raws, part.test, strict=True) if test]
    scores = scorer.decision(texts)
    logs = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    silent = np.array([verdict.probabilities == SILENT for verdict in scorer.score(texts)])
    return Answers(part.labels[part.test], logs, silent)


def calibrate(answers: Iterable[Answers]) -> Floats:
    """Three factors and a constant for the log-odds of «negative», sets of one kind alike.

    A set with neutral texts weighs NEUTRAL_WEIGHT times as much as one without: only there is the
    question «negative or not?» asked as a stream asks it.
    """
    from sklearn.linear_model import LogisticRegression

    parts = list(answers)
    logs = np.concatenate([part.logs for part in parts])
    truth = np.concatenate([part.truth == 0 for part in parts])
    weight = np.concatenate(
        [
            np.full(len(part.truth), (NEUTRAL_WEIGHT if 1 in part.truth else 1.0) / len(part.truth))
            for part in parts
        ]
    )
    fitted = LogisticRegression(C=1e3, max_iter=1_000).fit(
        logs, truth, sample_weight=weight * len(truth) / weight.sum()
    )
    return np.append(fitted.coef_[0], fitted.intercept_)


def _echoes(raws: list[str]) -> sparse.csr_matrix:
    """The features of what each text was added to; an empty row outside a repost chain."""
    echoes = [echo_of(raw) if REPOST in raw else None for raw in raws]
    return matrix_of(_blanked(normalised([echo or "" for echo in echoes])), BUCKETS)


def _blanked(texts: list[str]) -> list[str]:
    return blank_double_negation("\n".join(texts)).split("\n")


def _rounded(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    stored, step = quantised(values)
    return (stored * step).astype(np.float32)
