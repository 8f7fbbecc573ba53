"""What a shop may say of the future, and what makes two posts one event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ingest.domain.incoming import Incoming, flatten, id_of
from services.ingest.domain.refusals import Refusal
from services.ingest.domain.shop_events import FUTURE_S, understand_shop
from shared.events import PurchaseMade
from shared.events.envelope import format_time
from shared.platforms.fields import Fields

SIGNED_AT = 1_764_000_000
ACCOUNTS = {("wechat", "brand"): "gh_brand"}
ABOUT = {"platform": "wechat", "account": "brand", "fan": "o1"}


def post(timestamp: str = "", **data: Any) -> Incoming | Refusal:
    body: dict[str, Any] = {
        "type": "order.paid",
        "data": {**ABOUT, "order_id": "A-1", "amount_minor": 100, **data},
    }
    if timestamp:
        body["timestamp"] = timestamp
    return understand_shop(
        json.dumps(body).encode(),
        shop="shop",
        webhook_id="msg_1",
        signed_at=SIGNED_AT,
        accounts=ACCOUNTS,
    )


@pytest.mark.parametrize(
    ("ahead_ms", "taken"),
    [(-86_400_000, True), (0, True), (FUTURE_S * 1000, True), (FUTURE_S * 1000 + 1, False)],
)
def test_a_post_may_tell_of_the_near_future_and_no_further(ahead_ms: int, *, taken: bool) -> None:
    found = post(format_time(SIGNED_AT * 1000 + ahead_ms))
    if not taken:
        assert found is Refusal.MALFORMED
        return
    assert isinstance(found, Incoming)
    assert found.event.occurred_at == SIGNED_AT * 1000 + ahead_ms


def test_without_a_time_of_its_own_a_post_happened_when_it_was_signed() -> None:
    found = post()
    assert isinstance(found, Incoming)
    assert isinstance(found.event, PurchaseMade)
    assert found.event.occurred_at == SIGNED_AT * 1000


def test_a_time_in_the_body_keeps_its_milliseconds_and_its_zone() -> None:
    found = post("2025-11-25T00:00:00.789+08:00")
    assert isinstance(found, Incoming)
    assert found.event.occurred_at == SIGNED_AT * 1000 + 789


def content_id(fields: Fields, **changes: str) -> str:
    head = {
        "platform": "wechat",
        "account": "gh_brand",
        "sender": "o1",
        "time": "1764000000",
        "kind": "event.click",
        "own_id": "",
        **changes,
    }
    return id_of(**head, content=flatten(fields))


def test_the_order_of_fields_does_not_change_the_id_of_what_was_sent() -> None:
    one = content_id({"A": "1", "B": {"C": "2", "D": "3"}, "E": ["4", "5"]})
    two = content_id({"E": ["4", "5"], "B": {"D": "3", "C": "2"}, "A": "1"})
    assert one == two


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"A": "1", "B": "3"},
        {"A": "2", "B": "1"},
        {"A": "1"},
        {"A": "1", "B": "2", "C": ""},
        {"A1": "", "B": "2"},
        {"A": "1B2"},
        {"B": "2", "A": "", "1": ""},
    ],
)
def test_other_fields_have_another_id(fields: Fields) -> None:
    assert content_id(fields) != content_id({"A": "1", "B": "2"})


@pytest.mark.parametrize("name", ["platform", "account", "sender", "time", "kind", "own_id"])
def test_each_part_of_the_head_belongs_to_the_id(name: str) -> None:
    assert content_id({"A": "1"}, **{name: "another"}) != content_id({"A": "1"})


def test_long_ids_of_a_platform_that_begin_alike_are_told_by_their_length() -> None:
    ids = {content_id({}, own_id="9" * length) for length in (127, 128, 129, 130)}
    assert len(ids) == 4


def test_nested_fields_are_named_by_their_way() -> None:
    fields: Fields = {"A": "1", "B": {"C": {"D": "2"}}, "L": [{"T": "3"}, "4"], "N": {}}
    assert flatten(fields) == {"A": "1", "B.C.D": "2", "L.T": "3", "L.1": "4"}
