from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.sentiment.training.adapt_bench import draw_stream, pick_labels
from services.sentiment.training.adapt_summary import summary_of


def test_labels_are_half_the_top_of_the_queue_and_half_of_the_rest() -> None:
    odds = np.random.default_rng(1).standard_normal(2_000)
    picked = pick_labels(odds, 200, np.random.default_rng(2))
    assert len(set(picked.tolist())) == 200
    top = set(np.argsort(-odds)[:100].tolist())
    assert top <= set(picked.tolist())


@pytest.mark.parametrize(("share", "expected"), [(0.05, 0.05), (0.01, 0.01)])
def test_a_stream_is_thinned_to_its_share_of_negatives(share: float, expected: float) -> None:
    labels = (np.arange(10_000) % 2 * 2).astype(np.int8)
    rows = draw_stream(labels, share, np.random.default_rng(3))
    assert len(rows) == len(set(rows.tolist())) == 2_000
    assert (labels[rows] == 0).mean() == pytest.approx(expected, abs=0.001)


def test_a_stream_that_is_not_thinned_has_as_many_texts_as_there_are() -> None:
    labels = np.zeros(700, dtype=np.int8)
    assert sorted(draw_stream(labels, 0.0, np.random.default_rng(4)).tolist()) == list(range(700))


def _run(
    name: str, seed: int, number: int, after: list[float], share: float = 0.0
) -> dict[str, Any]:
    return {
        "set": name, "seed": seed, "negatives": share, "n": number,
        "before": [50.0, 80.0, 20.0], "after": after,
    }  # fmt: skip


def test_the_summary_is_a_mean_over_sets_of_means_over_seeds_and_names_the_worst() -> None:
    runs = [
        _run("a", 0, 200, [52.0, 82.0, 26.0]),
        _run("a", 1, 200, [54.0, 80.0, 24.0]),
        _run("b", 0, 200, [50.0, 79.0, 17.0]),
        _run("a", 0, 0, [50.0, 81.0, 21.0]),
        _run("a", 0, 200, [50.0, 80.5, 20.5], share=0.05),
    ]
    summary = summary_of(runs)
    assert summary["sets"] == 2
    assert summary["n_labels"]["200"] == {
        "accuracy_gain": 1.5, "auc_gain": 0.0, "recall_at_100_gain": 1.0,
        "worst_auc": -1.0, "worst_recall_at_100": -3.0,
    }  # fmt: skip
    assert summary["student_only"]["auc_gain"] == 1.0
    assert summary["rare_negatives"]["0.05"]["200"]["auc_gain"] == 0.5
