"""Whatever a push says is in its event, and what names it is in its id."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.incoming import Incoming, flatten
from shared.events import (
    MassSendFinished,
    MessageReceived,
    OtherReceived,
    PurchaseMade,
    QrScanned,
)
from tests.support.platform_pushes import (
    GH,
    NOW,
    ORDER,
    WEIBO_UID,
    shop_door,
    shop_request,
    text_xml,
    wechat_xml,
    weibo_push,
)
from tests.unit.ingest.reading import FAN, fields_of, sealed, shop, weibo, with_element

# Ids


def test_two_fans_messages_with_one_message_id_are_two_events() -> None:
    one = {"MsgType": "text", "Content": "难吃", "MsgId": "6054768590064713728"}
    ids = {
        sealed(wechat_xml(**{**one, **other})).id
        for other in ({}, {"FromUserName": "o2"}, {"CreateTime": "1764000001"}, {"MsgId": "7"})
    }
    assert len(ids) == 4
    assert sealed(wechat_xml(**one)).id in ids  # sent again: the same


def test_a_message_without_a_real_id_is_named_by_its_words() -> None:
    first, second = (text_xml(words, msg_id="0") for words in ("a", "b"))
    assert sealed(first).id != sealed(second).id
    assert sealed(first).id == sealed(first).id


def test_a_message_keeps_its_own_id() -> None:
    assert fields_of(sealed(text_xml()))["MsgId"] == "24012345678901234"
    assert fields_of(weibo(weibo_push(id=24012345678901234)))["id"] == "24012345678901234"


def test_weibos_own_id_names_a_push_among_those_of_its_second() -> None:
    ids = [weibo(weibo_push(id=number)).id for number in (1, 2, 1)]
    assert ids[0] == ids[2] != ids[1]


# White space


@pytest.mark.parametrize("around", [" ", "\n", "\t "])
def test_white_space_around_routing_fields_means_nothing(around: str) -> None:
    clear = wechat_xml(MsgType="event", Event="user_view_card", CardId="C1")
    spaced = clear.replace(b"><![CDATA[", f">{around}<![CDATA[".encode()).replace(
        b"]]><", f"]]>{around}<".encode()
    )
    event = sealed(spaced).event
    assert isinstance(event, OtherReceived)
    assert (event.account, event.fan, event.kind) == (GH, FAN, "event.user_view_card")
    pushed = weibo(
        weibo_push(type=f"text{around}", sender_id=f"{around}7", receiver_id=f"{WEIBO_UID}{around}")
    ).event
    assert isinstance(pushed, MessageReceived)
    assert pushed.fan == "7"


# Fields


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_links_of_a_mass_send_are_kept_however_many_they_are(count: int) -> None:
    items = "".join(
        f"<item><ArticleIdx>{n}</ArticleIdx><ArticleUrl><![CDATA[http://s?{n}]]></ArticleUrl></item>"
        for n in range(count)
    )
    clear = with_element(
        wechat_xml(MsgType="event", Event="MASSSENDJOBFINISH", MsgID="1", TotalCount="none"),
        f"<ArticleUrlResult><Count>{count}</Count><ResultList>{items}</ResultList></ArticleUrlResult>",
    )
    event = sealed(clear).event
    assert isinstance(event, MassSendFinished)
    assert event.fields["TotalCount"] == "none"
    of_list = "ArticleUrlResult.ResultList.item"
    links = {name: text for name, text in event.fields.items() if name.endswith("ArticleUrl")}
    names = [f"{of_list}{f'.{n}' if n else ''}.ArticleUrl" for n in range(count)]
    assert links == {name: f"http://s?{n}" for n, name in enumerate(names)}


def test_a_list_of_one_is_named_like_the_first_of_many_in_either_format() -> None:
    head = {"MsgType": "event", "Event": "subscribe_msg_popup_event"}
    one = with_element(wechat_xml(**head), "<List><TemplateId>a</TemplateId></List>")
    many = with_element(one, "<List><TemplateId>b</TemplateId></List>")
    routing = {"ToUserName": GH, "FromUserName": FAN, "CreateTime": 1764000000}
    as_json = json.dumps({**routing, **head, "List": [{"TemplateId": "a"}]}).encode()
    assert fields_of(sealed(one)) == fields_of(sealed(as_json)) == {"List.TemplateId": "a"}
    assert fields_of(sealed(many)) == {"List.TemplateId": "a", "List.1.TemplateId": "b"}


def test_an_object_that_comes_as_a_json_string_is_opened() -> None:
    data = json.dumps({"subtype": "scan", "key": "7", "ticket": "TK"})
    for form in (data, " " + data, "%7B%22subtype%22%3A%22scan%22%2C%22key%22%3A%227%22%7D"):
        event = weibo(weibo_push(type="event", text="", data=form)).event
        assert isinstance(event, QrScanned)
        assert event.scene == "7"
    order = {**ORDER, "data": json.dumps(ORDER["data"])}
    assert shop(order).event == shop(ORDER).event
    scanned = wechat_xml(
        MsgType="event", Event="scancode_push", ScanCodeInfo='{"ScanType": "qrcode", "n": 1.0}'
    )
    assert fields_of(sealed(scanned)) == {
        "ScanCodeInfo.ScanType": "qrcode",
        "ScanCodeInfo.n": "1.0",
    }


def test_what_only_looks_like_an_object_stays_as_it_is() -> None:
    assert fields_of(weibo(weibo_push(data="{oops"))) == {"value": "{oops"}
    clear = wechat_xml(MsgType="event", Event="scancode_push", ScanCodeInfo="{oops")
    assert fields_of(sealed(clear)) == {"ScanCodeInfo": "{oops"}


def test_an_outer_field_does_not_overwrite_an_inner_one() -> None:
    event = weibo(
        weibo_push(type="mention", text="outer", data={"subtype": "status", "text": "inner"})
    ).event
    assert isinstance(event, OtherReceived)
    assert event.fields == {"subtype": "status", "text": "inner", "text.1": "outer"}
    message = weibo(weibo_push(text="outer", data={"text": "inner"})).event
    assert isinstance(message, MessageReceived)
    assert (message.text, message.fields) == ("outer", {"text": "inner"})
    assert fields_of(weibo(weibo_push(data={"a": {"b": "1"}, "a.b": "2"}))) == {
        "a.b": "1",
        "a.b.1": "2",
    }


def test_numbers_stay_as_they_were_written() -> None:
    numbers = '{"a": 1.0, "b": 1e3, "c": 24012345678901234567890, "d": -0, "e": 0.10}'
    body = weibo_push(data={}).replace(b'"data": {}', f'"data": {numbers}'.encode())
    assert fields_of(weibo(body)) == {
        "a": "1.0",
        "b": "1e3",
        "c": "24012345678901234567890",
        "d": "-0",
        "e": "0.10",
    }


@pytest.mark.parametrize("written", ["19900", "19900.0", "1.99e4", '"19900"'])
def test_an_amount_counts_the_same_however_it_is_written(written: str) -> None:
    body = json.dumps(ORDER).replace("19900", written).encode()
    request = shop_request(ORDER)
    door, signed = shop_door(), shop_request(json.loads(body))
    found = door.read(signed, NOW)
    assert isinstance(found, Incoming)
    assert isinstance(found.event, PurchaseMade)
    assert found.event.amount_minor == 19900
    assert found.event == shop_door().read(request, NOW).event  # type: ignore[union-attr]


def test_an_order_keeps_what_its_type_does_not_name() -> None:
    data = {**ORDER["data"], "coupon": {"id": 3.50}}  # type: ignore[dict-item]
    event = shop({**ORDER, "data": data, "version": 2}).event
    assert isinstance(event, PurchaseMade)
    assert event.fields == {"coupon.id": "3.5", "version": "2"}


LEAVES = st.text(max_size=4)
NESTED: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["a", "b", "a.b", "a.1", "1", "1.1"]),
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["a", "b", "1", "a.1"]), inner, max_size=3)
        ),
        max_leaves=12,
    ),
    max_size=5,
)


def leaves_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value
    return [leaf for one in inner for leaf in leaves_of(one)]


@given(NESTED)
def test_no_leaf_is_lost_whatever_the_names(fields: dict[str, Any]) -> None:
    assert sorted(flatten(fields).values()) == sorted(leaves_of(fields))
