"""What an edit of the rule file does to those who hold the tag, and to those who don't."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.segmenter.domain.fan import KEPT_MS, Fan
from services.segmenter.domain.record import dump_fan, load_fan
from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules_file import parse_rules
from services.segmenter.domain.tagging import advance, apply_event
from shared.events import (
    Event,
    FanFollowed,
    FanUnfollowed,
    MenuClicked,
    MessageReceived,
    PurchaseMade,
    QrScanned,
    TagEvent,
    stable_id,
)
from tests.support.fan_histories import KEY, START, WHO
from tests.support.oracle_segmenter import expected_ends

FAN = ("wechat", "gh_1", "openid-1")
HOUR, DAY = 3_600_000, 86_400_000
CLICKS: dict[str, Any] = {
    "tag": "active", "kind": "count", "event": "MenuClicked", "at_least": 3, "within": "7d",
}  # fmt: skip
SPENT: dict[str, Any] = {
    "tag": "vip", "kind": "count", "event": "PurchaseMade", "sum": "amount_minor",
    "at_least": 1_000, "within": "7d",
}  # fmt: skip


def _book(*rules: dict[str, Any]) -> RuleBook:
    return parse_rules(repr({"tags": list(rules)}), "tags.yaml")


def _click(at: int, key: str = "k") -> Event:
    return MenuClicked(menu_key=key, **WHO | {"occurred_at": START + at})


def _says(text: str, at: int = 0) -> Event:
    return MessageReceived(message_type="text", text=text, **WHO | {"occurred_at": START + at})


def _buy(amount: int, at: int) -> Event:
    when = {"occurred_at": START + at}
    return PurchaseMade(order_id=str(at), amount_minor=amount, **WHO | when)


def _live(book: RuleBook, events: list[Event]) -> Fan:
    fan = Fan()
    for index, event in enumerate(events):
        fan, _ = apply_event(book, fan, FAN, event, f"id-{index}")
    return load_fan(dump_fan(fan))


def _edit(fan: Fan, book: RuleBook, after: int = 1_000) -> tuple[Fan, list[TagEvent]]:
    moved = advance(book, fan, FAN, fan.clock + after)
    assert moved is not None
    return load_fan(dump_fan(moved[0])), moved[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"within": "30d"},
        {"within": "8d"},
        {"at_least": 2},
        {"at_least": 1, "within": "400d"},
        {"where": {"menu_key": "k"}},
        {"where": {"menu_key": {"prefix": "k"}}},
        {"where": {"account": "gh_1", "fan": {"prefix": "open"}}},
        {"for": "30d"},
        {"description": "说明", "within": "9d"},
    ],
)
def test_who_meets_the_edited_rule_keeps_the_tag_and_nobody_is_told(
    changes: dict[str, Any],
) -> None:
    fan = _live(_book(CLICKS), [_click(n * 6 * HOUR) for n in range(3)])
    end = fan.tags["active"].until
    fan, told = _edit(fan, _book(CLICKS | changes))
    assert (set(fan.tags), told) == ({"active"}, [])
    assert fan.tags["active"].until >= end


def test_a_threshold_that_the_fan_had_passed_by_far_is_still_passed_when_it_rises() -> None:
    fan = _live(_book(CLICKS), [_click(n * 6 * HOUR) for n in range(10)])
    edited = _book(CLICKS | {"at_least": 5})
    fan, told = _edit(fan, edited)
    assert told == []
    assert fan.tags["active"].until == START + 5 * 6 * HOUR + 7 * DAY
    fan, told = _edit(fan, _book(CLICKS | {"at_least": 11}))
    assert [(c.tag, c.because) for c in told] == [("active", "rule_changed")]


def test_a_rule_that_is_no_longer_met_takes_the_tag() -> None:
    fan = _live(_book(CLICKS), [_click(n * DAY) for n in range(3)])
    for changes in (
        {"at_least": 4},
        {"within": "1d"},
        {"where": {"menu_key": "j"}},
        {"where": {"account": "gh_2"}},
        {"event": "QrScanned"},
    ):
        after, told = _edit(fan, _book(CLICKS | changes))
        assert (dict(after.tags), len(told)) == ({}, 1), changes


def test_where_memory_cannot_tell_the_tag_is_held_until_the_end_it_had() -> None:
    fan = _live(_book(CLICKS), [_click(n, "kj"[n % 2]) for n in range(4)])
    end = fan.tags["active"].until
    edited = _book(CLICKS | {"where": {"menu_key": "k"}})
    fan, told = _edit(fan, edited)
    assert (told, fan.tags["active"].until) == ([], end)
    fan, told = apply_event(edited, fan, FAN, _click(HOUR), "later")
    assert fan.tags["active"].until == end, "one click of the new rule's ends nothing"
    fan, told = _edit(fan, _book(CLICKS | {"where": {"menu_key": "k"}}, SPENT))
    assert (told, fan.tags["active"].until) == ([], end), "nor does an edit of another line"
    moved = advance(edited, fan, FAN, end)
    assert moved is not None
    assert [(c.because, c.occurred_at) for c in moved[1]] == [("time", end)]


def test_a_threshold_beyond_what_is_remembered_leaves_holders_what_may_still_be_true() -> None:
    fan = _live(_book(CLICKS), [_click(n * HOUR) for n in range(40)])
    fan, told = _edit(fan, _book(CLICKS | {"at_least": 30}))
    newest_forgotten = START + 23 * HOUR
    assert (told, fan.tags["active"].until) == ([], newest_forgotten + 7 * DAY)


def test_conditions_taken_out_count_what_met_them_and_no_end_comes_nearer() -> None:
    narrow = CLICKS | {"where": {"menu_key": "k"}}
    fan = _live(_book(narrow), [_click(n, "k") for n in range(3)])
    end = fan.tags["active"].until
    fan, told = _edit(fan, _book(CLICKS))
    assert (told, fan.tags["active"].until) == ([], end)
    fan, told = _edit(fan, _book(CLICKS | {"at_least": 4}))
    assert told == [], "others may have been clicked before: nobody counted them"


def test_a_rule_put_back_within_a_day_gives_the_tag_again_as_it_was() -> None:
    both = _book(CLICKS, {"tag": "asked", "kind": "keywords", "any_of": ["价格"], "for": "9d"})
    fan = _live(both, [*(_click(n) for n in range(3)), _says("价格", 5)])
    ends = {tag: held.until for tag, held in fan.tags.items()}
    fan, told = _edit(fan, _book(SPENT))
    assert {change.tag for change in told} == {"active", "asked"}
    assert dict(fan.tags) == {}
    fan, _ = apply_event(_book(SPENT), fan, FAN, _says("hm", 2_000), "between")
    fan, told = _edit(fan, both, after=DAY - HOUR)
    assert [(type(c).__name__, c.because) for c in told] == [("TagAssigned", "rule_changed")] * 2
    assert {tag: held.until for tag, held in fan.tags.items()} == ends
    assert fan.retired == {}
    fan, _ = apply_event(both, fan, FAN, _click(2 * DAY), "go on")
    assert fan.tags["active"].until == START + 1 + 7 * DAY


def test_what_a_removed_rule_remembered_is_forgotten_after_a_day_by_time_alone() -> None:
    fan = _live(_book(CLICKS), [_click(n) for n in range(3)])
    fan, _ = _edit(fan, _book(), after=0)
    assert fan.due == fan.clock + KEPT_MS
    moved = advance(_book(), fan, FAN, fan.due)
    assert moved is not None
    assert (moved[0].retired, moved[0].memory, moved[1]) == ({}, {}, [])
    fan, told = _edit(moved[0], _book(CLICKS))
    assert (dict(fan.tags), told) == ({}, [])


def test_an_event_that_was_long_on_its_way_does_not_shorten_the_day() -> None:
    fan = _live(_book(CLICKS), [_click(n) for n in range(3)])
    today = START + 90 * DAY
    fan, _ = apply_event(_book(), fan, FAN, _says("hm", HOUR), "late", today=today)
    assert fan.due == today + KEPT_MS


def test_who_leaves_is_forgotten_with_what_removed_rules_remembered() -> None:
    fan = _live(_book(CLICKS), [_click(n) for n in range(3)])
    fan, _ = _edit(fan, _book())
    leaving = FanUnfollowed(**WHO | {"occurred_at": fan.clock})
    fan, _ = apply_event(_book(), fan, FAN, leaving, "bye")
    assert dump_fan(fan)["memory"] == {}


def test_a_renamed_tag_goes_to_those_who_had_the_old_one() -> None:
    words = {"tag": "asked", "kind": "keywords", "any_of": ["价格", "优惠"], "for": "9d"}
    fan = _live(_book(CLICKS, words), [*(_click(n) for n in range(3)), _says("优惠", 5)])
    renamed = _book(CLICKS | {"tag": "aktiv"}, words | {"tag": "fragt", "any_of": ["优惠"]})
    fan, told = _edit(fan, renamed)
    assert set(fan.tags) == {"aktiv", "fragt"}
    assert len(told) == 4


def test_a_new_rule_finds_what_another_one_of_the_same_subject_remembers() -> None:
    fan = _live(_book(CLICKS), [_click(n * HOUR) for n in range(8)])
    keen = CLICKS | {"tag": "keen", "at_least": 8, "within": "1d"}
    fan, told = _edit(fan, _book(CLICKS, keen))
    assert [c.tag for c in told] == ["keen"]
    assert fan.tags["keen"].until == START + DAY
    other = _book(CLICKS | {"tag": "other", "where": {"menu_key": "j"}})
    assert _edit(fan, other)[0].tags == {}


def test_no_tag_is_given_that_had_run_out_by_our_clock() -> None:
    fan = _live(_book(CLICKS), [_click(0)])
    looser = _book(CLICKS | {"at_least": 1})
    moved = advance(looser, fan, FAN, 0, today=START + 8 * DAY)
    assert moved is not None
    assert (dict(moved[0].tags), moved[1]) == ({}, [])
    moved = advance(looser, fan, FAN, 0, today=START + 6 * DAY)
    assert moved is not None
    assert moved[0].tags["active"].until == START + 7 * DAY


def test_sums_go_on_in_slots_of_the_new_window() -> None:
    fan = _live(_book(SPENT), [_buy(400, n * HOUR) for n in range(4)])
    for changes in ({"within": "30d"}, {"at_least": 1_500}, {"within": "1d"}, {"for": "9d"}):
        after, told = _edit(fan, _book(SPENT | changes))
        assert (set(after.tags), told) == ({"vip"}, []), changes
    after, told = _edit(fan, _book(SPENT | {"at_least": 1_601}))
    assert (dict(after.tags), len(told)) == ({}, 1)


def test_a_count_too_large_for_single_happenings_goes_on_in_slots_and_back() -> None:
    many = CLICKS | {"at_least": 65, "within": "30d"}
    fan = _live(_book(many), [_click(n * HOUR) for n in range(70)])
    fan, told = _edit(fan, _book(CLICKS | {"within": "30d"}))
    assert (set(fan.tags), told) == ({"active"}, [])
    assert fan.tags["active"].until >= START + 67 * HOUR + 30 * DAY
    fan, told = _edit(fan, _book(many))
    assert told == [], "what single happenings can't show is not held against the fan"


def test_memory_of_an_older_form_is_taken_over() -> None:
    words = {"tag": "asked", "kind": "keywords", "any_of": ["发票"]}
    held_for = CLICKS | {"tag": "for", "for": "30d"}
    book = _book(CLICKS, held_for, SPENT, words)
    fan = _live(book, [*(_click(n) for n in range(3)), _buy(2_000, 10), _says("发票", 11)])
    expected = load_fan(dump_fan(fan))
    week, width = 7 * DAY, -(-7 * DAY // 64)

    def old(*parts: str | int) -> str:
        return stable_id(*parts)[:16]

    three = tuple((START + n, 1) for n in range(3))
    slot = START + 10 - (START + 10) % width
    fan.memory = {
        old("count", "active", "MenuClicked", "", week, 1): (0, three),
        old("count", "for", "MenuClicked", "", week, 1): (START + 2, three),
        old("count", "vip", "PurchaseMade", "amount_minor", week, width): (0, ((slot, 1_000),)),
        old("keywords", "asked"): (("發票", START + 11),),
    }
    fan.rules = "the digest of an older version"
    fan, told = _edit(load_fan(dump_fan(fan)), book)
    assert told == []
    assert dict(fan.tags) == dict(expected.tags)
    again, told = _edit(fan, _book(CLICKS, held_for | {"for": "60d"}, SPENT, words))
    assert told == []
    assert again.tags["for"].until == START + 2 + 60 * DAY
    after, _ = apply_event(book, fan, FAN, _click(HOUR), "next")
    assert after.tags["active"].until == START + 1 + week


@given(
    st.lists(st.integers(0, 9 * DAY), min_size=1, max_size=16),
    *(
        st.tuples(
            st.integers(1, 8), st.sampled_from([1, 2, 5, 9]), st.sampled_from([None, 1, 3, 12])
        )
        for _ in range(2)
    ),
)
@settings(max_examples=400, deadline=None)
def test_after_any_edit_that_memory_can_follow_the_tag_is_as_if_the_rule_had_always_been_so(
    times: list[int],
    before: tuple[int, int, int | None],
    after: tuple[int, int, int | None],
) -> None:
    def rule(parts: tuple[int, int, int | None]) -> dict[str, Any]:
        held = {} if parts[2] is None else {"for": f"{parts[2]}d"}
        return CLICKS | {"at_least": parts[0], "within": f"{parts[1]}d"} | held

    events = [_click(at) for at in times]
    fan = _live(_book(rule(before)), events)
    moved = advance(_book(rule(after)), fan, FAN, fan.clock)
    fan = fan if moved is None else moved[0]
    expected = expected_ends(events, [rule(after)])[KEY]
    assert {tag: held.until for tag, held in fan.tags.items()} == expected


@given(
    st.lists(st.tuples(st.integers(0, 9 * DAY), st.integers(1, 900)), min_size=1, max_size=20),
    *(st.tuples(st.integers(1, 3_000), st.sampled_from([1, 2, 5, 9])) for _ in range(2)),
)
@settings(max_examples=200, deadline=None)
def test_after_an_edit_a_sum_is_never_held_shorter_and_at_most_the_slots_longer(
    orders: list[tuple[int, int]], before: tuple[int, int], after: tuple[int, int]
) -> None:
    def rule(parts: tuple[int, int]) -> dict[str, Any]:
        return SPENT | {"at_least": parts[0], "within": f"{parts[1]}d"}

    events = [_buy(amount, at) for at, amount in orders]
    fan = _live(_book(rule(before)), events)
    moved = advance(_book(rule(after)), fan, FAN, fan.clock)
    fan = fan if moved is None else moved[0]
    end = expected_ends(events, [rule(after)])[KEY].get("vip", 0)
    until = fan.tags["vip"].until if fan.tags else 0
    assert until >= end
    if end:
        assert until <= end + (before[1] + after[1]) * DAY // 64 + 2


@given(
    st.lists(st.sampled_from(["价格", "優惠", "發票", "你好"]), min_size=1, max_size=6),
    *(st.sets(st.sampled_from(["价格", "优惠", "发票"]), min_size=1) for _ in range(2)),
)
def test_after_words_changed_the_tag_follows_those_that_were_in_both_files(
    texts: list[str], before: set[str], after: set[str]
) -> None:
    def rule(words: set[str]) -> dict[str, Any]:
        return {"tag": "asked", "kind": "keywords", "any_of": sorted(words)}

    events = [_says(text, n) for n, text in enumerate(texts)]
    fan = _live(_book(rule(before)), events)
    moved = advance(_book(rule(after)), fan, FAN, fan.clock)
    fan = fan if moved is None else moved[0]
    both = [rule(before & after)] if before & after else []
    assert set(fan.tags) == set(expected_ends(events, both)[KEY])


def test_the_scene_needs_no_memory_so_any_edit_is_exact() -> None:
    def rule(**scene: Any) -> RuleBook:
        return _book({"tag": "shop", "kind": "source_scene"} | scene)

    follow = FanFollowed(scene="store-1", **WHO | {"occurred_at": START})
    scan = QrScanned(scene="store-2", **WHO | {"occurred_at": START + 1})
    fan = _live(rule(prefix="store-"), [follow, scan])
    assert _edit(fan, rule(scenes=["store-1"]))[1] == []
    assert _edit(fan, rule(scenes=["store-2"]))[0].tags == {}
