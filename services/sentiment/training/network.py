"""Trains the character convolution with numpy and scipy: no deep-learning framework.

A batch holds far fewer letters than characters, so each letter meets the filters once, as at run
time. Max-pooling makes the gradient sparse: each filter of each text is moved at one place only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.tone.charnet import FIRST_LETTER, UNKNOWN, WINDOW, NetWeights

EMBEDDING: Final = 64
FILTERS: Final = 128
EPOCHS: Final = 6
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
        found, index = _renumbered(letters)
        seen = self.embedding[found]
        strongest, where = self._forward(index, seen, empty=int(found[0] == 0))
        pooled = strongest + self.offsets
        keep = (dice.random(pooled.shape, dtype=np.float32) > DROPPED_FILTERS).astype(np.float32)
        keep /= 1.0 - DROPPED_FILTERS
        answers = np.maximum(pooled, 0.0) * keep
        wrong = _wrong(answers @ self.output, targets, three)
        back = (wrong @ self.output.T) * keep * (pooled > 0)
        self.output -= self._adams["output"].step(answers.T @ wrong, RATE * left)
        self.offsets -= self._adams["offsets"].step(back.sum(axis=0), RATE * left)
        felt, slope = self._backward(index, seen, where, back)
        self.filters -= self._adams["filters"].step(slope, RATE * left)
        felt[found == 0] = 0.0
        self._seen[found] += felt * felt
        rate = np.float32(LETTER_RATE * left)
        self.embedding[found] -= rate * felt / (np.sqrt(self._seen[found]) + 1e-6)

    def _forward(
        self, letters: npt.NDArray[np.intp], seen: Floats, *, empty: int
    ) -> tuple[Floats, npt.NDArray[np.intp]]:
        """The strongest answer of each filter in each text, and the place where it begins."""
        places = letters.shape[1] - WINDOW + 1
        answers: Any = 0.0
        # Each letter that occurs meets each filter once, however often it occurs.
        for place, part in enumerate(self._parts()):
            answers = answers + (seen @ part)[letters[:, place : place + places]]
        if empty:
            answers[letters[:, WINDOW // 2 : WINDOW // 2 + places] == 0] = -1e9
        strongest = answers.max(axis=1)
        return strongest, (answers == strongest[:, None]).argmax(axis=1)

    def _backward(
        self,
        letters: npt.NDArray[np.intp],
        seen: Floats,
        where: npt.NDArray[np.intp],
        back: Floats,
    ) -> tuple[Floats, Floats]:
        """What the letters and the filters are moved by."""
        rows, columns = back.nonzero()
        felt = np.zeros_like(seen)
        slopes = []
        for place, part in enumerate(self._parts()):
            cells = letters[rows, where[rows, columns] + place] * FILTERS + columns
            moved = np.bincount(cells, back[rows, columns], len(seen) * FILTERS)
            moved = moved.reshape(len(seen), FILTERS).astype(np.float32)
            slopes.append(seen.T @ moved)
            felt += moved @ part.T
        return felt, np.concatenate(slopes)

    def _parts(self) -> Floats:
        return self.filters.reshape(WINDOW, EMBEDDING, FILTERS)


def _renumbered(
    letters: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.intp]]:
    """The letters that occur, in order, and each letter's place among them."""
    found, index = np.unique(letters, return_inverse=True)
    return found, index.reshape(letters.shape).astype(np.intp)


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
