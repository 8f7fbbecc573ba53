"""Opting out by message: the usual words and sentences, whole messages only, from one list."""

from __future__ import annotations

import pytest

from services.notifier.domain.keywords import OPT_IN_WORDS, OPT_OUT_WORDS, read_preference
from shared.text import fold


@pytest.mark.parametrize(
    "text",
    [
        "我要退订", "我要退訂", "不要再发了", "不要再發了！", "取消订阅", "T", "ｔ", "TD", "td。",
        "回T",
        "cancel", "END", "Quit", "stop", "STOP ALL", "stopall", "opt out", "opt-out", "Opt Out!",
        "unsubscribe", "please unsubscribe me", "Don't message me", "don’t message me",
        "退\u200b订",
        "退 订", "退订🙏", "别再给我发消息了", "請勿打擾", "拒收", "R", "revoke",
    ],
)  # fmt: skip
def test_a_usual_way_to_opt_out_counts(text: str) -> None:
    assert read_preference(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "我想退订这个月的套餐怎么办", "T恤有货吗", "TD-LTE", "红包abc", "退订红包", "不退订",
        "不要退订", "我不想退订", "the end", "end of story", "cancel my order", "取消订单",
        "stop by our shop",
        "don't stop", "quit smoking", "tt", "rr", "", "。", "🙏", "退订" * 100, "停止营业了吗",
        "T" + "\u0301" * 5_000,
    ],
)  # fmt: skip
def test_a_sentence_that_only_contains_one_is_no_choice(text: str) -> None:
    assert read_preference(text) is None


@pytest.mark.parametrize("text", ["订阅", "訂閱", "我要订阅", "DY", "恢復訂閱", "Start", "opt in"])
def test_a_usual_way_back_in_counts(text: str) -> None:
    assert read_preference(text) is False


def test_every_word_of_the_lists_counts_as_its_list_says_also_after_folding() -> None:
    for words, expected in ((OPT_OUT_WORDS, True), (OPT_IN_WORDS, False)):
        for word in words:
            assert read_preference(word) is expected, word
            assert read_preference(fold(word)) is expected, word
            assert read_preference(f" {word.upper()} ！") is expected, word


def test_no_word_stands_twice_or_in_both_lists() -> None:
    folded = [fold(word).replace(" ", "") for word in (*OPT_OUT_WORDS, *OPT_IN_WORDS)]
    assert len(set(folded)) == len(folded)
