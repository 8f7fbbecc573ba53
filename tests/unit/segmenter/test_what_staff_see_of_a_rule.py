"""How far a fan is, for staff: what counts towards a rule now; and how durations are written."""

from __future__ import annotations

import pytest

from services.segmenter.domain.fan import Fan
from services.segmenter.domain.rules.base import Rule, format_duration, parse_duration
from services.segmenter.domain.rules.count import CountSpec
from services.segmenter.domain.rules.keywords import KeywordsSpec
from shared.events import MenuClicked, MessageReceived

AT = 1_764_000_000_000
HOUR = 3_600_000
ABOUT = {
    "platform": "wechat",
    "account": "gh_1",
    "fan": "f",
    "authenticated_by": "wechat_safe",
}


def clicks_of(rule: Rule, fan: Fan, *instants: int) -> None:
    for at in instants:
        event = MenuClicked.model_validate({**ABOUT, "occurred_at": at, "menu_key": "m"})
        assert rule.observe(fan, event)


def test_staff_see_how_many_of_the_needed_count_in_the_window_now() -> None:
    spec = {"tag": "t", "kind": "count", "event": "MenuClicked", "at_least": 3, "within": "1h"}
    rule, fan = CountSpec.model_validate(spec).compile(), Fan()
    assert rule.remembered(fan, AT) == {}
    clicks_of(rule, fan, AT, AT + 10)
    assert rule.remembered(fan, AT + 10) == {"counted": 2, "at_least": 3}
    clicks_of(rule, fan, AT + 20, AT + 30)
    assert rule.remembered(fan, AT + 30) == {"counted": 3, "at_least": 3}
    seen = [rule.remembered(fan, AT + HOUR + late)["counted"] for late in (9, 10, 19, 20, 29, 30)]
    assert seen == [3, 2, 2, 1, 1, 0]


def wrote(text: str, at: int) -> MessageReceived:
    return MessageReceived.model_validate(
        {**ABOUT, "occurred_at": at, "message_type": "text", "text": text}
    )


def test_staff_see_the_newest_word_of_the_rule_and_nothing_before_one_was_written() -> None:
    spec = {"tag": "t", "kind": "keywords", "any_of": ["优惠", "红包"]}
    rule, fan = KeywordsSpec.model_validate(spec).compile(), Fan()
    assert rule.remembered(fan, AT) == {}
    rule.observe(fan, wrote("有红包吗", AT))
    rule.observe(fan, wrote("优惠多少", AT + 5))
    rule.observe(fan, wrote("红包", AT + 3))
    assert rule.remembered(fan, AT + 9) == {"word": "优惠", "last_at": AT + 5}
    fewer = KeywordsSpec.model_validate({**spec, "any_of": ["红包"]}).compile()
    assert fewer.remembered(fan, AT + 9) == {"word": "红包", "last_at": AT + 3}
    none = KeywordsSpec.model_validate({**spec, "any_of": ["退款"]}).compile()
    assert none.remembered(fan, AT + 9) == {}


def test_rules_of_two_tags_remember_apart() -> None:
    spec = {"kind": "keywords", "any_of": ["红包"]}
    one = KeywordsSpec.model_validate({**spec, "tag": "one"}).compile()
    two = KeywordsSpec.model_validate({**spec, "tag": "two"}).compile()
    fan = Fan()
    one.observe(fan, wrote("红包", AT))
    assert (one.remembered(fan, AT) != {}, two.remembered(fan, AT)) == (True, {})


@pytest.mark.parametrize(
    ("text", "millis"),
    [("1s", 1_000), ("90s", 90_000), ("30m", 1_800_000), ("12h", 12 * HOUR), ("400d", 9600 * HOUR)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, millis: int) -> None:
    assert parse_duration(text) == millis
    assert parse_duration(format_duration(millis)) == millis


@pytest.mark.parametrize(
    "value",
    [
        "",
        "s",
        "0s",
        "401d",
        "5",
        "5x",
        "5w",
        "5S",
        "-5s",
        "1.5h",
        "1\u0663s",
        "\u0663s",
        " 5s",
        5,
        None,
    ],
)
def test_what_is_no_duration_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(ValueError, match="90s, 30m, 12h or 7d"):
        parse_duration(value)


def test_a_duration_is_written_in_the_largest_unit_that_fits() -> None:
    assert [format_duration(one * 1_000) for one in (1, 60, 90, 3_600, 86_400, 90_000)] == [
        "1s",
        "1m",
        "90s",
        "1h",
        "1d",
        "25h",
    ]
