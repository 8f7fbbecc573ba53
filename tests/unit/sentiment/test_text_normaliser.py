from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain.tone.text import (
    LONGEST_RUN,
    MAX_CHARACTERS,
    normalise,
    normalise_batch,
)

# Every code point, lone surrogates too, and often the pieces that rules look for.
_PIECES = st.sampled_from(
    ["//@", "@", "http://", "www.", "[怒]", "[", "]", " ", "\n", "\t", "666", "12345", "，", "😡",
     "\u200b", "轉發", "Ａ", "不是不", "\ud800", "\ufe0f", "é", "İ", "ﬀ", "①"]
)  # fmt: skip
_CHARACTERS = st.characters(codec=None, exclude_categories=())
_TEXTS = st.lists(st.one_of(_PIECES, _CHARACTERS), max_size=60).map("".join)


@given(_TEXTS)
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.lists(_TEXTS, min_size=1, max_size=6))
def test_a_text_is_normalised_the_same_alone_and_in_a_batch(texts: list[str]) -> None:
    assert normalise_batch(texts).split("\n")[1:-1] == [normalise(text) for text in texts]


@given(_TEXTS)
def test_nothing_invisible_is_left(text: str) -> None:
    normalised = normalise(text)
    assert not any(
        unicodedata.category(character) in {"Cc", "Cs", "Co"} for character in normalised
    )
    assert normalised == normalised.strip(" ")
    assert "  " not in normalised


@given(st.sampled_from("哈!6😡a。 "), st.integers(1, 5_000))
def test_a_flood_of_one_character_is_cut_to_a_short_run(character: str, count: int) -> None:
    assert len(normalise(character * count)) <= LONGEST_RUN


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("這個產品很讚", "这个产品很赞"),
        ("ＡＢＣ１２３！", "abc123!"),
        ("垃\u200b圾\u202e", "垃圾"),
        ("太差了[怒]", "太差了😡"),
        ("太差了😠", "太差了😡"),
        ("[没有这个表情]", "[没有这个表情]"),
        ("看 http://t.cn/AbC123 这里", "看 这里"),
        ("@小明:你好", "@ 你好"),
        ("垃圾//@甲: 很好//@乙: 真棒", "垃圾"),
        ("//@甲: 很好//@乙: 真棒", "很好"),
        ("666 6 66 66666", "666 6 66 666"),
        ("订单13800138000", "订单0"),
        ("打12315", "打12315"),
        ("\ud800坏\udfff", "坏"),
        ("", ""),
        ("\x00\x01\u200b", ""),
    ],
)
def test_each_disguise_is_taken_off(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


def test_of_a_huge_text_only_its_ends_are_looked_at() -> None:
    text = "甲乙" * 400_000 + "结尾"
    normalised = normalise(text)
    assert len(normalised) <= MAX_CHARACTERS
    assert normalised.endswith("结尾")


def test_the_cost_grows_no_faster_than_the_text() -> None:
    texts = ["今天http://a.b @c 6666 [怒] 好" * 20] * 200

    def cost(batch: list[str]) -> float:
        best = float("inf")
        for _ in range(5):
            started = time.process_time()
            normalise_batch(batch)
            best = min(best, time.process_time() - started)
        return best

    assert cost(texts * 4) < 12 * max(cost(texts), 1e-3)
