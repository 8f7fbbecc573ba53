from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sentiment.adapters.model_file import SHIPPED_MODEL, load_weights, shipped_model
from services.sentiment.domain.scorer import CHUNK, ModelWeights
from services.sentiment.domain.tone.charnet import FIRST_LETTER, UNKNOWN
from services.sentiment.domain.tone.negation import BLANK, blank_double_negation
from services.sentiment.domain.tone.text import normalise
from services.sentiment.training.practice import make_practice

_ANYTHING = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=80)


def _bucket(gram: str, seed: int, buckets: int) -> int:
    """The n-gram hash, written out in plain integers."""
    letters = [(ord(letter) * 0x9E3779B1) & 0xFFFFFFFF for letter in gram]
    letters = [letter ^ (letter >> 15) for letter in letters]
    rolling = letters[0]
    for letter in letters[1:]:
        rolling = (rolling * 0x85EBCA6B) & 0xFFFFFFFF
        rolling = ((rolling ^ (rolling >> 13)) + letter) & 0xFFFFFFFF
    hashed = ((rolling ^ seed) * 0x9E3779B1) & 0xFFFFFFFF
    return (hashed ^ (hashed >> 16)) & (buckets - 1)


def _recomputed(weights: ModelWeights, text: str) -> list[float]:
    """The comment's own scores, and 0.7 of what its echo adds to silence."""
    own = _alone(weights, text)
    head, mark, tail = text.partition("//@")
    if not mark or not head:
        return own
    echo, silence = _alone(weights, "@" + tail.replace("//@", " @")), _alone(weights, "")
    return [own[k] + 0.7 * (echo[k] - silence[k]) for k in range(3)]


def _alone(weights: ModelWeights, text: str) -> list[float]:
    seen = blank_double_negation(normalise(text))
    ended = f"\n{seen}\n"
    grams = [
        (ended[at : at + n], n)
        for n in range(1, 5)
        for at in range(len(ended) - n + 1)
        if ended[at : at + n].strip("\n") and "\n" not in ended[at + 1 : at + n - 1]
    ]
    seeds = (0, 0x2545F491, 0x7F4A7C15, 0x1B873593)
    table, net = weights.table, weights.net
    total = [0, 0, 0]
    for gram, n in grams:
        row = table.table[_bucket(gram, seeds[n - 1], table.buckets)]
        total = [total[k] + int(row[k]) for k in range(3)]
    root = math.sqrt(max(len(grams), 1))
    linear = [total[k] * table.scale[k] / root + table.bias[k] for k in range(3)]
    place = {int(code): row for row, code in enumerate(net.alphabet, start=FIRST_LETTER)}
    rows = [0, *(place.get(ord(letter), UNKNOWN) for letter in seen), 0]
    windows = [net.embedding[rows[at : at + 3]].ravel() for at in range(len(seen))]
    strongest = (
        (np.array(windows, dtype=np.float64) @ net.filters).max(axis=0)
        if windows
        else np.full(len(net.offsets), -1e9)
    )
    answers = np.maximum(strongest + net.offsets, 0.0) @ net.output
    return [linear[k] + float(answers[k]) for k in range(3)]


def test_the_scorer_equals_its_weights_written_out_on_a_thousand_texts() -> None:
    texts = [text for _, text in make_practice()][::4][:990]
    texts += [
        "",
        " ",
        "好",
        "\ud800",
        "這個產品不是不好",
        "666",
        "垃圾//@甲: 好//@乙: 太差了",
        "a b",
        "😡",
        "没有不满意",
    ]
    weights = load_weights(SHIPPED_MODEL)
    expected = np.array([_recomputed(weights, text) for text in texts])
    assert len(texts) == 1_000
    assert np.abs(shipped_model().decision(texts) - expected).max() < 1e-4


@settings(max_examples=50)
@given(st.lists(_ANYTHING, min_size=1, max_size=8))
def test_a_verdict_does_not_depend_on_its_neighbours(texts: list[str]) -> None:
    model = shipped_model()
    assert model.score(texts) == [model.score([text])[0] for text in texts]


def test_scoring_twice_says_the_same_over_several_chunks() -> None:
    texts = [text for _, text in make_practice()][: 2 * CHUNK + 7]
    assert shipped_model().score(texts) == shipped_model().score(texts)


@given(_ANYTHING)
def test_a_verdict_is_always_whole(text: str) -> None:
    verdict = shipped_model().score([text])[0]
    assert 0.0 <= verdict.negative <= 1.0
    assert sum(verdict.probabilities) == pytest.approx(1.0)
    assert 0 <= verdict.severity <= 3
    assert (verdict.severity > 0) == bool(verdict.reasons)
    assert all(span and span in normalise(text) for span in verdict.spans)


def test_the_spans_of_a_complaint_name_what_is_wrong() -> None:
    verdict = shipped_model().score(["今天去了门店，服务态度太差了，以后再说"])[0]
    assert verdict.tone == "neg"
    assert any("差" in span for span in verdict.spans)


@pytest.mark.parametrize(
    "text",
    ["差" * 1_000_000, "😀" * 1_000_000, "\x00" * 1_000_000, "\ud800" * 1_000_000,
     "\u200b差" * 500_000, "e\u0301" * 500_000, "//@a:" * 200_000, "[" * 1_000_000,
     "参加转发" * 250_000, "没有不" * 300_000, "@a http://" * 100_000],
    ids=["characters", "emoji", "nul", "surrogates", "zero-width", "accents", "reposts", "brackets",
         "boilerplate", "negations", "links"],
)  # fmt: skip
def test_a_megabyte_of_anything_is_judged_quickly(text: str) -> None:
    started = time.process_time()
    shipped_model().score([text])
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("不是不好吃", "好吃"),
        ("没有不满意的地方", "满意的地方"),
        ("没有一次不出毛病", "出毛病"),
        ("不得不说真好", "说真好"),
        ("是不是不好", "是不是不好"),
        ("不知道好不好", "不知道好不好"),
        ("没有不同", "没有不同"),
        ("没收到，不开心", "没收到，不开心"),
    ],
)
def test_only_negations_that_cancel_are_blanked(text: str, left: str) -> None:
    blanked = blank_double_negation(text)
    assert len(blanked) == len(text)
    assert blanked.replace(BLANK, "") == left
