"""`adapt`, `evaluate` and `score`: the model on files, without the service and its settings."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np

from services.sentiment.adapt_command import adapt_files
from services.sentiment.adapters.comment_files import (
    Comment,
    Labelled,
    TableFormat,
    UnreadableFileError,
    format_of,
    read_comments,
    read_labelled,
)
from services.sentiment.adapters.model_file import (
    SHIPPED_MODEL,
    UnreadableModelError,
    load_model,
)
from services.sentiment.adapters.table_file import UnreadableTableError, load_table
from services.sentiment.domain.adapting.table import OtherModelError
from services.sentiment.domain.preference import PREFERENCES
from services.sentiment.domain.tone import metrics
from services.sentiment.domain.verdict import TONES, Verdict
from services.sentiment.malformed_lines import Complaints, say, usable
from services.sentiment.ports import SentimentModel

BATCH: Final = 2_048  # texts scored together
COLUMNS: Final = ("line", "tone", "negative", "severity", "kind", "aspect", "reasons", "spans")
_BAR_WIDTH: Final = 30
_TEXT_COLUMN: Final = "text"


def main(argv: Sequence[str]) -> int:
    """Run a command; 0 done, 1 nothing usable in the file, 2 unreadable."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "adapt":
            model = load_model(arguments.model)
            return adapt_files(
                model, arguments.stream, arguments.labels, arguments.output, as_json=arguments.json
            )
        model = load_model(arguments.model, arguments.prefer)
        if arguments.table is not None:
            model = model.adapted(load_table(arguments.table))
        if arguments.command == "evaluate":
            return _evaluate(model, arguments.file, as_json=arguments.json)
        table = arguments.format or format_of(arguments.file)
        with _output(arguments.output) as out:
            return _score(model, arguments.file, table, arguments.column, out)
    except (
        UnreadableFileError,
        UnreadableModelError,
        UnreadableTableError,
        OtherModelError,
    ) as error:
        say(str(error))
        return 2


def evaluate(model: SentimentModel, rows: Sequence[Labelled]) -> dict[str, Any]:
    """The figures of a labelled set; where no text is neutral, negative against positive."""
    started = time.perf_counter()
    verdicts = list(_verdicts(model, [row.text for row in rows]))
    seconds = time.perf_counter() - started
    truth = np.array([TONES.index(row.label) for row in rows], dtype=np.int64)
    likely = np.array([verdict.probabilities for verdict in verdicts]).reshape(-1, len(TONES))
    score = np.array([verdict.negative for verdict in verdicts])
    neutral = bool((truth == 1).any())
    said = metrics.decide(likely, neutral=neutral)
    score = metrics.ranking(likely, score, neutral=neutral)
    negative = truth == 0
    return {
        "accuracy": _rounded(metrics.accuracy(truth, said)),
        "macro_f1": _rounded(metrics.macro_f1(truth, said)),
        "auc": _rounded(metrics.auc(negative, score)),
        "recall_at_100": _rounded(metrics.recall_at(negative, score)),
        "n": len(rows),
        "classes": [tone for index, tone in enumerate(TONES) if (truth == index).any()],
        "seconds": round(seconds, 3),
    }


def _evaluate(model: SentimentModel, path: Path, *, as_json: bool) -> int:
    complaints = Complaints(path.name)
    rows = list(usable(read_labelled(path), complaints))
    complaints.close()
    if not rows:
        say(f"{path.name}: no labelled text")
        return 1
    figures = evaluate(model, rows)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        for name, value in figures.items():
            sys.stdout.write(f"{name:>14}  {value}\n")
    return 0


def _score(model: SentimentModel, path: Path, table: TableFormat, column: str, out: TextIO) -> int:
    complaints = Complaints(path.name)
    comments = list(usable(read_comments(path, table, column), complaints))
    progress = _Progress(len(comments))
    write = _writer(table, out)
    verdicts = _verdicts(model, [comment.text for comment in comments], progress)
    for comment, verdict in zip(comments, verdicts, strict=True):
        write(_row(comment, verdict))
    progress.close()
    complaints.close()
    if not comments:
        say(f"{path.name}: no text to score")
        return 1
    return 0


def _verdicts(
    model: SentimentModel, texts: Sequence[str], progress: _Progress | None = None
) -> Iterator[Verdict]:
    for first in range(0, len(texts), BATCH):
        batch = texts[first : first + BATCH]
        yield from model.score(batch)
        if progress:
            progress.advance(len(batch))


def _row(comment: Comment, verdict: Verdict) -> dict[str, Any]:
    return {
        "line": comment.line,
        "tone": verdict.tone,
        "negative": round(verdict.negative, 4),
        "severity": verdict.severity,
        "kind": verdict.kind,
        "aspect": verdict.aspect or "",
        "reasons": [f"{reason.hazard}:{reason.term}" for reason in verdict.reasons],
        "spans": list(verdict.spans),
    }


def _writer(table: TableFormat, out: TextIO) -> Callable[[dict[str, Any]], object]:
    if table == "ndjson":
        return lambda row: out.write(json.dumps(row, ensure_ascii=False) + "\n")
    rows = csv.writer(out, delimiter="," if table == "csv" else "\t", lineterminator="\n")
    rows.writerow(COLUMNS)
    return lambda row: rows.writerow(
        ["|".join(cell) if isinstance(cell, list) else cell for cell in row.values()]
    )


class _Progress:
    """A bar on standard error, drawn where a person watches."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._shown = sys.stderr.isatty() and total > 0
        self._started = time.perf_counter()

    def advance(self, count: int) -> None:
        self._done += count
        if not self._shown:
            return
        share = self._done / self._total
        filled = int(share * _BAR_WIDTH)
        rate = self._done / max(time.perf_counter() - self._started, 1e-9)
        bar = "█" * filled + "·" * (_BAR_WIDTH - filled)
        sys.stderr.write(f"\r{bar} {share:4.0%} {rate:,.0f}/s ")
        sys.stderr.flush()

    def close(self) -> None:
        if self._shown:
            sys.stderr.write("\n")


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as out:
            yield out
    except OSError as error:
        raise UnreadableFileError(f"{path.name}: {error.strerror or error}") from error


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.sentiment")
    commands = parser.add_subparsers(dest="command", required=True)
    test = commands.add_parser("evaluate", help="figures of a labelled file: label<TAB>text")
    test.add_argument("file", type=Path)
    test.add_argument("--json", action="store_true", help="print one JSON object")
    judge = commands.add_parser("score", help="a verdict for each comment of a TSV, CSV or NDJSON")
    judge.add_argument("file", type=Path)
    judge.add_argument("--column", default=_TEXT_COLUMN, help="where the text is (default: text)")
    judge.add_argument("--format", choices=("tsv", "csv", "ndjson"), help="default: by suffix")
    judge.add_argument("--output", type=Path, help="default: standard output")
    for command in (test, judge):
        command.add_argument("--table", type=Path, help="an account's table, made by `adapt`")
        command.add_argument(
            "--prefer",
            choices=PREFERENCES,
            default="balanced",
            help="find more complaints, or disturb less with neutral comments (default: balanced)",
        )
    learn = commands.add_parser("adapt", help="an account's table from its stream and labels")
    learn.add_argument("stream", type=Path, help="recent comments, a text a line, oldest first")
    learn.add_argument("labels", type=Path, help="what staff said of some: label<TAB>text")
    learn.add_argument("-o", "--output", type=Path, required=True, help="the table to write")
    learn.add_argument("--json", action="store_true", help="print the report as one JSON object")
    for command in (test, judge, learn):
        command.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="a trained model")
    return parser
