"""Nothing that a platform really sends is refused, whatever a fan typed."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.domain.incoming import Incoming
from services.ingest.domain.refusals import Refusal
from shared.events import (
    AccountEvent,
    FanFollowed,
    MessageReceived,
    NoticeReceived,
    OtherReceived,
)
from tests.support.platform_pushes import (
    APP_ID,
    GH,
    NOW,
    sealed_request,
    text_xml,
    wechat_door,
    wechat_xml,
    weibo_door,
    weibo_push,
    weibo_request,
    weibo_xml,
)
from tests.unit.ingest.reading import FAN, plain, sealed, weibo

# What a fan typed


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (b"<![CDATA[a\x1db]]>", "a�b"),
        (b"<![CDATA[a\x00\x08b]]>", "a��b"),
        (b"<![CDATA[a\xef\xbf\xbfb]]>", "a�b"),
        (b"<![CDATA[a\xe9\x9a]]>", "a�"),
        (b"<![CDATA[a\xed\xa0\xbdb]]>", "a���b"),
        (b"a&#x14;b", "a�b"),
        (b"a&#20;b&#0;&#xFFFFFF;", "a�b��"),
        (b"&#xD83D;&#xDE00;&#xD83D;", "😀�"),
        (b"a & b&nbsp;c&copy", "a & b&nbsp;c&copy"),
        (b"<![CDATA[a]]>b]]>", "ab]]>"),
        (b"a &lt;b&gt; &amp; &#39;", "a <b> & '"),
        (b"<![CDATA[&#x14; &amp; <b/>]]>", "&#x14; &amp; <b/>"),
        (b"<![CDATA[" + b"<br/>" * 400 + b"]]>", "<br/>" * 400),
    ],
)
@pytest.mark.parametrize("read", [sealed, plain])
def test_no_character_that_a_fan_typed_costs_the_message(
    read: Any, typed: bytes, text: str
) -> None:
    clear = wechat_xml(MsgType="text", Content="HERE").replace(b"<![CDATA[HERE]]>", typed)
    event = read(clear).event
    assert isinstance(event, MessageReceived)
    assert (event.text, event.fan) == (text, FAN)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (b"a\x14b", "a�b"),
        (b"a\\u0014b\\b", "a�b�"),
        (b"a\xe9\x9a", "a�"),
        (b"\\ud83d\\ude00\\ud83d", "😀�"),
        (b"a\tb\\n", "a\tb\n"),
        (b'[{,\\"' * 100, '[{,"' * 100),
    ],
)
def test_nor_does_it_in_json(typed: bytes, text: str) -> None:
    event = weibo(weibo_push(text="HERE").replace(b"HERE", typed)).event
    assert isinstance(event, MessageReceived)
    assert event.text == text


# Pushes that name no fan, no time, no receiver, or can't be read

TICKET = (
    b"<xml><AppId>wx1</AppId><CreateTime>1764000000</CreateTime>"
    b"<InfoType> component_verify_ticket </InfoType>"
    b"<ComponentVerifyTicket>ticket@@@x</ComponentVerifyTicket></xml>"
)
KF = (
    f"<xml><ToUserName><![CDATA[{APP_ID}]]></ToUserName><CreateTime>1764000000</CreateTime>"
    "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event>"
    "<Token><![CDATA[T]]></Token><OpenKfId><![CDATA[wk1]]></OpenKfId></xml>"
).encode()


@pytest.mark.parametrize("read", [sealed, plain])
def test_a_push_without_a_fan_is_kept_as_a_notice(read: Any) -> None:
    told = read(TICKET).event
    assert isinstance(told, NoticeReceived)
    assert (told.account, told.kind, told.occurred_at) == (
        GH,
        "component_verify_ticket",
        1_764_000_000_000,
    )
    assert told.fields["ComponentVerifyTicket"] == "ticket@@@x"
    asked = read(KF).event
    assert isinstance(asked, NoticeReceived)
    assert asked.kind == "event.kf_msg_or_event"
    assert asked.fields == {"ToUserName": APP_ID, "Token": "T", "OpenKfId": "wk1"}
    assert isinstance(asked, AccountEvent)
    assert asked.key == f"wechat:{GH}"


@pytest.mark.parametrize(
    ("time", "millis", "kept"),
    [
        ("1764000000", 1_764_000_000_000, 0),
        ("1764000000123", 1_764_000_000_123, 0),
        ("soon", 1_764_000_000_000, 1),
        ("", 1_764_000_000_000, 0),
        ("9" * 11, 1_764_000_000_000, 1),
        ("9" * 20_000, 1_764_000_000_000, 1),
    ],
)
def test_a_time_in_milliseconds_counts_and_one_that_is_none_gives_way(
    time: str, millis: int, kept: int
) -> None:
    event = sealed(wechat_xml(MsgType="event", Event="CLICK", CreateTime=time)).event
    assert event.occurred_at == millis
    assert event.fields == ({"CreateTime": time} if kept else {})  # type: ignore[attr-defined]


def test_a_re_send_without_a_time_has_the_same_id_although_it_is_signed_anew() -> None:
    clear = wechat_xml(MsgType="event", Event="CLICK", CreateTime="soon")
    later = wechat_door().read(sealed_request(clear, timestamp="1764000005"), NOW)
    assert isinstance(later, Incoming)
    assert later.id == sealed(clear).id


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"MsgType": ""}, "unnamed"),
        ({"MsgType": "event"}, "event"),
        ({"MsgType": "t" * 300}, "t" * 256),
        ({"MsgType": "event", "Event": "MASSSENDJOBFINISH"}, "event.MASSSENDJOBFINISH"),
    ],
)
def test_a_push_of_no_known_kind_is_kept_for_its_fan(fields: dict[str, str], kind: str) -> None:
    event = sealed(wechat_xml(**fields, Extra="1")).event
    assert isinstance(event, OtherReceived)
    assert (event.fan, event.kind, event.fields["Extra"]) == (FAN, kind, "1")


@pytest.mark.parametrize("fan", ["", "o" * 257])
def test_a_message_of_nobody_is_kept_with_its_words(fan: str) -> None:
    event = sealed(wechat_xml(MsgType="text", FromUserName=fan, Content="难吃")).event
    assert isinstance(event, NoticeReceived)
    assert event.fields == {"Content": "难吃"} | ({"FromUserName": fan} if fan else {})


@pytest.mark.parametrize(
    "body", [b"<xml><a></xml>", b"garbage", b"\xff\xfe\x00", b"[]", b"{", b"", b"<XML/>"]
)
def test_a_genuine_push_that_can_not_be_read_is_kept_as_it_came(body: bytes) -> None:
    for found in (sealed(body), plain(body), weibo(body)):
        event = found.event
        assert isinstance(event, NoticeReceived)
        assert event.kind == "unreadable"
        assert event.fields == {"body": body.decode("utf-8", "replace").replace("\0", "�")}
        assert event.occurred_at == 1_764_000_000_000
    assert sealed(body).id == plain(body).id != weibo(body).id


@pytest.mark.parametrize(
    "missing", [{"receiver_id": ""}, {"created_at": "soon"}, {"type": ""}, {"type": "t" * 300}]
)
def test_a_weibo_push_that_lacks_a_field_is_kept(missing: dict[str, str]) -> None:
    event = weibo(weibo_push(**missing)).event
    assert isinstance(event, OtherReceived | MessageReceived)
    assert event.fan == "2489518277"
    assert "私信" in {*event.fields.values(), getattr(event, "text", "")}


def test_a_weibo_push_of_nobody_is_kept() -> None:
    event = weibo(weibo_push(sender_id="")).event
    assert isinstance(event, NoticeReceived)
    assert (event.kind, event.fields) == ("text", {"text": "私信"})


def test_a_byte_order_mark_is_no_part_of_a_push() -> None:
    marked = b"\xef\xbb\xbf"
    assert plain(marked + text_xml()) == plain(text_xml())
    assert weibo(marked + weibo_push()) == weibo(weibo_push())
    assert sealed(marked + b' <?xml version="1.0"?>\n' + text_xml()) == sealed(text_xml())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"MsgType": "text", "Content": "难吃", "MsgId": ""},
            {"type": "text", "text": "难吃"},
        ),
        (
            {"MsgType": "event", "Event": "scan", "EventKey": "7", "ticket": "TK"},
            {"type": "event", "text": "", "data": {"subtype": "scan", "key": "7", "ticket": "TK"}},
        ),
        (
            {"MsgType": "location", "Location_X": "1"},
            {"type": "position", "text": "", "data": {"Location_X": "1"}},
        ),
        (
            {"MsgType": "event", "Event": "subscribe"},
            {"type": "event", "text": "", "data": {"subtype": "subscribe"}},
        ),
    ],
)
def test_weibos_xml_means_what_its_json_means(
    fields: dict[str, str], expected: dict[str, Any]
) -> None:
    as_xml, as_json = weibo(weibo_xml(**fields)), weibo(weibo_push(**expected))
    assert as_xml.event == as_json.event
    assert as_xml.id == as_json.id


def test_weibos_xml_for_another_account_is_refused() -> None:
    found = weibo_door().read(weibo_request(weibo_xml(ToUserName="1", MsgType="text")), NOW)
    assert found is Refusal.WRONG_RECEIVER


def test_an_event_kept_its_ticket_when_a_follow_came_by_code() -> None:
    event = sealed(
        wechat_xml(MsgType="event", Event="subscribe", EventKey="qrscene_7", Ticket="TK")
    ).event
    assert event == FanFollowed(
        occurred_at=1_764_000_000_000,
        platform="wechat",
        account=GH,
        fan=FAN,
        authenticated_by="wechat_safe",
        scene="7",
        fields={"Ticket": "TK"},
    )
