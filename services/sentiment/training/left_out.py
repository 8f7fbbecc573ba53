"""`python -m services.sentiment.training.left_out DATA`: models that never saw a group of sets.

What adapts to a brand's stream is measured on streams that the model does not know. Each of these
models is trained once and kept, since only what stands on top of them is tried again and again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.sentiment.adapters.model_file import load_weights, save_weights
from services.sentiment.domain.scorer import ModelWeights
from services.sentiment.training.data import GROUPS, SETS, load_sets
from services.sentiment.training.practice import make_practice

MODELS: Final = Path("var/adapt/models")


def main(argv: Sequence[str]) -> int:
    """Train what is not kept yet."""
    parser = argparse.ArgumentParser(prog="python -m services.sentiment.training.left_out")
    parser.add_argument("data", type=Path, help="the folder of NAME.tsv.gz files")
    parser.add_argument("--models", type=Path, default=MODELS)
    arguments = parser.parse_args(argv)
    train_left_out(arguments.data, arguments.models)
    return 0


def train_left_out(data: Path, folder: Path) -> None:
    """Every group's model, in the folder; those that lie there stay as they are."""
    missing = [group for group in GROUPS if not model_path(folder, group).exists()]
    if not missing:
        return
    from services.sentiment.training.recipe import corpora_of, corpus_of_rows, train_model

    started = time.perf_counter()
    corpora = corpora_of(load_sets(data))
    practice = corpus_of_rows(make_practice())
    for group in sorted(missing, key=len, reverse=True):
        rest = [corpora[name] for name in SETS if name not in group]
        weights = train_model([*rest, practice])
        path = model_path(folder, group)
        save_weights(path.with_suffix(".part.npz"), weights)
        path.with_suffix(".part.npz").rename(path)  # a cut leaves no half a model
        print(f"[{time.perf_counter() - started:6.0f} s] left out: {', '.join(group)}", flush=True)


def load_left_out(folder: Path, group: Sequence[str]) -> ModelWeights:
    """The model without this group; not calibrated."""
    return load_weights(model_path(folder, group))


def model_path(folder: Path, group: Sequence[str]) -> Path:
    """Where a group's model lies."""
    return folder / f"without-{group[0]}.npz"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
