"""`python -m services.sentiment.training.adapt_month DATA SET…`: a month of one brand, simulated.

A hundred comments a day, ten labels a day (five from the top of the day's queue, five at random),
and talk that drifts: what is said on the first day and on the last differ along the direction in
which this set's texts differ most. Every third day the table is learned anew from what came so far,
and both models judge test texts drawn as the next day talks.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.adapters.model_file import SHIPPED_MODEL, load_weights
from services.sentiment.domain.adapting.adapt import adapt, rarity
from services.sentiment.domain.adapting.bags import Bags
from services.sentiment.domain.adapting.solve import directions
from services.sentiment.training.adapt_bench import CACHE, Judge, pick_labels
from services.sentiment.training.streams import Stream, load_stream

DAYS: Final = 30
A_DAY: Final = 100  # comments
LABELS_A_DAY: Final = 10
EVERY: Final = 3  # days between two tables
JUDGED: Final = 4_000  # test texts drawn for a day
DRIFT: Final = 1.5  # how strongly the first and the last day lean to either end

Floats = npt.NDArray[np.float64]


def main(argv: Sequence[str]) -> int:
    """Print the curve of each set: day, labels, R@100 without and with adapting, AUC likewise."""
    for name in argv[1:]:
        stream = load_stream(Path(argv[0]), CACHE, name)
        if stream is None:
            print(f"{name}: not measured (no model without its group, or too few test texts)")
            continue
        for line in month_of(stream, seed=1):
            print(name, *line, flush=True)
    return 0


def month_of(stream: Stream, seed: int) -> list[tuple[float, ...]]:
    """(day, labels, R@100 before, after, AUC before, after) for every third day."""
    dice = np.random.default_rng(seed)
    judge = Judge(stream, load_weights(SHIPPED_MODEL).calibration)
    pool, test = stream.pool, stream.test
    whole = np.arange(len(pool.labels))
    scales = rarity(pool.bags)
    first = directions(pool.bags.take(dice.permutation(whole)[:2_000]), scales)[1]
    place, other = _standing(pool.bags, scales * first), _standing(test.bags, scales * first)
    left, told = np.ones(len(whole), dtype=bool), np.zeros(0, dtype=np.intp)
    said = np.zeros(0, dtype=np.intp)
    lines = []
    for day in range(DAYS):
        lean = DRIFT * (2.0 * day / (DAYS - 1) - 1.0)
        free = np.flatnonzero(left)
        today = dice.choice(
            free, min(A_DAY, len(free)), replace=False, p=_chances(place[free], lean)
        )
        left[today] = False
        said = np.concatenate([said, today])
        odds = judge.texts(pool, today).odds
        told = np.concatenate([told, today[pick_labels(odds, LABELS_A_DAY, dice)]])
        if (day + 1) % EVERY:
            continue
        table, _ = adapt(
            judge.texts(pool, said), judge.texts(pool, told), pool.labels[told].astype(int), "month"
        )
        rows = dice.choice(len(test.labels), JUDGED, p=_chances(other, lean))
        before, after = judge.figures(None, rows), judge.figures(table, rows)
        figures = np.round([before[2], after[2], before[1], after[1]], 1).tolist()
        lines.append((day + 1, len(told), *figures))
    return lines


def _standing(bags: Bags, weights: Floats) -> Floats:
    place = bags.times(weights)
    standing: Floats = (place - place.mean()) / (place.std() or 1.0)
    return np.clip(standing, -2.0, 2.0, out=standing)


def _chances(place: Floats, lean: float) -> Floats:
    weight: Floats = np.exp(lean * place)
    weight /= weight.sum()
    return weight


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
