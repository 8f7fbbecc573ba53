"""`python -m services.sentiment.training.report ANSWERS`: the card's tables from stored answers.

The recipe stores what each model said about each test text; everything printed here follows from
that, so a table can be made again, or a new one, without training again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.tone import metrics
from services.sentiment.domain.tone.threshold import MINIMUM_SCORES, choose_threshold
from services.sentiment.training.data import GROUPS, SETS
from services.sentiment.training.figures import Judged, neutral_table, table_of
from services.sentiment.training.recipe import Answers, calibrate

BUDGET: Final = 100  # false alerts per 10,000
BINS: Final = 10  # of the calibration error

_FIELDS: Final = ("truth", "logs", "silent")

Floats = npt.NDArray[np.float64]


def report(left_out: Mapping[str, Answers], mixed: Mapping[str, Answers]) -> str:
    """All tables, as markdown; without left-out answers only the mixed model's."""
    calibration = calibrate((left_out or mixed).values())
    parts = []
    if left_out:
        judged = judged_left_out(left_out)
        parts += [
            table_of("Left-out domains", judged),
            one_score_line(judged),
            neutral_table(judged),
            threshold_table(judged),
        ]
    parts.append(
        table_of("Mixed model", {name: _judged(mixed[name], calibration) for name in SETS})
    )
    return "\n\n".join(parts)


def judged_left_out(answers: Mapping[str, Answers]) -> dict[str, Judged]:
    """Each left-out set, calibrated on the other groups only."""
    judged: dict[str, Judged] = {}
    for group in GROUPS:
        calibration = calibrate(said for name, said in answers.items() if name not in group)
        judged |= {name: _judged(answers[name], calibration) for name in group}
    return {name: judged[name] for name in SETS}


def one_score_line(sets: Mapping[str, Judged]) -> str:
    """The means if every set is ranked by the shipped `negative`, two-class sets too."""
    rows = [
        (
            metrics.auc(judged.truth == 0, judged.score),
            metrics.recall_at(judged.truth == 0, judged.score),
        )
        for judged in sets.values()
    ]
    area, recall = 100 * np.mean(np.array(rows, dtype=np.float64), axis=0)
    return (
        "Ranked by the shipped `negative` alone, on two-class sets too: "
        f"AUC {area:.1f}, recall at 100 {recall:.1f}."
    )


def threshold_table(sets: Mapping[str, Judged]) -> str:
    """What the threshold helper promises from unlabelled scores, and what comes true."""
    lines = [f"### Threshold helper, budget {BUDGET} false alerts per 10,000", ""]
    lines += ["| set | realised | recall | realised, cautious | recall | calibration error |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, judged in sets.items():
        negative = judged.truth == 0
        likely = 1.0 / (1.0 + np.exp(-judged.score))
        if len(likely) < MINIMUM_SCORES:
            continue
        cells = []
        for cautious in (False, True):
            above = likely > choose_threshold(likely.tolist(), BUDGET, cautious=cautious).value
            realised, recall = 1e4 * above[~negative].mean(), 100 * above[negative].mean()
            cells += [f"{realised:.0f}", f"{recall:.0f} %"]
        cells.append(f"{100 * calibration_error(negative, likely):.0f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def calibration_error(negative: npt.NDArray[np.bool_], likely: Floats) -> float:
    """The mean distance of said and true share, over bins of the said probability."""
    place = np.minimum((likely * BINS).astype(int), BINS - 1)
    error = 0.0
    for index in range(BINS):
        here = place == index
        if here.any():
            error += here.mean() * abs(likely[here].mean() - negative[here].mean())
    return float(error)


def keep_answers(path: Path, left_out: Mapping[str, Answers], mixed: Mapping[str, Answers]) -> None:
    """Store what the models said."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{protocol}/{name}/{field}": getattr(said, field)
        for protocol, answers in (("left_out", left_out), ("mixed", mixed))
        for name, said in answers.items()
        for field in _FIELDS
    }
    np.savez_compressed(path, **arrays)


def read_answers(path: Path) -> tuple[dict[str, Answers], dict[str, Answers]]:
    """The left-out and the mixed answers, as they were stored."""
    with np.load(path, allow_pickle=False) as file:
        return tuple(_of_protocol(file, protocol) for protocol in ("left_out", "mixed"))  # type: ignore[return-value] # two of them


def _of_protocol(file: Any, protocol: str) -> dict[str, Answers]:
    return {
        name: Answers(*(file[f"{protocol}/{name}/{field}"] for field in _FIELDS))
        for name in SETS
        if f"{protocol}/{name}/truth" in file
    }


def _judged(said: Answers, calibration: Floats) -> Judged:
    return Judged(said.truth, said.likely(), said.score(calibration))


if __name__ == "__main__":
    print(report(*read_answers(Path(sys.argv[1]))))
