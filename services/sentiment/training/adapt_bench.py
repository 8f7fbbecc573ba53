"""`make adapt-bench DATA=folder`: what adapting gains on streams that the model does not know.

Each set is a brand: the model never saw it. From its training side 2,000 texts are drawn as the
stream, and of them the labels: half from the top of the queue, half at random. All test texts are
judged before and after. The sets have no dates, so the draw is by chance, with five seeds. Every
run is kept in a file as it ends; what is kept is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.sentiment.adapters.model_file import SHIPPED_MODEL, load_weights, shipped_model
from services.sentiment.domain.adapting.adapt import Texts, adapt, study
from services.sentiment.domain.adapting.learn import learn
from services.sentiment.domain.adapting.table import LARGEST_SHIFT, AccountTable
from services.sentiment.domain.judge import SILENT
from services.sentiment.domain.tone import metrics
from services.sentiment.training.adapt_summary import summary_of, table_of
from services.sentiment.training.left_out import train_left_out
from services.sentiment.training.practice import make_practice
from services.sentiment.training.streams import Side, Stream, load_stream, names_in

CACHE: Final = Path("var/adapt")
STREAM: Final = 2_000  # texts
LABELS: Final = (0, 50, 200, 500)
SEEDS: Final = 5
ROUNDS: Final = 5
SILENT_ODDS: Final = float(np.log(SILENT[0] / (1.0 - SILENT[0])))

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


def main(argv: Sequence[str]) -> int:
    """Run what is not kept yet, then write the summary."""
    arguments = _parser().parse_args(argv)
    data, cache = arguments.data, arguments.cache
    folder = data / "data" if (data / "data").is_dir() else data
    if not arguments.kept_only:
        train_left_out(folder, cache / "models")
    runs = cache / "runs.jsonl"
    kept = read_runs(runs)
    for share in arguments.negatives:
        for seed in range(arguments.seeds):
            for name in arguments.only or names_in(data):
                if (name, seed, share) in {(r["set"], r["seed"], r["negatives"]) for r in kept}:
                    continue
                stream = load_stream(data, cache, name)
                if stream is not None:
                    kept += _keep(runs, _runs(stream, seed, share, arguments.labels))
    summary = {**summary_of(kept), "comments_per_s": adapted_rate()}
    (cache / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(table_of(kept))
    return 0


@dataclass(frozen=True, slots=True)
class Judge:
    """One stream, drawn: what is known of it, and how a table does on the test texts."""

    stream: Stream
    calibration: Floats

    def texts(self, side: Side, rows: Rows) -> Texts:
        """What the frozen model says about these texts, as the service would see it."""
        logs = side.logs[rows].copy()
        odds = logs @ self.calibration[:3] + self.calibration[3]
        silent = side.silent[rows]
        logs[silent] = np.log(SILENT)
        odds[silent] = np.minimum(odds[silent], SILENT_ODDS)
        return Texts(side.bags.take(rows), logs, odds)

    def figures(self, table: AccountTable | None, rows: Rows | None = None) -> Floats:
        """Accuracy, AUC and recall at 100 on test texts, or on these of them, in percent."""
        side = self.stream.test
        rows = np.arange(len(side.labels)) if rows is None else rows
        texts, truth, silent = self.texts(side, rows), side.labels[rows], side.silent[rows]
        scores, odds = texts.logs.copy(), texts.odds.copy()
        if table is not None:
            weights = table.weights.astype(np.float64) * table.step
            shifts = np.clip(texts.bags.times(weights) + table.bias, -LARGEST_SHIFT, LARGEST_SHIFT)
            scores += np.asarray(table.decision)
            scores[:, 0] += shifts
            scores[silent] = np.log(SILENT)
            odds += np.where(silent, 0.0, shifts)
        likely = np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
        neutral = bool((truth == 1).any())
        said = metrics.decide(likely, neutral=neutral)
        ranked = metrics.ranking(likely, odds, neutral=neutral)
        negative = truth == 0
        return 100.0 * np.array(
            [
                metrics.accuracy(truth, said),
                metrics.auc(negative, ranked),
                metrics.recall_at(negative, ranked),
            ],
            dtype=np.float64,
        )


def _runs(
    stream: Stream, seed: int, negatives: float, numbers: Sequence[int]
) -> Iterator[dict[str, Any]]:
    judge = Judge(stream, load_weights(SHIPPED_MODEL).calibration)
    dice = np.random.default_rng(seed)
    rows = draw_stream(stream.pool.labels, negatives, dice)
    texts = judge.texts(stream.pool, rows)
    before = judge.figures(None)
    neutral = bool((stream.pool.labels[rows] == 1).any())
    studies = {True: study(texts, neutral=True)}
    if not neutral:
        studies[False] = study(texts, neutral=False, known=studies[True])
    for number in numbers:
        if number > len(rows):
            continue
        picked = pick_labels(texts.odds, number, dice)
        truth = stream.pool.labels[rows][picked].astype(np.int64)
        kind = not number or bool((truth == 1).any())
        started = time.process_time()
        told = judge.texts(stream.pool, rows[picked])
        table, report = adapt(texts, told, truth, "bench", studies.get(kind))
        after = judge.figures(table)
        yield {
            "set": stream.name,
            "seed": seed,
            "negatives": negatives,
            "n": number,
            "stream": len(rows),
            "before": before.round(3).tolist(),
            "after": after.round(3).tolist(),
            "seconds": round(time.process_time() - started, 2),
            **report.as_json(),
        }


def draw_stream(labels: npt.NDArray[np.int8], negatives: float, dice: np.random.Generator) -> Rows:
    """Rows of a stream; with a share of negatives above 0, thinned to it."""
    order = dice.permutation(len(labels))
    if negatives > 0.0:
        others = order[labels[order] != 0][:STREAM]
        wanted = round(min(len(others), STREAM * (1 - negatives)) * negatives / (1 - negatives))
        others = others[: round(STREAM * (1 - negatives))]
        order = dice.permutation(np.concatenate([others, order[labels[order] == 0][:wanted]]))
    return order[:STREAM]


def pick_labels(odds: Floats, number: int, dice: np.random.Generator) -> Rows:
    """Half from the top of the queue, half at random from the rest."""
    ranked = np.argsort(-odds, kind="stable")
    top = number // 2
    return np.concatenate([ranked[:top], dice.permutation(ranked[top:])[: number - top]])


def adapted_rate() -> int:
    """Comments a second of one core's time with a table switched on, the best of a few rounds."""
    rows = [text for _, text in make_practice()]
    texts = ["，".join(rows[at : at + 4]) for at in range(len(rows))]  # 35 characters each
    table, _ = learn(shipped_model(), texts, [])
    adapted = shipped_model().adapted(table)
    best = 0.0
    for _ in range(ROUNDS):
        started = time.process_time()
        adapted.score(texts)
        best = max(best, len(texts) / (time.process_time() - started))
    return round(best)


def read_runs(path: Path) -> list[dict[str, Any]]:
    """The runs that are kept; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _keep(path: Path, runs: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    done = list(runs)
    with path.open("a", encoding="utf-8") as out:
        for run in done:
            out.write(json.dumps(run, ensure_ascii=False) + "\n")
    if done:
        gains = [np.round(np.subtract(run["after"], run["before"]), 2).tolist() for run in done]
        print(done[0]["set"], done[0]["seed"], done[0]["before"], gains, flush=True)
    return done


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.sentiment.training.adapt_bench")
    parser.add_argument("data", type=Path, help="the folder with data/ and more/, or of the sets")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--labels", type=int, nargs="+", default=LABELS)
    parser.add_argument("--negatives", type=float, nargs="+", default=[0.0, 0.05, 0.01])
    parser.add_argument("--only", nargs="+", help="these sets alone")
    parser.add_argument("--kept-only", action="store_true", help="train no model")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
