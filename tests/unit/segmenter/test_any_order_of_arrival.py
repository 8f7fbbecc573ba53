"""In whatever order a fan's acts arrive, the fan ends with the same tags, until the same instant.

Within what is remembered: so many happenings that the oldest leave are tested apart.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from services.segmenter.domain.fan import NEVER, Fan
from services.segmenter.domain.record import dump_fan, load_fan
from services.segmenter.domain.rules_file import parse_rules
from services.segmenter.domain.tagging import apply_event
from shared.events import Event, MenuClicked, PurchaseMade
from tests.support.fan_histories import KEY, RULES_TEXT, START, WHO, acts
from tests.support.oracle_segmenter import FOREVER, expected_ends

BOOK = parse_rules(RULES_TEXT, "tags.yaml")
RULES = yaml.safe_load(RULES_TEXT)["tags"]
DAY = 86_400_000
FAN = ("wechat", "gh_1", "openid-1")


def _ends(events: Sequence[Event], rules: str | None = None) -> dict[str, int]:
    book = BOOK if rules is None else parse_rules("tags:\n  - " + rules, "tags.yaml")
    fan = Fan()
    for index, event in enumerate(events):
        fan, _ = apply_event(book, fan, FAN, event, f"id-{index}")
        fan = load_fan(dump_fan(fan))
    return {tag: held.until - START for tag, held in fan.tags.items()}


def _click(day: float) -> Event:
    return MenuClicked(menu_key="k", **WHO | {"occurred_at": START + round(day * DAY)})


def _buy(day: float, amount: int) -> Event:
    when = {"occurred_at": START + round(day * DAY)}
    return PurchaseMade(order_id="o", amount_minor=amount, **WHO | when)


@given(acts(), st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_any_order_gives_the_tags_that_the_whole_of_the_acts_gives(
    done: list[Event], chance: random.Random
) -> None:
    shuffled = list(done)
    chance.shuffle(shuffled)
    expected = {
        tag: (NEVER if end == FOREVER else end) - START
        for tag, end in expected_ends(done, RULES)[KEY].items()
    }
    assert _ends(done) == expected
    assert _ends(shuffled) == expected


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.data())
@settings(max_examples=200, deadline=None)
def test_with_for_any_order_of_the_same_clicks_gives_the_same_end(
    days: list[int], data: st.DataObject
) -> None:
    rule = "{tag: keen, kind: count, event: MenuClicked, at_least: 3, within: 2d, for: 9d}"
    full = [day for day in days if sum(day - 2 < other <= day for other in days) >= 3]
    expected = {"keen": (max(full) + 9) * DAY} if full and max(full) + 9 > max(days) else {}
    assert _ends([_click(day) for day in data.draw(st.permutations(days))], rule) == expected


def test_clicks_that_come_late_earn_the_tag_although_a_newer_one_is_known() -> None:
    rule = "{tag: keen, kind: count, event: MenuClicked, at_least: 2, within: 1d, for: 30d}"
    for days in ([0, 0.5, 5], [0, 5, 0.5], [0.5, 5, 0], [5, 0.5, 0]):
        assert _ends([_click(day) for day in days], rule) == {"keen": round(30.5 * DAY)}


def test_an_order_that_comes_late_is_added_to_those_of_its_own_day() -> None:
    rule = (
        "{tag: big, kind: count, event: PurchaseMade, sum: amount_minor, at_least: 50000, "
        "within: 1d, for: 90d}"
    )
    orders = [_buy(0, 30_000), _buy(0.1, 30_000), _buy(3, 100)]
    slot = DAY // 64
    end = START + round(0.1 * DAY)
    expected = {"big": end - end % slot + slot - 1 - START + 90 * DAY}
    assert _ends(orders, rule) == expected
    assert _ends([orders[0], orders[2], orders[1]], rule) == expected
    assert _ends([orders[2], orders[1], orders[0]], rule) == expected


def test_older_happenings_are_remembered_until_many_newer_ones_are_known() -> None:
    rule = "{tag: keen, kind: count, event: MenuClicked, at_least: 2, within: 1d, for: 400d}"
    every_other_day = [_click(2 * n + 10) for n in range(127)]
    assert _ends([_click(0), *every_other_day, _click(0.5)], rule) == {"keen": round(400.5 * DAY)}
    more = [*every_other_day, _click(2 * 127 + 10)]
    assert _ends([_click(0), *more, _click(0.5)], rule) == {}, "as the rule's docstring says"
