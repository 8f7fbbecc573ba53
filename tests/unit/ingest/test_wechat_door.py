from __future__ import annotations

import json
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
    MassSendFinished,
    MenuClicked,
    MessageReceived,
    OtherReceived,
    QrScanned,
)
from tests.support.platform_pushes import (
    GH,
    NOW,
    TOKEN,
    plain_request,
    seal,
    sealed_request,
    sha1,
    text_xml,
    wechat_door,
    wechat_xml,
)

ABOUT = {
    "occurred_at": 1_764_000_000_000,
    "platform": "wechat",
    "account": GH,
    "fan": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
    "authenticated_by": "wechat_safe",
}


def read(clear: bytes) -> Incoming:
    found = wechat_door().read(sealed_request(clear), NOW)
    assert isinstance(found, Incoming)
    return found


def event(clear: bytes) -> Event:
    return read(clear).event


EVENTS: list[tuple[dict[str, str], Event]] = [
    (
        {"MsgType": "text", "Content": "难吃😡", "MsgId": "1", "bizmsgmenuid": "101"},
        MessageReceived(
            **ABOUT,
            message_type="text",
            text="难吃😡",
            fields={"MsgId": "1", "bizmsgmenuid": "101"},
        ),
    ),
    (
        {"MsgType": "image", "PicUrl": "http://p", "MediaId": "m", "MsgId": "1"},
        MessageReceived(
            **ABOUT,
            message_type="image",
            fields={"PicUrl": "http://p", "MediaId": "m", "MsgId": "1"},
        ),
    ),
    (
        {"MsgType": "event", "Event": "subscribe", "EventKey": "qrscene_123", "Ticket": "T"},
        FanFollowed(**ABOUT, scene="123", fields={"Ticket": "T"}),
    ),
    ({"MsgType": "event", "Event": "subscribe", "EventKey": ""}, FanFollowed(**ABOUT)),
    (
        {"MsgType": "event", "Event": "subscribe", "EventKey": "last_trade_no_4"},
        FanFollowed(**ABOUT, fields={"EventKey": "last_trade_no_4"}),
    ),
    (
        {"MsgType": "event", "Event": "subscribe", "EventKey": "scanbarcode|EAN_13|6901"},
        FanFollowed(**ABOUT, fields={"EventKey": "scanbarcode|EAN_13|6901"}),
    ),
    ({"MsgType": "event", "Event": "unsubscribe"}, FanUnfollowed(**ABOUT)),
    (
        {"MsgType": "event", "Event": "SCAN", "EventKey": "123", "Ticket": "T"},
        QrScanned(**ABOUT, scene="123", fields={"Ticket": "T"}),
    ),
    (
        {"MsgType": "event", "Event": "CLICK", "EventKey": "V1_TODAY"},
        MenuClicked(**ABOUT, menu_key="V1_TODAY"),
    ),
    (
        {"MsgType": "event", "Event": "VIEW", "EventKey": "https://x", "MenuId": "4"},
        LinkViewed(**ABOUT, url="https://x", fields={"MenuId": "4"}),
    ),
    (
        {"MsgType": "event", "Event": "LOCATION", "Latitude": "23.1", "Longitude": "113.3"},
        OtherReceived(
            **ABOUT, kind="event.LOCATION", fields={"Latitude": "23.1", "Longitude": "113.3"}
        ),
    ),
    (
        {"MsgType": "hologram", "Depth": "3", "MsgId": "9"},
        OtherReceived(**ABOUT, kind="hologram", fields={"Depth": "3", "MsgId": "9"}),
    ),
]


@pytest.mark.parametrize(("fields", "expected"), EVENTS)
def test_each_kind_of_push_becomes_its_event(fields: dict[str, str], expected: Event) -> None:
    assert event(wechat_xml(**fields)) == expected


def test_a_finished_mass_send_is_told_with_its_counts() -> None:
    fields = {
        "MsgID": "100",
        "Status": "send success",
        "TotalCount": "4",
        "FilterCount": "3",
        "SentCount": "2",
        "ErrorCount": "1",
    }
    clear = wechat_xml(MsgType="event", Event="MASSSENDJOBFINISH", **fields)
    expected = MassSendFinished(
        occurred_at=1_764_000_000_000,
        platform="wechat",
        account=GH,
        authenticated_by="wechat_safe",
        message_id="100",
        status="send success",
        total=4,
        filtered=3,
        sent=2,
        errors=1,
        fields={"FromUserName": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"},
    )
    assert event(clear) == expected


def test_nested_fields_of_another_event_are_kept() -> None:
    inner = b"<ScanCodeInfo><ScanType>qrcode</ScanType><ScanResult>1</ScanResult></ScanCodeInfo>"
    clear = wechat_xml(MsgType="event", Event="scancode_push", EventKey="k")
    found = event(clear.replace(b"</xml>", inner + b"</xml>"))
    assert isinstance(found, OtherReceived)
    assert found.fields == {
        "EventKey": "k",
        "ScanCodeInfo.ScanType": "qrcode",
        "ScanCodeInfo.ScanResult": "1",
    }


def test_json_inside_the_ciphertext_is_taken_too() -> None:
    clear = json.dumps(
        {
            "ToUserName": GH,
            "FromUserName": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
            "CreateTime": 1764000000,
            "MsgType": "event",
            "Event": "CLICK",
            "EventKey": "k",
        }
    ).encode()
    as_xml = wechat_xml(MsgType="event", Event="CLICK", EventKey="k")
    assert read(clear) == read(as_xml)


def test_a_message_is_named_by_its_own_id_whatever_seals_it() -> None:
    assert read(text_xml("a", "7")).id == read(text_xml("a", "7")).id
    assert read(text_xml("a", "7")).id != read(text_xml("a", "8")).id


@given(st.lists(st.sampled_from(["k1", "k2", "1764000001", "o2", "SCAN"]), unique=True))
def test_events_without_an_id_are_told_apart_by_any_difference(changes: list[str]) -> None:
    base = {"MsgType": "event", "Event": "CLICK", "EventKey": "k"}
    change = {
        "k1": {"EventKey": "k1"},
        "k2": {"MenuId": "k2"},
        "SCAN": {"Event": "SCAN"},
        "1764000001": {"CreateTime": "1764000001"},
        "o2": {"FromUserName": "o2"},
    }
    ids = {read(wechat_xml(**{**base, **change[name]})).id for name in changes}
    assert len(ids | {read(wechat_xml(**base)).id}) == len(changes) + 1


def test_an_event_sent_again_has_the_same_id() -> None:
    clear = wechat_xml(MsgType="event", Event="CLICK", EventKey="k")
    assert read(clear).id == read(clear).id


def test_the_envelope_starts_a_trace_that_a_re_send_joins() -> None:
    envelope = read(text_xml()).envelope()
    assert envelope.traceparent == f"00-{envelope.id}-{envelope.id[:16]}-01"
    assert (envelope.source, envelope.type) == (f"/wechat/{GH}/ingest", "MessageReceived")
    assert envelope.time == 1_764_000_000_000


def test_compatible_mode_believes_only_what_was_encrypted() -> None:
    lies = {"FromUserName": "o_somebody_else", "MsgType": "text", "Content": "lies"}
    found = wechat_door().read(sealed_request(text_xml("truth"), beside=lies), NOW)
    assert isinstance(found, Incoming)
    assert isinstance(found.event, MessageReceived)
    assert found.event.text == "truth"
    assert found.event.authenticated_by == "wechat_compatible"
    assert found.id == read(text_xml("truth")).id


def test_plain_mode_is_off_unless_enabled() -> None:
    assert wechat_door().read(plain_request(text_xml()), NOW) is Refusal.PLAIN_MODE
    found = wechat_door(allow_plain=True).read(plain_request(text_xml()), NOW)
    assert isinstance(found, Incoming)
    assert isinstance(found.event, MessageReceived)
    assert found.event.authenticated_by == "wechat_plain"
    raw = plain_request(text_xml(), encrypt_type="raw")
    assert wechat_door(allow_plain=True).read(raw, NOW) == found


def test_a_plain_signature_is_bound_to_its_first_body() -> None:
    door = wechat_door(allow_plain=True)
    first = door.read(plain_request(text_xml("first")), NOW)
    assert isinstance(first, Incoming)
    assert door.read(plain_request(text_xml("other")), NOW + 1) is Refusal.NONCE_REUSED
    assert door.read(plain_request(text_xml("first")), NOW + 299) == first
    assert isinstance(door.read(plain_request(text_xml("other"), nonce="n2"), NOW), Incoming)


def test_the_signature_of_a_verification_cannot_carry_a_body() -> None:
    door = wechat_door(allow_plain=True)
    assert door.greet(plain_request(b"", echostr="123"), NOW) == b"123"
    assert door.greet(plain_request(b"", echostr="123"), NOW) == b"123"
    assert door.read(plain_request(text_xml()), NOW) is Refusal.NONCE_REUSED


def with_query(request: Request, **query: str) -> Request:
    return Request({**request.query, **query}, request.headers, request.body)


ENCRYPTED = seal(text_xml())


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (with_query(sealed_request(text_xml()), msg_signature="0" * 40), Refusal.BAD_SIGNATURE),
        (with_query(sealed_request(text_xml()), msg_signature=""), Refusal.UNSIGNED),
        (with_query(sealed_request(text_xml()), nonce="n2"), Refusal.BAD_SIGNATURE),
        (with_query(sealed_request(text_xml()), signature="0" * 40), Refusal.BAD_SIGNATURE),
        (sealed_request(text_xml(), timestamp="01764000000"), Refusal.UNSIGNED),
        (sealed_request(text_xml(), timestamp="176400000"), Refusal.UNSIGNED),
        (sealed_request(text_xml(), timestamp="1763999699"), Refusal.STALE),
        (sealed_request(text_xml(), timestamp="1764000301"), Refusal.STALE),
        (sealed_request(b"", encrypted=ENCRYPTED[:-2]), Refusal.CIPHER_BASE64),
        (sealed_request(b"", encrypted=ENCRYPTED[:-4]), Refusal.CIPHER_LENGTH),
        (sealed_request(b"", encrypted=ENCRYPTED[:-64] + "=="), Refusal.CIPHER_BASE64),
        (sealed_request(b"", encrypted=seal(text_xml(), app_id="wx_other")), Refusal.CIPHER_APP_ID),
        (sealed_request(b"", encrypted=""), Refusal.MALFORMED),
        (sealed_request(b"<!DOCTYPE a><xml/>"), Refusal.DOCTYPE),
        (sealed_request(wechat_xml(ToUserName="gh_other", MsgType="text")), Refusal.WRONG_RECEIVER),
        (Request(sealed_request(b"").query, {}, b"<!DOCTYPE a><xml/>"), Refusal.DOCTYPE),
        (Request(sealed_request(b"").query, {}, b"garbage"), Refusal.MALFORMED),
        (Request({}, {}, b""), Refusal.PLAIN_MODE),
    ],
)
def test_a_bad_push_is_refused_with_its_reason(request_: Request, refusal: Refusal) -> None:
    assert wechat_door().read(request_, NOW) is refusal


def test_a_sealed_push_without_our_key_is_refused() -> None:
    door = wechat_door(allow_plain=True, key=False)
    assert door.read(sealed_request(text_xml()), NOW) is Refusal.NO_KEY


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({"signature": "0" * 40}, Refusal.BAD_SIGNATURE),
        ({"timestamp": "1763999699", "signature": sha1(TOKEN, "1763999699", "n1")}, Refusal.STALE),
        ({"signature": ""}, Refusal.UNSIGNED),
    ],
)
def test_a_bad_verification_is_refused(query: dict[str, str], refusal: Refusal) -> None:
    assert wechat_door().greet(plain_request(b"", **query), NOW) is refusal


@given(
    st.binary(max_size=200),
    st.dictionaries(
        st.sampled_from(["signature", "msg_signature", "timestamp", "nonce", "encrypt_type"]),
        st.text(max_size=20),
    ),
)
def test_nothing_that_strangers_send_is_taken_or_raises(body: bytes, query: dict[str, str]) -> None:
    door: Any = wechat_door(allow_plain=True)
    assert isinstance(door.read(Request(query, {}, body), NOW), Refusal)
    assert isinstance(door.greet(Request(query, {}, body), NOW), Refusal)
