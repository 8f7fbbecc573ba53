"""The bars of the attack bench: what is over them, or was never measured, breaks them."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from bench.attack.__main__ import NAMES
from bench.attack.bars import Measured, percentile

GOOD = Measured(
    genuine_p99_ms=100.0,
    genuine_refused_percent=0.0,
    livez_p99_ms=50.0,
    page_ms=400.0,
    genuine_per_s=200,
    attacker={"connections": 3},
)


def test_an_attack_that_nobody_notices_breaks_no_bar() -> None:
    assert GOOD.broken() == []
    assert GOOD.has_room(0.5)


@pytest.mark.parametrize(
    ("worse", "words"),
    [
        (replace(GOOD, genuine_p99_ms=1_001.0), "genuine webhooks' p99: 1001 ms"),
        (replace(GOOD, genuine_refused_percent=1.1), "genuine webhooks refused: 1.1 %"),
        (replace(GOOD, livez_p99_ms=math.inf), "/livez' p99: inf ms; the bar: 200 ms"),
        (replace(GOOD, page_ms=5_001.0), "comment to page: 5001 ms"),
        (replace(GOOD, page_ms=None), "comment to page: none"),
    ],
)
def test_each_bar_is_told_in_words(worse: Measured, words: str) -> None:
    (line,) = worse.broken()
    assert line.startswith(words)
    assert not worse.has_room(0.5)


def test_nothing_measured_is_the_worst_measure() -> None:
    assert percentile([], 0.99) == math.inf
    assert percentile([0.001 * n for n in range(1, 101)], 0.99) == 100.0


def test_the_summary_has_the_four_figures_of_each_attack() -> None:
    entry = json.loads(json.dumps(GOOD.entry()))
    assert entry["parts"] == "embedded"
    figures = {"genuine_p99_ms", "genuine_refused_percent", "livez_p99_ms", "page_ms"}
    assert figures <= set(entry)
    assert replace(GOOD, livez_p99_ms=math.inf).entry()["livez_p99_ms"] is None
    assert len(NAMES) == 7
