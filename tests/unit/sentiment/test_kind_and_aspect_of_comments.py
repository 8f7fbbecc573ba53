from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.adapters.model_file import shipped_model
from services.sentiment.domain.tables.aspect import choose_aspect
from services.sentiment.domain.tables.kind import choose_kind, is_boilerplate
from services.sentiment.domain.tone.text import normalise


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("质量太差了，用两天就坏", "complaint"),
        ("刹车失灵差点出人命", "complaint"),
        ("请问什么时候发货", "question"),
        ("多少钱", "question"),
        ("非常满意，强烈推荐", "praise"),
        ("兼职刷单，日结三百，加微信", "spam"),
        ("扫码进群，加V详聊", "spam"),
        ("转发微博", "other"),
        ("", "other"),
    ],
)
def test_each_kind_is_told(text: str, kind: str) -> None:
    assert shipped_model().score([text])[0].kind == kind


@pytest.mark.parametrize(
    ("text", "aspect"),
    [
        ("屏幕碎了，质量差", "product"),
        ("太贵了，性价比低", "price"),
        ("快递三天没动，物流太慢", "delivery"),
        ("客服态度恶劣", "service"),
        ("门店排队两小时，环境脏", "store"),
        ("代言人翻车，广告恶心", "advertising"),
        ("今天天气真好", None),
    ],
)
def test_each_aspect_is_told(text: str, aspect: str | None) -> None:
    assert shipped_model().score([text])[0].aspect == aspect


@pytest.mark.parametrize(
    "text",
    ["转发微博", "沙发", "前排围观", "打卡第三天", "第一", "mark", "已转发，已关注", "！！！"],
)
def test_boilerplate_is_neutral(text: str) -> None:
    assert is_boilerplate(normalise(text))
    assert shipped_model().score([text])[0].tone == "neu"


@pytest.mark.parametrize("text", ["沙发质量太差", "转发了还是没中奖，骗人", "第一次买就坏了"])
def test_a_text_that_only_begins_like_boilerplate_is_read(text: str) -> None:
    assert not is_boilerplate(normalise(text))


@given(st.text(alphabet="参加转发打卡关注了第一 ,", max_size=3_000))
def test_no_repetition_of_boilerplate_words_takes_long(text: str) -> None:
    is_boilerplate(normalise(text))  # hypothesis's deadline is the assertion


@given(
    tone=st.sampled_from(["neg", "neu", "pos"]),
    sells=st.booleans(),
    asks=st.booleans(),
    severe=st.booleans(),
)
def test_a_severe_comment_is_a_complaint_unless_it_sells(
    *, tone: str, sells: bool, asks: bool, severe: bool
) -> None:
    kind = choose_kind(tone, sells=sells, asks=asks, severe=severe)  # type: ignore[arg-type]
    assert (kind == "spam") == sells
    if severe and not sells:
        assert kind == "complaint"


def test_the_aspect_named_most_often_wins_and_the_first_where_they_tie() -> None:
    assert choose_aspect(["price", "store", "store"]) == "store"
    assert choose_aspect(["price", "store"]) == "price"
    assert choose_aspect([]) is None


@pytest.mark.parametrize("text", ["一般般吧", "中规中矩", "不好不坏", "马马虎虎", "说不上喜欢"])
def test_a_short_shrug_is_neutral_but_keeps_its_leaning(text: str) -> None:
    verdict = shipped_model().score([text])[0]
    assert verdict.tone == "neu"
    assert 0.0 < verdict.probabilities[0] + verdict.probabilities[2] < 0.5


def test_a_shrug_beside_a_complaint_is_a_complaint() -> None:
    assert (
        shipped_model().score(["味道一般般，上菜还特别慢，服务员态度恶劣，垃圾"])[0].tone == "neg"
    )
