"""Each kind of rule at its edges."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from pydantic import ValidationError

from services.segmenter.domain.fan import NEVER, Fan
from services.segmenter.domain.rules import CountSpec, KeywordsSpec, SourceSceneSpec
from services.segmenter.domain.rules.base import format_duration, parse_duration
from shared.events import FanFollowed, MenuClicked, MessageReceived, PurchaseMade
from tests.support.fan_histories import START, WHO

HOUR = 3_600_000


def _count(**fields: Any) -> CountSpec:
    usual = {"tag": "t", "kind": "count", "event": "MenuClicked", "at_least": 3, "within": "1h"}
    return CountSpec.model_validate(usual | fields)


def _click(at: int, key: str = "a") -> MenuClicked:
    return MenuClicked(menu_key=key, **WHO | {"occurred_at": START + at})


def _buy(at: int, amount: int, currency: str = "CNY") -> PurchaseMade:
    who = WHO | {"occurred_at": START + at}
    return PurchaseMade(order_id="o", amount_minor=amount, currency=currency, **who)


def _says(text: str, at: int = 0) -> MessageReceived:
    return MessageReceived(message_type="text", text=text, **WHO | {"occurred_at": START + at})


def _hears(words: list[str], text: str) -> bool:
    spec = KeywordsSpec.model_validate({"tag": "t", "kind": "keywords", "any_of": words})
    return spec.compile().observe(Fan(), _says(text))


def test_a_count_ends_one_window_after_the_oldest_of_the_newest_that_suffice() -> None:
    rule, fan = _count().compile(), Fan()
    for at, end in ((0, 0), (10, 0), (20, HOUR), (50, HOUR + 10)):
        assert rule.observe(fan, _click(at))
        assert rule.until(fan) == (START + end if end else 0)


def test_a_late_event_counts_in_the_window_of_its_own_time() -> None:
    rule, fan = _count().compile(), Fan()
    for at in (100, 200, 50):
        rule.observe(fan, _click(at))
    assert rule.until(fan) == START + 50 + HOUR


def test_several_events_of_one_millisecond_all_count() -> None:
    rule, fan = _count().compile(), Fan()
    for _ in range(3):
        rule.observe(fan, _click(0))
    assert rule.until(fan) == START + HOUR


def test_a_sum_ends_at_most_one_slot_after_its_window_and_never_before() -> None:
    rule, fan = _count(event="PurchaseMade", sum="amount_minor", at_least=100).compile(), Fan()
    rule.observe(fan, _buy(0, 60))
    assert rule.until(fan) == 0
    rule.observe(fan, _buy(30_000, 40))
    assert START + HOUR <= rule.until(fan) < START + HOUR + HOUR // 64 + 1


def test_a_purchase_of_nothing_and_a_huge_one_are_both_harmless() -> None:
    rule, fan = _count(event="PurchaseMade", sum="amount_minor", at_least=100).compile(), Fan()
    assert not rule.observe(fan, _buy(0, 0))
    assert rule.observe(fan, _buy(0, 10**30))
    assert rule.observe(fan, _buy(0, 10**30))
    assert bson.encode(dict(fan.memory)), "more than a store's number holds is cut"
    assert rule.until(fan) > START + HOUR


def test_only_events_whose_fields_fit_are_counted() -> None:
    spec = _count(
        event="PurchaseMade", at_least=1, where={"currency": "CNY", "fan": {"prefix": "open"}}
    )
    rule = spec.compile()
    assert rule.observe(Fan(), _buy(0, 1))
    assert not rule.observe(Fan(), _buy(0, 1, "USD"))
    other = _buy(0, 1).model_copy(update={"fan": "x"})
    assert not rule.observe(Fan(), other)


def test_how_much_in_what_window_keeps_the_memory_and_another_subject_does_not() -> None:
    key = _count().compile().memory_key
    assert _count(at_least=2).compile().memory_key == key
    assert _count(**{"for": "1d"}).compile().memory_key == key
    assert _count(within="2h").compile().memory_key == key
    assert _count(where={"menu_key": "a"}).compile().memory_key == key
    bought = {"event": "PurchaseMade"}
    assert _count(**bought).compile().memory_key != key
    summed = _count(**bought, sum="amount_minor").compile().memory_key
    assert summed != _count(**bought).compile().memory_key
    assert _count(tag="u").compile().memory_key != key


def test_with_for_a_tag_is_earned_only_when_the_window_is_full() -> None:
    rule, fan = _count(at_least=2, **{"for": "1d"}).compile(), Fan()
    rule.observe(fan, _click(0))
    rule.observe(fan, _click(HOUR))
    assert rule.until(fan) == 0, "exactly one window apart is not within it"
    rule.observe(fan, _click(HOUR + 5))
    assert rule.until(fan) == START + HOUR + 5 + 24 * HOUR
    rule.observe(fan, _click(9 * HOUR))
    assert rule.until(fan) == START + HOUR + 5 + 24 * HOUR, "one alone does not earn it again"


@pytest.mark.parametrize(
    ("words", "text", "heard"),
    [
        (["退款"], "我要退款！", True),
        (["退款"], "我要退 款", False),
        (["VIP"], "怎么成为vip会员", True),
        (["vip"], "ＶＩＰ", True),
        (["vip"], "a viper", False),
        (["vip"], "my-vip!", True),
        (["5折"], "15折", False),
        (["㎏"], "10 kg", True),
        (["ß"], "STRASSE", False),
        (["straße"], "STRASSE", True),
        (["款项", "退款"], "退款项", True),
        (["好"], "", False),
        (["😡"], "太差了😡😡", True),
        (["发票"], "我要發票", True),
        (["優惠"], "有优惠吗", True),
        (["退款"], "我要退\u200b款", True),
        (["退\u200d款"], "退款", True),
        (["vip"], "v\u00adip", True),
        (["Café"], "cafe\u0301", True),
        (["vip"], "vi\u0301p", False),
    ],
)
def test_words_are_heard_whatever_their_width_and_case(
    words: list[str], text: str, *, heard: bool
) -> None:
    assert _hears(words, text) is heard


def test_a_message_of_nothing_but_marks_is_read_as_far_as_it_is_bounded() -> None:
    assert not _hears(["退款"], "\u0301\u0316" * 30_000)
    assert _hears(["退款"], "退款" + "\u0301\u0316" * 30_000)
    assert not _hears(["退款"], "好" * 4_096 + "退款"), "the first 4,096 characters are looked at"


def test_after_the_words_changed_those_that_stayed_are_still_remembered() -> None:
    def rule(*words: str) -> Any:
        return KeywordsSpec.model_validate(
            {"tag": "t", "kind": "keywords", "any_of": list(words), "for": "1h"}
        ).compile()

    fan = Fan()
    rule("退款", "退货").observe(fan, _says("退款"))
    rule("退款", "退货").observe(fan, _says("退货", 10))
    assert rule("退款", "发票").until(fan) == START + HOUR
    assert rule("发票").until(fan) == 0


def test_the_source_scene_is_found_without_memory_and_lasts_unless_told_otherwise() -> None:
    by_prefix = SourceSceneSpec.model_validate(
        {"tag": "t", "kind": "source_scene", "prefix": "store-"}
    ).compile()
    listed = SourceSceneSpec.model_validate(
        {"tag": "t", "kind": "source_scene", "scenes": ["store-1"], "for": "1h"}
    ).compile()
    fan = Fan(scene="store-1", scene_at=START)
    assert by_prefix.until(fan) == NEVER
    assert listed.until(fan) == START + HOUR
    assert listed.until(Fan(scene="store-12", scene_at=START)) == 0
    assert by_prefix.until(Fan()) == 0
    assert not by_prefix.observe(Fan(), FanFollowed(scene="", **WHO | {"occurred_at": START}))


@pytest.mark.parametrize("text", ["7", "d", "0d", "-1d", "1.5h", "401d", "7 d", "７d", 7, None, ""])
def test_a_duration_that_is_none_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="duration between"):
        parse_duration(text)


def test_durations_are_read_in_four_units() -> None:
    assert [parse_duration(text) for text in ("90s", "30m", "12h", "7d")] == [
        90_000,
        1_800_000,
        12 * HOUR,
        7 * 24 * HOUR,
    ]


@pytest.mark.parametrize("text", ["90s", "30m", "12h", "7d", "61m", "400d"])
def test_a_duration_is_shown_as_it_was_written(text: str) -> None:
    assert format_duration(parse_duration(text)) == text
    assert format_duration(parse_duration("60m")) == "1h"


@pytest.mark.parametrize(
    "fields",
    [
        {"at_least": 0},
        {"at_least": True},
        {"at_least": "3"},
        {"event": "OtherReceived"},
        {"sum": "amount_minor"},
        {"event": "PurchaseMade", "sum": "occurred_at"},
        {"where": {"nothing": "x"}},
        {"where": {"menu_key": 3}},
        {"event": "MessageReceived", "where": {"text": "退款"}},
        {"surprise": 1},
        {"tag": "a\u200bb"},
        {"tag": "\ufeffab"},
    ],
)
def test_a_count_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _count(**fields)
