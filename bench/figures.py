"""A figure beside its floor, the table and the file of results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

RESULTS = Path("var/bench/results.json")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one program."""

    rate: float
    """Events a second, or the measured time in milliseconds."""
    cpu_s: float = 0.0
    """CPU seconds of the program for 100,000 events; 0 where it was not measured."""
    facts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the results."""

    name: str
    value: float
    unit: str
    floor: float | None
    """The same figure of the floor, in the same run; for a time limit, the bar."""
    ratio: float | None
    """value / floor, the median over the pairs of runs."""
    runs: int
    cpu_s_per_100k: float | None = None
    floor_cpu_s_per_100k: float | None = None
    facts: dict[str, float] = field(default_factory=dict)


def compared(name: str, unit: str, ours: Sequence[Run], floors: Sequence[Run]) -> Figure:
    """Medians, and the median of the ratios pair by pair."""
    pairs = zip(ours, floors, strict=True)
    return Figure(
        name=name,
        value=round(median(run.rate for run in ours), 1),
        unit=unit,
        floor=round(median(run.rate for run in floors), 1),
        ratio=round(median(our.rate / floor.rate for our, floor in pairs), 3),
        runs=len(ours),
        cpu_s_per_100k=round(median(run.cpu_s for run in ours), 2) or None,
        floor_cpu_s_per_100k=round(median(run.cpu_s for run in floors), 2) or None,
        facts={fact: round(median(run.facts[fact] for run in ours), 2) for fact in ours[0].facts}
        | {
            f"floor_{fact}": round(median(run.facts[fact] for run in floors), 2)
            for fact in floors[0].facts
        },
    )


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print the table."""
    table = Table(title="figures, each beside its floor in the same run")
    for column in ("name", "value", "unit", "floor", "ratio", "CPU s / 100k", "floor's", "runs"):
        table.add_column(column, justify="left" if column in {"name", "unit"} else "right")
    for figure in figures:
        cells = (
            figure.name, figure.value, figure.unit, figure.floor, figure.ratio,
            figure.cpu_s_per_100k, figure.floor_cpu_s_per_100k, figure.runs,
        )  # fmt: skip
        table.add_row(*("" if cell is None else str(cell) for cell in cells))
    console.print(table)


def save(figures: Sequence[Figure], path: Path = RESULTS) -> None:
    """Write the results; figures of other benches in the file stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    old = json.loads(path.read_text()) if path.exists() else []
    new = [asdict(figure) for figure in figures]
    names = {figure["name"] for figure in new}
    kept = [figure for figure in old if figure["name"] not in names]
    path.write_text(json.dumps(kept + new, indent=1) + "\n")
