"""A push of 64 KiB may not become an event of many times its size."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ingest.domain.incoming import MOST_CHARS, flatten
from services.ingest.domain.refusals import Refusal
from services.ingest.handlers.webhooks import MOST_VALUE_BYTES
from shared.events import (
    OtherReceived,
    PurchaseMade,
)
from shared.platforms.fields import BodyError, BodyFault
from tests.support.platform_pushes import (
    NOW,
    ORDER,
    plain_request,
    sealed_request,
    shop_door,
    shop_request,
    wechat_door,
    weibo_door,
    weibo_request,
)
from tests.unit.ingest.reading import shop

# Bounds

DEEP_NAME = "n" * 8_000


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"<xml>" + b"<a/>" * 257 + b"</xml>", Refusal.TOO_MANY),
        (b"<xml><l>" + b"<a>1</a>" * 256 + b"</l></xml>", Refusal.TOO_MANY),
        (f"<xml><{DEEP_NAME}>{'<a>1</a>' * 100}</{DEEP_NAME}></xml>".encode(), Refusal.TOO_LONG),
        (json.dumps({"a": [0] * 257}).encode(), Refusal.TOO_MANY),
        (json.dumps({DEEP_NAME: [{"a": 0}] * 30}).encode(), Refusal.TOO_LONG),
        (b"<xml>" + b"<a>" * 12 + b"</a>" * 12 + b"</xml>", Refusal.TOO_DEEP),
    ],
)
def test_a_push_that_would_grow_beyond_any_measure_is_refused_for_good(
    body: bytes, refusal: Refusal
) -> None:
    assert wechat_door().read(sealed_request(body), NOW) is refusal
    assert wechat_door(allow_plain=True).read(plain_request(body), NOW) is refusal
    assert weibo_door().read(weibo_request(body), NOW) is refusal


def test_an_order_of_hundreds_of_items_is_taken_and_one_of_thousands_is_not() -> None:
    def order(count: int) -> dict[str, Any]:
        return {**ORDER, "data": {**ORDER["data"], "items": ["茶"] * count}}  # type: ignore[dict-item]

    event = shop(order(1_000)).event
    assert isinstance(event, PurchaseMade)
    assert len(event.items) == 1_000
    assert shop_door().read(shop_request(order(3_000)), NOW) is Refusal.TOO_MANY


def test_the_largest_fields_make_an_event_that_the_log_accepts() -> None:
    """Three bytes a character is what a broken byte becomes."""
    name = "名" * 1_000
    widest = {name: ["�" * 129_000]}
    event = OtherReceived(
        occurred_at=0,
        platform="weibo",
        account="a",
        fan="f",
        authenticated_by="weibo",
        kind="k",
        fields=flatten(widest),
    )
    assert len(event.to_json()) < MOST_VALUE_BYTES
    with pytest.raises(BodyError) as caught:
        flatten({name: ["�" * (MOST_CHARS - 999)]})
    assert caught.value.fault is BodyFault.TOO_LONG
