"""`python -m services.sentiment.training.official DATA`: the learner on published splits.

Same features and network as the shipped model, trained on a split's own training part only, so that
the figures stand beside published ones. Two classes, no practice rows, no rules; one domain, so no
leaning over domains.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np

from services.sentiment.domain.tone import metrics
from services.sentiment.domain.tone.charnet import CharNet
from services.sentiment.domain.tone.ngrams import Grams
from services.sentiment.training.data import LABELS, normalised, read_rows
from services.sentiment.training.linear import train_table
from services.sentiment.training.network import train_network
from services.sentiment.training.recipe import BUCKETS, NET_SHARE, SEED, make_corpus

SPLITS: Final = {
    "ChnSentiCorp (9,600 / 1,200)": ("chnsenti_off_train", "chnsenti_off_test"),
    "NLPCC14-SC (10,000 / 2,500)": ("nlpcc14sc_off_train", "nlpcc14sc_off_test"),
}
EPOCHS: Final = 6  # the sets are twenty times smaller than the recipe's


def main(argv: list[str]) -> int:
    """Print the accuracy on each split, by the table alone and with the network."""
    for title, (train, test) in SPLITS.items():
        parts = []
        for name in (train, test):
            rows = read_rows(Path(argv[0]) / f"{name}.tsv.gz")
            labels = np.array([LABELS.index(label) for label, _ in rows], dtype=np.int8)
            parts.append(make_corpus(normalised([text for _, text in rows]), labels, three=False))
        learn, ask = parts
        weights, bias = train_table(
            learn.features, learn.examples.labels, learn.examples.three, SEED, epochs=EPOCHS
        )
        net = CharNet(train_network(learn.examples, SEED, epochs=EPOCHS))
        grams = Grams("\n" + "\n".join(ask.examples.texts) + "\n", BUCKETS)
        linear = ask.features @ weights + bias
        both = linear + NET_SHARE * net.scores(grams.codes, grams.starts)
        shares = [
            100 * metrics.accuracy(ask.examples.labels, metrics.decide(scores, neutral=False))
            for scores in (linear, both)
        ]
        print(f"{title}: table {shares[0]:.1f}, table and network {shares[1]:.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
