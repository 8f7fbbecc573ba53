"""`python -m services.sentiment.training.baseline DATA`: the linear baseline that we must beat.

Hashed character 1- to 4-grams and logistic regression, one against the rest, on all labels as they
are; plain clean-up (NFKC, case, simplified characters, links, names, numbers, floods), whole repost
chains, emoticons as written. Same sets, same groups, same split rule as the recipe.
"""

from __future__ import annotations

import re
import sys
import time
import unicodedata
from pathlib import Path
from typing import Final

import numpy as np
from scipy import sparse

from services.sentiment.training.data import GROUPS, SETS, load_sets
from services.sentiment.training.features import matrix_of
from services.sentiment.training.figures import Judged, neutral_table, table_of
from shared.characters import SIMPLIFIED, TRADITIONAL

BUCKETS: Final = 2**20
EPOCHS: Final = 5
PENALTY: Final = 1e-6
LONGEST: Final = 2_000  # characters

_SIMPLER = str.maketrans(TRADITIONAL, SIMPLIFIED)
_LINK = re.compile(r"https?://[!-~]*|www\.[!-~]*")
_NAME = re.compile(r"@[\w·-]{1,30}")
_NUMBER = re.compile(r"\d+")
_FLOOD = re.compile(r"(.)\1{3,}")
_SPACE = re.compile(r"\s+")


def plain(text: str) -> str:
    """The baseline's clean-up of one text."""
    text = unicodedata.normalize("NFKC", text).lower().translate(_SIMPLER)
    text = _NUMBER.sub("0", _NAME.sub("@", _LINK.sub(" ", text)))
    return _SPACE.sub(" ", _FLOOD.sub(r"\1\1\1", text)).strip()[:LONGEST]


def main(argv: list[str]) -> int:
    """Print the baseline's figures, left-out domains first."""
    from sklearn.linear_model import SGDClassifier

    started = time.perf_counter()
    sets = load_sets(Path(argv[0]), clean_up=lambda texts: [plain(text) for text in texts])
    features = {name: matrix_of(part.texts, BUCKETS) for name, part in sets.items()}

    def train(names: list[str]) -> SGDClassifier:
        x = sparse.vstack([features[name][~sets[name].test] for name in names], format="csr")
        y = np.concatenate([sets[name].labels[~sets[name].test] for name in names])
        learner = SGDClassifier(
            loss="log_loss",
            alpha=PENALTY,
            max_iter=EPOCHS,
            tol=None,
            average=True,
            random_state=0,
        )
        return learner.fit(x, y)

    def ask(learner: SGDClassifier, name: str) -> Judged:
        part = sets[name]
        likely = learner.predict_proba(features[name][part.test])
        return Judged(part.labels[part.test], likely, likely[:, 0])

    left_out: dict[str, Judged] = {}
    for group in GROUPS:
        learner = train([name for name in SETS if name not in group])
        left_out |= {name: ask(learner, name) for name in group}
    left_out = {name: left_out[name] for name in SETS}
    learner = train(list(SETS))
    mixed = {name: ask(learner, name) for name in SETS}
    print(table_of("Baseline, left-out domains", left_out))
    print(neutral_table(left_out))
    print(table_of("Baseline, mixed model", mixed))
    print(f"{time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
