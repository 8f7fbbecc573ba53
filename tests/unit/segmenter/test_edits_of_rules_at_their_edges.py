"""What one edited rule takes over of what is remembered, and what it then does not know."""

from __future__ import annotations

from typing import Any

import pytest

from services.segmenter.domain.fan import Fan, Memory
from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules import CountSpec, KeywordsSpec, Rule, SourceSceneSpec
from services.segmenter.domain.rules.where import mark_of
from services.segmenter.domain.tagging import expiry_cause, rules_cause
from shared.events import CommentPosted, MenuClicked, MessageReceived, PurchaseMade
from tests.support.fan_histories import START
from tests.support.fan_histories import WHO as OF_A_FAN

WHO = ("wechat", "gh_1", "openid-1")
HOUR, DAY = 3_600_000, 86_400_000
NOW = START + 5 * DAY


def counting(**changes: Any) -> Rule:
    line = {"event": "MenuClicked", "at_least": 3, "within": "7d", **changes}
    return CountSpec.model_validate({"tag": "active", "kind": "count", **line}).compile()


def summing(**changes: Any) -> Rule:
    return counting(event="PurchaseMade", sum="amount_minor", at_least=1_000, **changes)


def asking(*words: str) -> Rule:
    line = {"tag": "asked", "kind": "keywords", "any_of": list(words), "for": "9d"}
    return KeywordsSpec.model_validate(line).compile()


def wrote(text: str, at: int = START) -> MessageReceived:
    return MessageReceived(message_type="text", text=text, **OF_A_FAN | {"occurred_at": at})


def with_memory(rule: Rule, *memory: Any) -> Fan:
    assert rule.memory_key is not None
    return Fan(memory={rule.memory_key: memory})


def kept(rule: Rule, fan: Fan) -> Memory:
    assert rule.memory_key is not None
    return fan.memory[rule.memory_key]


def measure(at_least: int = 3, days: int = 7, asked: tuple[int, ...] = ()) -> Memory:
    return (at_least, days * DAY, asked)


def hours(*numbers: int) -> tuple[int, ...]:
    return tuple(START + number * HOUR for number in numbers)


def test_where_memory_lies_and_how_causes_are_named_is_the_same_in_every_version() -> None:
    """Another key would lose what is stored of all fans; another cause announces twice."""
    assert counting().memory_key == "66f1851181902ccc"
    assert summing().memory_key == "c2240ab581902ccc"
    assert asking("价格").memory_key == "6ed5d14e1cdb5420"
    scenes = {"tag": "shop", "kind": "source_scene", "scenes": ["a"]}
    assert SourceSceneSpec.model_validate(scenes).compile().memory_key is None
    line = {"tag": "asked", "kind": "keywords", "any_of": ["价格"], "for": "9d"}
    assert RuleBook([KeywordsSpec.model_validate(line)]).digest == (
        "ce5af2eac9ac393f41828e0c72c94df1"
    )
    assert expiry_cause("wechat:gh_1:a", "active", START) == "a9096e23fb4f9c34cfb715554c75258a"
    assert rules_cause("digest", "wechat:gh_1:a") == "b5db2b07ecbbea1ee420dff6a06e6227"


@pytest.mark.parametrize(
    ("at_least", "remembered"), [(1, 16), (3, 16), (8, 16), (9, 18), (10, 20), (64, 128), (65, 66)]
)
def test_twice_as_many_happenings_are_remembered_as_are_asked_for(
    at_least: int, remembered: int
) -> None:
    """Of more than 64 the slots are remembered, in which they are gathered."""
    rule, fan = counting(at_least=at_least), Fan()
    moments = [START + number * 4 * HOUR for number in range(140)]
    for at in moments:
        assert rule.observe(fan, MenuClicked(menu_key="k", **OF_A_FAN | {"occurred_at": at}))
    _, missing, _, _, known, amounts = kept(rule, fan)
    assert len(known) == remembered
    assert amounts == ((1,) * remembered if at_least > 64 else ())
    if at_least <= 64:
        assert (missing, list(known)) == (moments[-remembered - 1], moments[-remembered:])


@pytest.mark.parametrize(("orders", "remembered"), [(65, 65), (66, 66), (67, 66), (80, 66)])
def test_the_slots_of_a_window_are_remembered_and_two_more(orders: int, remembered: int) -> None:
    rule, fan = summing(), Fan()
    width = -(-7 * DAY // 64)
    begin = START - START % width
    for number in range(orders):
        about = OF_A_FAN | {"occurred_at": begin + number * width}
        assert rule.observe(fan, PurchaseMade(order_id=str(number), amount_minor=1, **about))
    ends = tuple(begin + (number + 1) * width - 1 for number in range(orders))
    _, missing, _, _, moments, amounts = kept(rule, fan)
    assert (moments, amounts) == (ends[-remembered:], (1,) * remembered)
    assert missing == (ends[-remembered - 1] if orders > remembered else 0)


def test_an_unedited_rule_leaves_its_memory_and_casts_no_doubt() -> None:
    rule = counting()
    memory = (0, START, measure(), (), hours(1), ())
    fan = with_memory(rule, *memory)
    assert rule.adopt(fan, WHO, NOW) == 0
    assert kept(rule, fan) == memory


def test_who_is_not_remembered_is_not_in_doubt() -> None:
    fan = Fan()
    assert counting().adopt(fan, WHO, NOW) == 0
    assert counting().until(fan) == 0
    assert asking("价格").adopt(fan, WHO, NOW) == 0
    assert fan.memory == {}


@pytest.mark.parametrize("missing", [0, START])
def test_a_duration_that_is_added_counts_from_when_it_was_last_enough(missing: int) -> None:
    rule = counting(**{"for": "30d"})
    fan = with_memory(rule, 0, missing, measure(), (), hours(1, 2, 3), ())
    assert rule.adopt(fan, WHO, NOW) == 0
    assert rule.until(fan) == START + 3 * HOUR + 30 * DAY


def test_the_longest_memory_of_other_rules_is_gone_on_with() -> None:
    rule = counting(tag="keen")
    short, long = counting(tag="a"), counting(tag="b")
    assert short.memory_key is not None
    assert long.memory_key is not None
    for keys in ((short.memory_key, long.memory_key), (long.memory_key, short.memory_key)):
        memories = {
            keys[0]: (0, 0, measure(1), (), hours(1), ()),
            keys[1]: (0, 0, measure(2), (), hours(1, 2, 3, 4), ()),
        }
        fan = Fan(memory=memories)
        rule.adopt(fan, WHO, NOW)
        assert kept(rule, fan)[4] == hours(1, 2, 3, 4)
        fan = Fan(retired={key: (NOW, memory) for key, memory in memories.items()})
        rule.adopt(fan, WHO, NOW)
        assert kept(rule, fan)[4] == hours(1, 2, 3, 4)


@pytest.mark.parametrize(("held_for", "more"), [(None, 0), ("30d", 30 * DAY)])
@pytest.mark.parametrize("known", [True, False])
def test_what_fits_no_more_is_begun_anew_and_doubted_only_where_memory_cannot_tell(
    held_for: str | None, more: int, *, known: bool
) -> None:
    rule = counting(where={"menu_key": "k"}, **({"for": held_for} if held_for else {}))
    alike = (("menu_key", mark_of("j")),) if known else ()
    fan = with_memory(rule, 0, 0, measure(), alike, hours(1, 2, 3), ())
    assert rule.adopt(fan, WHO, NOW) == (0 if known else NOW + 7 * DAY + more)
    earned, missing, (at_least, within, asked), *nothing = kept(rule, fan)
    assert (earned, missing, at_least, within, len(asked)) == (0, NOW, 3, 7 * DAY, 1)
    assert nothing == [(), (), ()]


@pytest.mark.parametrize(("held_for", "more"), [(None, 0), ("30d", 30 * DAY)])
def test_what_was_not_asked_for_may_still_make_it_enough_for_a_window(
    held_for: str | None, more: int
) -> None:
    rule = counting(at_least=4, **({"for": held_for} if held_for else {}))
    asked = (mark_of("('menu_key', 'k')"),)
    fan = with_memory(rule, 0, 0, measure(asked=asked), (), hours(1, 2, 3), ())
    assert rule.adopt(fan, WHO, NOW) == NOW + 7 * DAY + more
    assert kept(rule, fan)[:2] == (0, NOW)


def test_what_was_all_counted_and_is_not_enough_is_not_doubted() -> None:
    rule = counting(at_least=4)
    fan = with_memory(rule, 0, 0, measure(), (), hours(1, 2, 3), ())
    assert rule.adopt(fan, WHO, NOW) == 0
    assert rule.until(fan) == 0


def test_slots_are_counted_one_by_one_as_far_as_memory_goes() -> None:
    """16 are remembered; of more it is not known when the others were."""
    rule = counting()
    for amounts, missing in (((5, 5, 6), 0), ((5, 5, 7), START + 3 * HOUR)):
        fan = with_memory(rule, 0, 0, measure(100), (), hours(1, 2, 3), amounts)
        rule.adopt(fan, WHO, NOW)
        assert kept(rule, fan)[1] == missing
        assert len(kept(rule, fan)[4]) == 16


@pytest.mark.parametrize(
    ("at_least", "days", "stays"),
    [(3, 7, True), (3, 8, True), (2, 7, True), (2, 8, True), (4, 7, False), (3, 6, False)],
)
def test_what_was_earned_stays_earned_where_the_rule_asks_for_no_more(
    at_least: int, days: int, *, stays: bool
) -> None:
    """What it was earned by may be forgotten by now."""
    rule = counting(at_least=at_least, within=f"{days}d", **{"for": "30d"})
    fan = with_memory(rule, START, 0, measure(), (), (), ())
    rule.adopt(fan, WHO, NOW)
    assert kept(rule, fan)[0] == (START if stays else 0)


def test_staff_see_how_much_of_a_sum_is_in_the_window() -> None:
    rule = summing()
    fan = with_memory(rule, 0, 0, (1_000, 7 * DAY, ()), (), hours(0, 30), (400, 300))
    assert rule.remembered(fan, START + 7 * DAY - 1) == {"counted": 700, "at_least": 1_000}
    assert rule.remembered(fan, START + 7 * DAY) == {"counted": 300, "at_least": 1_000}


def test_older_memory_of_a_count_began_with_what_was_just_enough() -> None:
    rule = counting(at_least=2)
    old = {"fa386f6d2e293550": (0, tuple((at, 1) for at in hours(1, 2)))}
    fan = Fan(memory=old)
    assert rule.adopt(fan, WHO, NOW) == 0
    assert kept(rule, fan)[:2] == (0, START + HOUR)
    assert kept(rule, fan)[4:] == (hours(1, 2), ())
    fan = Fan(memory=dict.fromkeys(old, (0, ())))
    rule.adopt(fan, WHO, NOW)
    assert kept(rule, fan)[:2] == (0, 0)


def test_older_memory_of_a_count_is_found_by_its_conditions() -> None:
    rule = counting(at_least=2, where={"menu_key": "k"})
    fan = Fan(memory={"54c3e9484a23c97c": (0, tuple((at, 1) for at in hours(1, 2)))})
    rule.adopt(fan, WHO, NOW)
    assert kept(rule, fan)[4:] == (hours(1, 2), ())
    other = counting(at_least=2, where={"menu_key": "j"})
    other.adopt(fan, WHO, NOW)
    assert other.until(fan) == 0


def test_older_memory_of_a_sum_keeps_its_amounts() -> None:
    rule = summing()
    width = -(-7 * DAY // 64)
    slot = START - START % width
    fan = Fan(memory={"26c2fed350983f7f": (0, ((slot, 900), (slot + width, 100)))})
    rule.adopt(fan, WHO, NOW)
    assert kept(rule, fan)[4:] == ((slot + width - 1, slot + 2 * width - 1), (900, 100))
    assert rule.until(fan) == slot + width - 1 + 7 * DAY


def test_words_are_taken_over_from_wherever_they_lie_at_their_newest() -> None:
    rule, other, removed = asking("发票", "价格"), asking("x"), asking("y")
    subject = (rule.memory_key or "")[:8]
    fan = Fan(
        memory={f"{subject}aaaaaaaa": (("发票", 10), ("vip", 30)), "else": (("发票", 99),)},
        retired={
            f"{subject}bbbbbbbb": (NOW, (("发票", 5), ("价格", 20))),
            "elsewhere": (NOW, (("价格", 99),)),
        },
    )
    assert rule.adopt(fan, WHO, NOW) == 0
    assert kept(rule, fan) == (("价格", 20), ("发票", 10))
    assert other.memory_key == removed.memory_key == rule.memory_key, "by tag, not by words"
    fan = Fan(memory={"58a24c9366d53f98": (("發票", START),)})
    assert rule.adopt(fan, WHO, NOW) == 0
    assert kept(rule, fan) == (("发票", START),)


def test_the_sixteen_words_that_were_written_last_are_remembered() -> None:
    words = [f"w{number:02}" for number in range(18)]
    rule, fan = asking(*words), Fan()
    for hour, word in enumerate(reversed(words)):
        assert rule.observe(fan, wrote(word, START + hour * HOUR))
    newest = [(word, START + (17 - number) * HOUR) for number, word in enumerate(words)]
    assert kept(rule, fan) == tuple(newest[:16])
    fan = Fan()
    for hour, word in enumerate(words):
        assert rule.observe(fan, wrote(word, START + hour * HOUR))
    assert [word for word, _ in kept(rule, fan)] == words[:1:-1]


def test_of_more_words_in_one_message_the_first_by_name_are_remembered() -> None:
    words = [f"w{number:02}" for number in range(18)]
    rule, fan = asking(*words), Fan()
    text = " ".join(reversed(words))
    assert rule.observe(fan, wrote(text))
    assert [word for word, _ in kept(rule, fan)] == words[:16]


def test_words_that_share_a_character_are_both_found() -> None:
    rule, fan = asking("红包", "包邮", "红"), Fan()
    assert rule.observe(fan, wrote("红包邮"))
    assert {word for word, _ in kept(rule, fan)} == {"红包", "包邮", "红"}


def test_what_is_written_in_a_comment_is_no_message() -> None:
    rule, fan = asking("价格"), Fan()
    about = OF_A_FAN | {"occurred_at": START}
    comment = CommentPosted(article="1", comment_id="2", text="价格", **about)
    assert not rule.observe(fan, comment)
    assert fan.memory == {}
