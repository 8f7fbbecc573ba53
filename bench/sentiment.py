"""`make bench-sentiment`: how fast the shipped model judges, beside snownlp in the same run.

One core, raw text to whole verdict (tone, severity, kind, aspect, spans), without and with an
account's table on top; and how long such a table takes to be made and loaded. Each figure is the
best of several rounds, since other work on the machine can only slow a round down. The comments are
made from the recipe's templates, so no data is needed, with the mean length of real comments (35).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from services.sentiment.adapters.model_file import (  # noqa: E402 - after the thread limits
    SHIPPED_MODEL,
    load_model,
)
from services.sentiment.adapters.table_file import load_table, save_table  # noqa: E402 - the same
from services.sentiment.domain.adapting.learn import learn  # noqa: E402 - the same
from services.sentiment.domain.verdict import TONES  # noqa: E402 - the same
from services.sentiment.training.practice import make_practice  # noqa: E402 - the same

COMMENTS: Final = 20_000
MEAN_LENGTH: Final = 35  # characters
SINGLE: Final = 3_000
SNOWNLP: Final = 300
ROUNDS: Final = 5
STREAM: Final = 4_000  # texts and labels that an account's table is made from
LABELS: Final = 500
FLOORS: Final = {
    "batch_per_s": 20_000, "adapted_per_s": 20_000, "single_per_s": 3_000, "ratio": 100,
}  # fmt: skip
LONGEST_ADAPT_S: Final = 30  # processor time
LONGEST_TABLE_MS: Final = 5
MOST_BYTES: Final = 2 * 1024 * 1024
LONGEST_LOAD_MS: Final = 300

_LOAD: Final = """
import time
import numpy
started = time.perf_counter()
from services.sentiment.adapters.model_file import shipped_model
shipped_model().score(["好"])
print((time.perf_counter() - started) * 1000)
"""


def make_comments() -> list[str]:
    """Comments of about MEAN_LENGTH characters, always the same."""
    dice = random.Random(1)
    rows = [text for _, text in make_practice()]
    comments = []
    for _ in range(COMMENTS):
        wanted = dice.randint(5, 2 * MEAN_LENGTH - 5)
        text = dice.choice(rows)
        while len(text) < wanted:
            text += "，" + dice.choice(rows)
        comments.append(text[:wanted])
    return comments


def measure() -> dict[str, float]:
    """The figures of var/bench/sentiment.json."""
    from snownlp import SnowNLP

    comments = make_comments()
    model = load_model(SHIPPED_MODEL)
    model.score(comments[:100])
    SnowNLP(comments[0]).sentiments  # noqa: B018 - loads its model
    batch = _rate(len(comments), lambda: model.score(comments))
    labelled = [(tone, text) for tone, text in make_practice() if tone in TONES][:: 4_575 // LABELS]
    started = time.process_time()
    table, _ = learn(model, comments[:STREAM], labelled[:LABELS])
    adapt_s = time.process_time() - started
    adapted = model.adapted(table)
    batch_adapted = _rate(len(comments), lambda: adapted.score(comments))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        save_table(path, table, {})
        table_load = 1 / _rate(1, lambda: load_table(path), rounds=4 * ROUNDS)
    single = _rate(SINGLE, lambda: [model.score([text]) for text in comments[:SINGLE]])
    snow = _rate(
        SNOWNLP, lambda: [SnowNLP(text).sentiments for text in comments[:SNOWNLP]], rounds=2
    )
    loads = [
        float(subprocess.check_output([sys.executable, "-c", _LOAD], text=True))
        for _ in range(ROUNDS)
    ]
    return {
        "batch_per_s": round(batch),
        "adapted_per_s": round(batch_adapted),
        "adapt_s": round(adapt_s, 1),
        "table_load_ms": round(1_000 * table_load, 2),
        "single_per_s": round(single),
        "snownlp_per_s": round(snow, 1),
        "ratio": round(batch / snow, 1),
        "model_bytes": SHIPPED_MODEL.stat().st_size,
        "load_ms": round(min(loads), 1),
    }


def misses(figures: dict[str, float]) -> list[str]:
    """The floors that the figures do not reach."""
    low = [name for name, floor in FLOORS.items() if figures[name] < floor]
    if figures["model_bytes"] > MOST_BYTES:
        low.append("model_bytes")
    if figures["load_ms"] > LONGEST_LOAD_MS:
        low.append("load_ms")
    if figures["adapt_s"] > LONGEST_ADAPT_S:
        low.append("adapt_s")
    if figures["table_load_ms"] > LONGEST_TABLE_MS:
        low.append("table_load_ms")
    return low


def main() -> int:
    """Measure, print, store; 1 with `--check` if a floor is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=Path("var/bench/sentiment.json"))
    parser.add_argument("--check", action="store_true", help="fail below the floors")
    arguments = parser.parse_args()
    figures = measure()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))
    low = misses(figures)
    if low:
        print("below the floor:", ", ".join(low))
    return 1 if low and arguments.check else 0


def _rate(count: int, work: Callable[[], object], rounds: int = ROUNDS) -> float:
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return count / best


if __name__ == "__main__":
    sys.exit(main())
