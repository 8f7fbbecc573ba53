"""Trains the character convolution with numpy and scipy: no deep-learning framework.

Max-pooling makes the gradient sparse: each filter of each text is moved at one place only. So the
backward pass is a product with a sparse matrix, and an epoch over 200,000 texts takes a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from services.sentiment.domain.charnet import FIRST_LETTER, UNKNOWN, WINDOW, NetWeights

EMBEDDING: Final = 64
FILTERS: Final = 128
EPOCHS: Final = 2
BATCH: Final = 64
CHUNK: Final = 50  # batches of like length are cut from so many batches' texts
LONGEST: Final = 120  # characters of a text that are trained on
RAREST: Final = 8  # a letter seen less often is unknown
RATE: Final = 1e-3  # Adam, filters and output
LETTER_RATE: Final = 0.02  # AdaGrad, embedding
DROPPED_FILTERS: Final = 0.5
DROPPED_LETTERS: Final = 0.1
LAST_RATE: Final = 0.05  # of the first, reached linearly

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts with their label index; `three` tells rows whose set knows neutral texts."""

    texts: list[str]
    labels: npt.NDArray[np.int8]
    three: npt.NDArray[np.bool_]


def train_network(examples: Examples, seed: int, *, epochs: int = EPOCHS) -> NetWeights:
    """Fit the network; the same examples and seed give the same weights.

    A text of a set without neutral texts is only asked «negative or positive?».
    """
    alphabet = _alphabet_of(examples.texts)
    letters = _letters_of(examples.texts, alphabet)
    lengths = np.array([len(row) for row in letters])
    dice = np.random.default_rng(seed)
    net = _Net(len(alphabet) + FIRST_LETTER, dice)
    targets = np.eye(3, dtype=np.float32)[examples.labels]
    count = len(letters)
    steps, step = epochs * -(-count // BATCH), 0
    for _ in range(epochs):
        order = dice.permutation(count)
        for first in range(0, count, BATCH * CHUNK):
            part = order[first : first + BATCH * CHUNK]
            part = part[np.argsort(lengths[part], kind="stable")]
            batches = [part[at : at + BATCH] for at in range(0, len(part), BATCH)]
            for index in dice.permutation(len(batches)):
                rows = batches[index]
                left = 1.0 - (1.0 - LAST_RATE) * step / steps
                net.learn(_padded(letters, rows), targets[rows], examples.three[rows], left)
                step += 1
    return NetWeights(alphabet, net.embedding, net.filters, net.offsets, net.output)


class _Net:
    def __init__(self, letters: int, dice: np.random.Generator) -> None:
        self.dice = dice
        self.embedding: Floats = dice.normal(0, 0.3, (letters, EMBEDDING)).astype(np.float32)
        self.embedding[0] = 0.0
        spread = np.sqrt(2.0 / (WINDOW * EMBEDDING))
        self.filters: Floats = dice.normal(0, spread, (WINDOW * EMBEDDING, FILTERS)).astype(
            np.float32
        )
        self.offsets: Floats = np.zeros(FILTERS, np.float32)
        self.output: Floats = np.zeros((FILTERS, 3), np.float32)
        self._seen: Floats = np.zeros_like(self.embedding)
        self._adams = {name: _Adam() for name in ("filters", "offsets", "output")}

    def learn(
        self,
        letters: npt.NDArray[np.int32],
        targets: Floats,
        three: npt.NDArray[np.bool_],
        left: float,
    ) -> None:
        dice = self.dice
        hidden = (dice.random(letters.shape, dtype=np.float32) < DROPPED_LETTERS) & (letters > 0)
        letters = np.where(hidden, UNKNOWN, letters)
        windows, where, pooled = self._forward(letters)
        keep = (dice.random(pooled.shape, dtype=np.float32) > DROPPED_FILTERS).astype(np.float32)
        keep /= 1.0 - DROPPED_FILTERS
        answers = np.maximum(pooled, 0.0) * keep
        wrong = _wrong(answers @ self.output, targets, three)
        back = (wrong @ self.output.T) * keep * (pooled > 0)
        self.output -= self._adams["output"].step(answers.T @ wrong, RATE * left)
        self.offsets -= self._adams["offsets"].step(back.sum(axis=0), RATE * left)
        texts, width = letters.shape
        places = width - WINDOW + 1
        rows = (np.arange(texts)[:, None] * places + where).ravel()
        columns = np.tile(np.arange(FILTERS), texts)
        moved = sparse.csr_matrix(
            (back.ravel(), (rows, columns)), shape=(texts * places, FILTERS), dtype=np.float32
        )
        felt = (moved @ self.filters.T).reshape(texts, places, WINDOW, EMBEDDING)
        self.filters -= self._adams["filters"].step((moved.T @ windows).T, RATE * left)
        self._move_letters(letters, felt, LETTER_RATE * left)

    def _forward(self, letters: npt.NDArray[np.int32]) -> tuple[Floats, Any, Floats]:
        texts, width = letters.shape
        places = width - WINDOW + 1
        seen = self.embedding[letters]
        windows = np.concatenate(
            [seen[:, place : place + places] for place in range(WINDOW)], axis=2
        ).reshape(texts * places, WINDOW * EMBEDDING)
        answers = (windows @ self.filters).reshape(texts, places, FILTERS)
        answers[letters[:, WINDOW // 2 : WINDOW // 2 + places] == 0] = -1e9
        where = answers.argmax(axis=1)
        pooled = np.take_along_axis(answers, where[:, None], axis=1)[:, 0] + self.offsets
        return windows, where, pooled

    def _move_letters(self, letters: npt.NDArray[np.int32], felt: Floats, rate: float) -> None:
        texts, places = felt.shape[:2]
        spread = np.zeros((*letters.shape, EMBEDDING), np.float32)
        for place in range(WINDOW):
            spread[:, place : place + places] += felt[:, :, place]
        found, index = np.unique(letters.ravel(), return_inverse=True)
        total = sparse.csr_matrix(
            (np.ones(index.size, np.float32), (index.ravel(), np.arange(index.size))),
            shape=(len(found), index.size),
        ) @ spread.reshape(texts * letters.shape[1], EMBEDDING)
        total[found == 0] = 0.0
        self._seen[found] += total * total
        self.embedding[found] -= np.float32(rate) * total / (np.sqrt(self._seen[found]) + 1e-6)


class _Adam:
    def __init__(self) -> None:
        self._mean: Any = 0.0
        self._square: Any = 0.0
        self._steps = 0

    def step(self, gradient: Floats, rate: float) -> Floats:
        self._steps += 1
        self._mean = 0.9 * self._mean + np.float32(0.1) * gradient
        self._square = 0.999 * self._square + np.float32(0.001) * gradient * gradient
        scale = rate * np.sqrt(1.0 - 0.999**self._steps) / (1.0 - 0.9**self._steps)
        moved: Floats = np.float32(scale) * self._mean / (np.sqrt(self._square) + 1e-8)
        return moved.astype(np.float32)


def _wrong(scores: Floats, targets: Floats, three: npt.NDArray[np.bool_]) -> Floats:
    """Softmax minus target; without «neutral» where the set does not know it."""
    scores = scores.copy()
    scores[~three, 1] = -1e9
    scores -= scores.max(axis=1, keepdims=True)
    likely = np.exp(scores)
    likely /= likely.sum(axis=1, keepdims=True)
    return ((likely - targets) / len(scores)).astype(np.float32)


def _alphabet_of(texts: list[str]) -> npt.NDArray[np.uint32]:
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    found, counts = np.unique(codes, return_counts=True)
    return found[counts >= RAREST]


def _letters_of(texts: list[str], alphabet: npt.NDArray[np.uint32]) -> list[npt.NDArray[np.int32]]:
    table = np.full(0x110000, UNKNOWN, dtype=np.int32)
    table[alphabet] = np.arange(len(alphabet)) + FIRST_LETTER
    return [
        table[np.frombuffer(text[:LONGEST].encode("utf-32-le"), dtype=np.uint32)] for text in texts
    ]


def _padded(
    letters: list[npt.NDArray[np.int32]], rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.int32]:
    """The texts as a rectangle, with at least one empty place at each end."""
    width = max(len(letters[row]) for row in rows) + 2
    out = np.zeros((len(rows), max(width, WINDOW)), dtype=np.int32)
    for place, row in enumerate(rows):
        out[place, 1 : 1 + len(letters[row])] = letters[row]
    return out
