"""What the runs of `make adapt-bench` come to: means over sets, and the worst set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

NAMES: Final = ("accuracy_gain", "auc_gain", "recall_at_100_gain")

Run = dict[str, Any]
Floats = npt.NDArray[np.float64]


def summary_of(runs: Sequence[Run], negatives: float = 0.0) -> dict[str, Any]:
    """`n_labels` by number, `student_only` for none; gains in percent points."""
    chosen = [run for run in runs if run["negatives"] == negatives]
    numbers = sorted({run["n"] for run in chosen})
    told = {number: _figures(gains_by_set(chosen, number)) for number in numbers}
    return {
        "sets": len({run["set"] for run in chosen}),
        "seeds": len({run["seed"] for run in chosen}),
        "n_labels": {str(number): told[number] for number in numbers if number},
        "student_only": told.get(0),
        "rare_negatives": {
            str(share): _rankings(summary_of(runs, share)["n_labels"])
            for share in sorted({run["negatives"] for run in runs} - {0.0})
            if not negatives
        },
    }


def gains_by_set(runs: Sequence[Run], number: int) -> dict[str, Floats]:
    """For each set the mean gain over its seeds: accuracy, AUC, recall at 100."""
    gains: dict[str, list[Floats]] = {}
    for run in runs:
        if run["n"] == number:
            gain = np.subtract(run["after"], run["before"])
            gains.setdefault(run["set"], []).append(gain)
    return {name: np.mean(rows, axis=0) for name, rows in gains.items()}


def table_of(runs: Sequence[Run]) -> str:
    """A markdown table: a line a set, what each number of labels gained, and the means."""
    plain = [run for run in runs if not run["negatives"]]
    numbers = sorted({run["n"] for run in plain})
    gains = {number: gains_by_set(plain, number) for number in numbers}
    before = {run["set"]: run["before"] for run in plain}
    lines = ["| set | before | " + " | ".join(f"{number} labels" for number in numbers) + " |"]
    lines.append("|---|---|" + "---|" * len(numbers))
    for name, figures in before.items():
        cells = [_cell(gains[number].get(name)) for number in numbers]
        start = " / ".join(f"{figure:.1f}" for figure in figures)
        lines.append(f"| {name} | {start} | " + " | ".join(cells) + " |")
    means = [_cell(np.mean(list(gains[number].values()), axis=0)) for number in numbers]
    lines.append("| **mean** | | " + " | ".join(means) + " |")
    return "\n".join(lines)


def _rankings(told: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Without accuracy: the test texts are not thinned, so their line lies elsewhere."""
    return {
        number: {name: value for name, value in figures.items() if name != "accuracy_gain"}
        for number, figures in told.items()
    }


def _figures(gains: dict[str, Floats]) -> dict[str, float]:
    rows = np.array(list(gains.values()))
    means = dict(zip(NAMES, rows.mean(axis=0).round(3).tolist(), strict=True))
    _, worst_auc, worst_recall = rows.min(axis=0).round(3).tolist()
    return {**means, "worst_auc": worst_auc, "worst_recall_at_100": worst_recall}


def _cell(gain: Floats | None) -> str:
    return "–" if gain is None else " / ".join(f"{value:+.1f}" for value in gain)
