from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sentiment.adapters.model_file import SHIPPED_MODEL, load_weights, shipped_model
from services.sentiment.domain.adapting.bags import BUCKETS, bags_of
from services.sentiment.domain.adapting.learn import learn
from services.sentiment.domain.adapting.report import Outcome, Report
from services.sentiment.domain.adapting.table import AccountTable, OtherModelError
from services.sentiment.domain.scorer import CommentScorer
from services.sentiment.domain.tone import metrics
from services.sentiment.domain.verdict import Tone
from tests.unit.sentiment.adapting.builders import labels, stream, unread

_ANYTHING = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=60)
_STREAM = stream(400)


def _negative(texts: list[str], table: AccountTable) -> list[float]:
    return [verdict.negative for verdict in shipped_model().adapted(table).score(texts)]


@cache
def _without_labels() -> tuple[AccountTable, Report]:
    return learn(shipped_model(), _STREAM, [])


@cache
def _with_labels() -> tuple[AccountTable, Report]:
    return learn(shipped_model(), _STREAM, labels())


def _some_table() -> AccountTable:
    weights = np.random.default_rng(3).integers(-9_000, 9_000, BUCKETS).astype(np.int16)
    weights[0] = 0
    return AccountTable(weights, 1e-4, 0.3, (0.1, -0.2, 0.0), shipped_model().model)


def test_a_word_that_stands_beside_complaints_becomes_negative_without_a_label() -> None:
    table, report = _without_labels()
    assert report.outcome is Outcome.STUDENT
    before = [verdict.negative for verdict in shipped_model().score(["又是沃姆", "又是宝丽"])]
    after = _negative(["又是沃姆", "又是宝丽"], table)
    assert after[0] > before[0]
    assert after[1] < before[1]


def test_labels_teach_turns_that_the_model_cannot_read() -> None:
    table, report = _with_labels()
    assert report.outcome is Outcome.TAUGHT
    assert report.comparison is not None
    assert report.comparison.gain > report.comparison.error
    dice = random.Random(7)
    bad = np.arange(60) % 2 == 0
    texts = [unread(dice, bad=bool(is_bad)) for is_bad in bad]
    frozen = [verdict.negative for verdict in shipped_model().score(texts)]
    auc = metrics.auc(bad, np.array(_negative(texts, table)))
    assert auc is not None
    assert auc > 0.95
    assert auc > (metrics.auc(bad, np.array(frozen)) or 0.0)


def test_labels_given_by_chance_are_not_believed() -> None:
    dice = random.Random(5)
    tones: list[Tone] = ["neg", "pos"]
    random_labels = [(dice.choice(tones), text) for _, text in labels(200)]
    table, report = learn(shipped_model(), _STREAM, random_labels)
    assert report.outcome in (Outcome.UNBELIEVED, Outcome.STUDENT_ONLY)
    student, _ = _without_labels()
    assert _negative(["太差了", "很好"], table) == pytest.approx(
        _negative(["太差了", "很好"], student), abs=0.1
    )


def test_a_fifth_of_wrong_labels_does_no_harm() -> None:
    dice = random.Random(6)
    wrong: dict[Tone, Tone] = {"neg": "pos", "pos": "neg"}
    told = [(wrong[tone] if dice.random() < 0.2 else tone, text) for tone, text in labels(200)]
    table, _ = learn(shipped_model(), _STREAM, told)
    bad = np.array([tone == "neg" for tone, _ in labels(200, seed=8)])
    texts = [text for _, text in labels(200, seed=8)]
    frozen = np.array([verdict.negative for verdict in shipped_model().score(texts)])
    before, after = metrics.auc(bad, frozen), metrics.auc(bad, np.array(_negative(texts, table)))
    assert before is not None
    assert after is not None
    assert after >= before


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ([("neg", text) for _, text in labels(100)], Outcome.ONE_KIND),
        ([("pos", text) for _, text in labels(100)], Outcome.ONE_KIND),
        (labels(1), Outcome.FEW_LABELS),
        ([], Outcome.STUDENT),
    ],
    ids=["all negative", "all positive", "one label", "no label"],
)
def test_useless_labels_leave_what_the_stream_taught_and_are_named(
    told: list[tuple[Tone, str]], outcome: Outcome
) -> None:
    table, report = learn(shipped_model(), _STREAM, told)
    student, _ = _without_labels()
    assert report.outcome is outcome
    assert np.array_equal(table.weights, student.weights)
    assert report.in_words()


@pytest.mark.parametrize("short", [[], ["太差了"], ["好"] * 5_000], ids=["empty", "one", "copies"])
def test_without_a_stream_and_labels_nothing_changes(short: list[str]) -> None:
    table, report = learn(shipped_model(), short, [])
    texts = ["太差了，后悔买", "很好", "", "沃姆//@甲: 坏了"]
    assert report.outcome is Outcome.SHORT_STREAM
    assert shipped_model().adapted(table).score(texts) == shipped_model().score(texts)


def test_labels_without_a_stream_are_learned_from() -> None:
    _, report = learn(shipped_model(), [], labels())
    assert report.outcome is Outcome.TAUGHT


def test_the_same_stream_and_labels_give_the_same_table() -> None:
    first, report = _with_labels()
    second, again = learn(shipped_model(), list(_STREAM), labels())
    assert np.array_equal(first.weights, second.weights)
    assert (first.step, first.bias, first.decision) == (second.step, second.bias, second.decision)
    assert report == again


def test_a_text_that_was_labelled_twice_has_its_last_label() -> None:
    told = labels()
    corrected: list[tuple[Tone, str]] = [("neu", told[0][1]), *told]
    assert learn(shipped_model(), _STREAM, corrected)[1] == _with_labels()[1]


def test_the_scorer_adds_what_the_bags_of_learning_say() -> None:
    table = _some_table()
    texts = [*_STREAM[:50], "", "好", "垃圾//@甲: 沃姆坏了//@乙: 太差", "没有不满意", "😡" * 9]
    expected = bags_of(texts).times(table.weights.astype(np.float64) * table.step) + table.bias
    frozen, adapted = shipped_model(), shipped_model().adapted(replace(table, decision=(0, 0, 0)))
    for text, shift in zip(texts, expected, strict=True):
        before, after = frozen.score([text])[0], adapted.score([text])[0]
        if before.probabilities == after.probabilities:
            continue  # a rule spoke
        moved = np.log(after.negative / (1 - after.negative)) - np.log(
            before.negative / (1 - before.negative)
        )
        assert moved == pytest.approx(shift, abs=1e-4)


@settings(max_examples=20)
@given(st.lists(_ANYTHING, min_size=1, max_size=8))
def test_an_adapted_verdict_does_not_depend_on_its_neighbours(texts: list[str]) -> None:
    model = shipped_model().adapted(_some_table())
    assert model.score(texts) == [model.score([text])[0] for text in texts]


def test_a_table_for_another_model_is_refused() -> None:
    weights = load_weights(SHIPPED_MODEL)
    table = weights.table
    other = CommentScorer(replace(weights, table=replace(table, scale=table.scale * 2)))
    with pytest.raises(OtherModelError, match="adapt again"):
        other.adapted(_some_table())
