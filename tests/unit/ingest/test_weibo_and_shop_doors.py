from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.incoming import Incoming
from services.ingest.domain.refusals import Refusal
from services.ingest.ports import Request
from shared.events import (
    Event,
    FanFollowed,
    FanUnfollowed,
    LinkViewed,
    MenuClicked,
    MessageReceived,
    OtherReceived,
    PurchaseMade,
    QrScanned,
)
from tests.support.platform_pushes import (
    GH,
    NOW,
    ORDER,
    WEIBO_SECRET,
    WEIBO_UID,
    sha1,
    shop_door,
    shop_request,
    weibo_door,
    weibo_push,
    weibo_request,
)

ABOUT: dict[str, Any] = {
    "occurred_at": 1_764_000_000_000,
    "platform": "weibo",
    "account": WEIBO_UID,
    "fan": "2489518277",
    "authenticated_by": "weibo",
}


def read(body: bytes) -> Incoming:
    found = weibo_door().read(weibo_request(body), NOW)
    assert isinstance(found, Incoming)
    return found


def subtype(name: str, **data: str) -> dict[str, Any]:
    return {"type": "event", "text": "", "data": {"subtype": name, **data}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": "难吃"}, MessageReceived(**ABOUT, message_type="text", text="难吃")),
        (
            {
                "type": "position",
                "text": "发送了一个位置",
                "data": {"longitude": "1", "latitude": "2"},
            },
            MessageReceived(
                **ABOUT,
                message_type="position",
                fields={"longitude": "1", "latitude": "2", "text": "发送了一个位置"},
            ),
        ),
        (subtype("follow"), FanFollowed(**ABOUT)),
        (subtype("unfollow"), FanUnfollowed(**ABOUT)),
        (
            subtype("scan_follow", key="QR_LIMIT_SCENE_7", ticket="t"),
            FanFollowed(**ABOUT, scene="7", fields={"key": "QR_LIMIT_SCENE_7", "ticket": "t"}),
        ),
        (
            subtype("scan", key="7", ticket="t"),
            QrScanned(**ABOUT, scene="7", fields={"ticket": "t"}),
        ),
        (subtype("click", key="k"), MenuClicked(**ABOUT, menu_key="k")),
        (subtype("view", key="https://x"), LinkViewed(**ABOUT, url="https://x")),
        (
            {**subtype("unsubscribe"), "text": "td"},
            OtherReceived(
                **ABOUT, kind="event.unsubscribe", fields={"subtype": "unsubscribe", "text": "td"}
            ),
        ),
        (
            {"type": "mention", "text": "@", "data": {"subtype": "comment", "key": 5}},
            OtherReceived(
                **ABOUT,
                kind="mention.comment",
                fields={"subtype": "comment", "key": "5", "text": "@"},
            ),
        ),
    ],
)
def test_each_weibo_push_becomes_its_event(fields: dict[str, Any], expected: Event) -> None:
    assert read(weibo_push(**fields)).event == expected


def test_two_messages_in_one_second_differ_and_a_re_send_does_not() -> None:
    assert read(weibo_push(text="a")).id == read(weibo_push(text="a")).id
    assert read(weibo_push(text="a")).id != read(weibo_push(text="b")).id


def test_a_weibo_signature_is_bound_to_its_first_body() -> None:
    door = weibo_door()
    first = door.read(weibo_request(weibo_push(text="a")), NOW)
    assert isinstance(first, Incoming)
    assert door.read(weibo_request(weibo_push(text="b")), NOW) is Refusal.NONCE_REUSED
    assert door.read(weibo_request(weibo_push(text="a")), NOW + 200) == first


def test_weibos_verification_is_answered_with_the_echo_string() -> None:
    assert weibo_door().greet(weibo_request(b"", echostr="dnPdp"), NOW) == b"dnPdp"
    assert weibo_door().greet(weibo_request(b"", signature="0" * 40), NOW) is Refusal.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (weibo_request(weibo_push(), signature="0" * 40), Refusal.BAD_SIGNATURE),
        (weibo_request(weibo_push(), signature=""), Refusal.UNSIGNED),
        (weibo_request(weibo_push(), timestamp="1763999699000"), Refusal.STALE),
        (
            weibo_request(b"", timestamp="x", signature=sha1(WEIBO_SECRET, "x", "n1")),
            Refusal.UNSIGNED,
        ),
        (weibo_request(weibo_push(), timestamp="1763999699"), Refusal.STALE),  # seconds
        (weibo_request(weibo_push(), timestamp="01764000000000"), Refusal.UNSIGNED),
        (weibo_request(weibo_push(), timestamp="0176400000000"), Refusal.UNSIGNED),
        (weibo_request(weibo_push(), timestamp="17640000000"), Refusal.UNSIGNED),
        (weibo_request(weibo_push(receiver_id=1)), Refusal.WRONG_RECEIVER),
    ],
)
def test_a_bad_weibo_push_is_refused_with_its_reason(request_: Request, refusal: Refusal) -> None:
    assert weibo_door().read(request_, NOW) is refusal


def test_a_paid_order_becomes_a_purchase_of_its_fan() -> None:
    found = shop_door().read(shop_request(ORDER), NOW)
    assert isinstance(found, Incoming)
    assert found.event == PurchaseMade(
        occurred_at=1_764_000_000_000,
        platform="wechat",
        account=GH,
        fan="o6",
        authenticated_by="standard_webhooks",
        order_id="A-1",
        amount_minor=19900,
        items=("茶",),
    )
    assert found.source == "/shop/shop/ingest"


def test_a_webhook_id_names_the_event() -> None:
    def id_of(webhook_id: str) -> str:
        found = shop_door().read(shop_request(ORDER, webhook_id=webhook_id), NOW)
        assert isinstance(found, Incoming)
        return found.id

    assert id_of("msg_1") == id_of("msg_1") != id_of("msg_2")


def test_another_type_is_kept_with_its_fields() -> None:
    data = {"platform": "weibo", "account": "brand", "fan": "7", "coupon": {"id": 3}}
    found = shop_door().read(shop_request({"type": "coupon.used", "data": data}), NOW)
    assert isinstance(found, Incoming)
    assert found.event == OtherReceived(
        **{**ABOUT, "fan": "7", "authenticated_by": "standard_webhooks"},
        kind="coupon.used",
        fields={"platform": "weibo", "account": "brand", "fan": "7", "coupon.id": "3"},
    )


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        ([], Refusal.MALFORMED),
        ({}, Refusal.MALFORMED),
        ({**ORDER, "timestamp": "soon"}, Refusal.MALFORMED),
        ({**ORDER, "timestamp": "2025-11-25T00:00:00"}, Refusal.MALFORMED),
        ({**ORDER, "timestamp": "2999-01-01T00:00:00Z"}, Refusal.MALFORMED),
        ({**ORDER, "type": ""}, Refusal.MALFORMED),
        ({**ORDER, "data": {**ORDER["data"], "fan": ""}}, Refusal.MALFORMED),  # type: ignore[dict-item]
        ({**ORDER, "data": {**ORDER["data"], "amount_minor": -1}}, Refusal.MALFORMED),  # type: ignore[dict-item]
        ({**ORDER, "data": {**ORDER["data"], "platform": "qq"}}, Refusal.MALFORMED),  # type: ignore[dict-item]
        ({**ORDER, "data": {**ORDER["data"], "account": "x"}}, Refusal.WRONG_RECEIVER),  # type: ignore[dict-item]
    ],
)
def test_a_post_that_names_no_event_is_refused(document: object, refusal: Refusal) -> None:
    assert shop_door().read(shop_request(document), NOW) is refusal


def test_a_forged_stale_or_unsigned_post_is_refused() -> None:
    genuine = shop_request(ORDER)
    assert shop_door().read(genuine, NOW + 301) is Refusal.STALE
    forged = Request({}, genuine.headers, genuine.body + b" ")
    assert shop_door().read(forged, NOW) is Refusal.BAD_SIGNATURE
    assert shop_door().read(Request({}, {}, genuine.body), NOW) is Refusal.UNSIGNED
    long_id = shop_request(ORDER, webhook_id="m" * 257)
    assert shop_door().read(long_id, NOW) is Refusal.UNSIGNED
    assert shop_door().greet(genuine, NOW) is Refusal.METHOD


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*ORDER, "platform", "account", "fan", "order_id"]),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_whatever_a_shop_signs_is_taken_or_refused_but_never_raises(document: object) -> None:
    found = shop_door().read(shop_request(document), NOW)
    assert isinstance(found, Incoming | Refusal)
