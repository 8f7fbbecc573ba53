"""What a person takes for the same text is the same once folded, in bounded time."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.characters import SIMPLIFIED, TRADITIONAL
from shared.text import MAX_CHARACTERS, MAX_MARKS, fold, unseen_in

EVERY_CHARACTER = [
    character
    for character in map(chr, range(0x110000))
    if unicodedata.category(character) not in {"Cn", "Co"}
]
MARKS = st.sampled_from("\u0301\u0316\u0f73\u0344\u3099\uff9e\uff9f\u0345a ！")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("發票", "发票"),
        ("優惠", "优惠"),
        ("裡麵", "里面"),
        ("ＶＩＰ", "vip"),
        ("㎏", "KG"),
        ("退\u200b款", "退款"),
        ("\ufeff退款\u200d", "退款"),
        ("退\u00ad\u2060款", "退款"),
        ("vip\u0000\u007f", "VIP"),
        ("❤\ufe0f", "❤"),
        ("ﾊﾞ", "バ"),
        ("e\u200b\u0301", "É"),
        ("straße", "STRASSE"),
        ("退\ud83d款", "退款"),
    ],
)
def test_texts_that_look_alike_are_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"), [("退款", "退 款"), ("a", "а"), ("😀", "😡"), ("a\tb", "ab"), ("1", "一")]
)
def test_texts_that_look_different_stay_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_every_traditional_character_becomes_the_simplified_one_and_no_other() -> None:
    assert fold(TRADITIONAL) == fold(SIMPLIFIED) == SIMPLIFIED


def test_folding_any_character_twice_is_folding_it_once_and_leaves_nothing_unseen() -> None:
    folded = [fold(character) for character in EVERY_CHARACTER]
    assert [fold(text) for text in folded] == folded
    assert not unseen_in("".join(folded))


@given(st.text(max_size=40) | st.text(MARKS, max_size=60))
def test_folding_twice_is_folding_once(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    once.encode()


def test_every_character_that_unicode_calls_a_control_or_a_format_is_told_as_unseen() -> None:
    shown = {"\t", "\n", "\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\x1f", "\x85"}  # white space
    number_signs = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2\u0890\u0891\U000110bd"
    drawn = shown | set(number_signs) | {"\U000110cd"}
    drawn |= {chr(code) for code in range(0x13430, 0x13456)}  # how hieroglyphs are arranged
    unseen = [c for c in EVERY_CHARACTER if unicodedata.category(c) in {"Cc", "Cf", "Cs"}]
    assert [c for c in unseen if c not in drawn and not unseen_in(c)] == []


def test_no_run_of_combining_marks_is_longer_than_the_bound_however_it_is_written() -> None:
    for mark in ("\u0301", "\u0344", "\uff9e", "\u0f73", "\u0301\u0316"):
        folded = fold("か" + mark * 1_000)
        assert sum(unicodedata.category(c)[0] == "M" for c in folded) <= MAX_MARKS, ascii(mark)
    assert fold("a" + "\u0302\u0323" * 4) == fold("a" + "\u0323\u0302" * 4), "few are kept, sorted"
    assert fold("！" * 1_000) == "!" * 1_000, "what is no mark is not cut"


def test_marks_are_cut_before_they_are_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    def normalize(form: Literal["NFKC"], text: str) -> str:
        runs = "".join("m" if unicodedata.combining(c) else " " for c in text).split()
        assert max(map(len, runs), default=0) <= 2 * MAX_MARKS
        return unicodedata.normalize(form, text)

    monkeypatch.setattr("shared.text.normalize", normalize)
    for mark in ("\u0301\u0316", "\uff9e\u0301", "\u0f73\u0301", "\u0344\u0316"):
        fold("a" + mark * 2_000)


def test_no_more_of_a_text_is_looked_at_than_was_said() -> None:
    assert fold("退" * 100_000) == "退" * MAX_CHARACTERS
    assert fold("退款退货", limit=2) == "退款"


def test_the_places_of_unseen_characters_are_told() -> None:
    assert unseen_in("退\u200b款\ufeff\ufeff") == [1, 3, 4]
    assert unseen_in("退款 vip") == []
