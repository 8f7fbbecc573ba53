"""`python -m services.sentiment.training DATA`: train, measure, and write the shipped model.

Order: nine models with a group of sets left out each (what to expect on a new domain), then the one
model that is shipped, trained on four fifths of every set and tested on the last fifth; calibration
from the left-out answers, since a user's stream is a left-out domain.
"""

from __future__ import annotations

import argparse
import csv
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.sentiment.adapters.model_file import SHIPPED_MODEL, load_model, save_weights
from services.sentiment.domain.scorer import ModelWeights
from services.sentiment.ports import SentimentModel
from services.sentiment.training.check import LARGEST_DIFFERENCE, largest_difference
from services.sentiment.training.data import GROUPS, SETS, load_sets, normalised
from services.sentiment.training.practice import make_practice
from services.sentiment.training.recipe import (
    Answers,
    ask,
    calibrate,
    corpora_of,
    corpus_of_rows,
    train_model,
)
from services.sentiment.training.report import keep_answers, report

_STATE: dict[str, Any] = {}  # what forked workers share

PROBE: Final = Path(__file__).parent / "probe.tsv"


def main(argv: list[str]) -> int:
    """Run the recipe; prints the model card's figures as it goes."""
    arguments = _parser().parse_args(argv)
    started = time.perf_counter()
    sets = load_sets(arguments.data)
    corpora = corpora_of(sets)
    rows = [row for row in make_practice() if not _in_probe(row[1])]
    practice = corpus_of_rows(rows)
    _tell(started, f"{sum(len(part.texts) for part in sets.values())} texts, {len(rows)} practice")

    left_out: dict[str, Answers] = {}
    groups = () if arguments.quick else GROUPS
    with ProcessPoolExecutor(arguments.jobs, get_context("fork")) as pool:
        # Forked after this line: the workers see the corpora without copying them.
        _STATE.update(sets=sets, corpora=corpora, practice=practice)
        final = pool.submit(_train_without, ())
        for group, (_, answers) in zip(groups, pool.map(_train_without, groups), strict=True):
            left_out |= answers
            _tell(started, f"left out: {', '.join(group)}")
        model, mixed = final.result()
    _tell(started, "mixed model")

    calibration = calibrate((left_out or mixed).values())
    weights = ModelWeights(model.table, model.net, calibration)
    save_weights(arguments.model, weights)
    keep_answers(arguments.answers, left_out, mixed)
    _say(report(left_out, mixed))
    difference = largest_difference(arguments.model, [text for _, text in rows[:1_000]])
    if difference > LARGEST_DIFFERENCE:
        raise RuntimeError(f"the shipped scorer differs from the library by {difference:.2g}")
    _say(f"Shipped scorer and library differ by at most {difference:.1g} on 1,000 texts.")
    _say(probe_table(load_model(arguments.model), sealed=arguments.open_sealed))
    own, workers = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    spent = own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime
    peak = max(own.ru_maxrss, workers.ru_maxrss) / 1024
    _tell(
        started,
        f"done; processor time {spent:.0f} s, peak memory of one process {peak:.0f} MiB, "
        f"model {arguments.model.stat().st_size} bytes",
    )
    return 0


def _train_without(group: Sequence[str]) -> tuple[ModelWeights, dict[str, Answers]]:
    """A model of all other sets, and what it says about this group's; about all for no group."""
    sets, corpora = _STATE["sets"], _STATE["corpora"]
    model = train_model(
        [*(corpora[name] for name in SETS if name not in group), _STATE["practice"]]
    )
    return model, {name: ask(model, sets[name]) for name in group or SETS}


def probe_table(model: SentimentModel, *, sealed: bool) -> str:
    """The probe's share of right tones by category; the sealed half only when asked for."""
    halves = ("open", "sealed") if sealed else ("open",)
    right: dict[tuple[str, str], list[bool]] = {}
    for text, half, category, label in _probe():
        if half in halves:
            tone = model.score([text])[0].tone
            right.setdefault((category, half), []).append(tone == label)
    lines = [
        "### Probe",
        "",
        "| category | " + " | ".join(halves) + " |",
        "|---|" + "---|" * len(halves),
    ]
    for category in dict.fromkeys(category for category, _ in right):
        cells = [f"{sum(right[category, half])}/{len(right[category, half])}" for half in halves]
        lines.append(f"| {category} | " + " | ".join(cells) + " |")
    shares = [
        np.mean([hit for key, hits in right.items() if key[1] == half for hit in hits])
        for half in halves
    ]
    lines.append("| **all** | " + " | ".join(f"{share:.1%}" for share in shares) + " |")
    return "\n".join(lines)


def _probe() -> list[tuple[str, str, str, str]]:
    with PROBE.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row["text"], row["half"], row["category"], row["label"]) for row in rows]


def _in_probe(text: str) -> bool:
    return normalised([text])[0] in _probe_texts()


@cache
def _probe_texts() -> frozenset[str]:
    return frozenset(normalised([text for text, *_ in _probe()]))


def _tell(started: float, what: str) -> None:
    _say(f"[{time.perf_counter() - started:6.0f} s] {what}")


def _say(what: str) -> None:
    print(what, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.sentiment.training")
    parser.add_argument("data", type=Path, help="the folder of NAME.tsv.gz files")
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL)
    parser.add_argument("--answers", type=Path, default=Path("var/train/answers.npz"))
    parser.add_argument("--jobs", type=int, default=2, help="models trained at the same time")
    parser.add_argument("--quick", action="store_true", help="skip the left-out domains")
    parser.add_argument("--open-sealed", action="store_true", help="score the probe's sealed half")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
