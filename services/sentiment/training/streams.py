"""The streams on which adapting is measured: each set as if it were a brand that nobody knew.

A given set is judged by the model that never saw its group; a set of the folder `more` by the
shipped model, which saw none of them, and where it is a near-copy of a group by the model without
that group. What the model says is kept, since everything that is tried stands on top of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.sentiment.adapters.model_file import SHIPPED_MODEL, load_weights
from services.sentiment.domain.adapting.bags import Bags, bags_of
from services.sentiment.domain.judge import SILENT
from services.sentiment.domain.scorer import CHUNK, CommentScorer, ModelWeights
from services.sentiment.domain.tone.charnet import CharNet
from services.sentiment.domain.tone.negation import blank_double_negation
from services.sentiment.domain.tone.ngrams import Grams
from services.sentiment.domain.tone.text import normalise_batch
from services.sentiment.training.data import (
    GROUPS,
    SETS,
    TextSet,
    clean,
    group_of,
    load_sets,
    normalised,
    read_rows,
)
from services.sentiment.training.left_out import model_path

MORE: Final = "more"  # the folder of fresh sets, inside DATA
WINDOW: Final = 14  # characters in common make a near-copy
POOL: Final = 10_000  # training texts kept of a set; a stream is drawn from them
NEAR_COPIES: Final = {"cluemotion": "nlpcc13", "ocemotion": "nlpcc13"}
FEWEST: Final = 80  # test texts of either kind, below which a set measures nothing


@dataclass(frozen=True, slots=True)
class Side:
    """Texts with their label index and what the frozen model says about them."""

    raws: list[str]
    labels: npt.NDArray[np.int8]
    logs: npt.NDArray[np.float64]
    silent: npt.NDArray[np.bool_]
    answers: npt.NDArray[np.float16]
    bags: Bags


@dataclass(frozen=True, slots=True)
class Stream:
    """A set as a stream: the pool that texts and labels are drawn from, and all test texts."""

    name: str
    group: tuple[str, ...]
    pool: Side
    test: Side


def names_in(data: Path) -> list[str]:
    """All sets that may be measured, the given ones first."""
    fresh = sorted(path.name.removesuffix(".tsv.gz") for path in (data / MORE).glob("*.tsv.gz"))
    return [*SETS, *fresh]


def load_stream(data: Path, cache: Path, name: str) -> Stream | None:
    """The stream of this set; None if its model is not trained or its test side is too small."""
    kept = cache / "streams" / f"{name}.npz"
    if not kept.exists():
        group = group_of(name) if name in SETS else ()
        if name in NEAR_COPIES:
            group = group_of(NEAR_COPIES[name])
        path = model_path(cache / "models", group) if group else SHIPPED_MODEL
        if not path.exists():
            return None
        _make(_read(data, name), load_weights(path), kept)
    group = next((one for one in GROUPS if name in one), (name,))
    with np.load(kept, allow_pickle=False) as file:
        pool, test = (_side(file, side) for side in ("pool", "test"))
    negatives = int((test.labels == 0).sum())
    if min(negatives, len(test.labels) - negatives) < FEWEST:
        return None
    return Stream(name, group, pool, test)


def _side(file: Any, side: str) -> Side:
    labels = file[f"{side}/labels"]
    raws = str(file[f"{side}/raws"]).split("\n") if len(labels) else []
    logs, silent, answers = (file[f"{side}/{field}"] for field in ("logs", "silent", "answers"))
    return Side(raws, labels, logs, silent, answers, bags_of(raws))


def _read(data: Path, name: str) -> TextSet:
    if name in SETS:
        folder = data / "data" if (data / "data").is_dir() else data
        return load_sets(folder, [name])[name]
    return clean(name, read_rows(data / MORE / f"{name}.tsv.gz"), normalised)


def _make(part: TextSet, weights: ModelWeights, kept: Path) -> None:
    test = np.flatnonzero(part.test)
    windows = {window for row in test for window in _windows(part.texts[row])}
    pool = [
        row for row in np.flatnonzero(~part.test) if windows.isdisjoint(_windows(part.texts[row]))
    ]
    dice = np.random.default_rng(1)
    pool = sorted(dice.permutation(pool)[:POOL].tolist())
    kept.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for side, rows in (("pool", pool), ("test", test.tolist())):
        raws = [part.raws[row] for row in rows]
        scorer, net = CommentScorer(weights), CharNet(weights.net)
        logs = scorer.decision(raws)
        arrays[f"{side}/raws"] = np.array("\n".join(raws))
        arrays[f"{side}/labels"] = part.labels[rows]
        arrays[f"{side}/logs"] = logs - np.logaddexp.reduce(logs, axis=1, keepdims=True)
        arrays[f"{side}/silent"] = np.array(
            [verdict.probabilities == SILENT for verdict in scorer.score(raws)]
        )
        arrays[f"{side}/answers"] = filter_answers(net, raws)
    np.savez(kept, **arrays)


def filter_answers(net: CharNet, raws: list[str]) -> npt.NDArray[np.float16]:
    """What each filter of the network answers to each text itself, without its echo."""
    parts = []
    for first in range(0, len(raws), CHUNK):
        grams = Grams(blank_double_negation(normalise_batch(raws[first : first + CHUNK])), 2, 1)
        parts.append(net.answers(grams.codes, grams.starts))
    return np.concatenate(parts).astype(np.float16)


def _windows(text: str) -> set[str]:
    return {text[at : at + WINDOW] for at in range(len(text) - WINDOW + 1)}
