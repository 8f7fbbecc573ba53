from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.platforms.fields import BodyError, BodyFault, mend_text, read_json, text_of
from shared.platforms.wechat import messages
from shared.platforms.wechat.messages import build_xml, read, read_xml
from shared.platforms.weibo import messages as weibo
from tests.unit.shared.platforms.vectors import VECTORS

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r<>&]😀"),
    max_size=40,
)
LEAVES = TEXTS
FIELDS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    NAMES,
    LEAVES
    | st.dictionaries(NAMES, LEAVES | st.lists(LEAVES, min_size=2, max_size=3), min_size=1)
    | st.lists(LEAVES | st.dictionaries(NAMES, LEAVES, min_size=1), min_size=2, max_size=3),
    max_size=6,
)


@given(FIELDS)
def test_fields_written_as_xml_are_read_back(fields: dict[str, Any]) -> None:
    assert read_xml(build_xml(fields)) == fields


TEXT_PIECES = st.sampled_from(
    ["<xml>", "</xml>", "<A>", "</A>", "<B>", "</B>", "<![CDATA[", "]]>", "]", " ", "\n", "\r",
     "x", "中", "&", "&amp;", "\x00", "\x0b", "\ufffe", "<1>", "</1>", "<a:b>", "</a:b>", "<xml/>",
     "<!-- c -->", "<?p i?>", "\ufeff"]
)  # fmt: skip
ALMOST_PUSHES = st.lists(TEXT_PIECES, max_size=14).map("".join) | st.lists(
    st.sampled_from(["<A>1</A>", "<B><![CDATA[中]]></B>", "<C></C>", "<D><![CDATA[]]></D>"])
    | TEXT_PIECES,
    max_size=6,
).map(lambda pieces: "<xml>" + "".join(pieces) + "</xml>")


@settings(max_examples=500)
@given(ALMOST_PUSHES.map(str.encode) | FIELDS.map(build_xml))
def test_what_is_read_without_the_parser_is_what_the_parser_reads(body: bytes) -> None:
    flat = messages._read_flat(body)
    assert flat is None or flat == messages._parse(body)


def test_wechats_usual_push_needs_no_parser() -> None:
    body = b"<xml><ToUserName><![CDATA[gh_1]]></ToUserName>\n<CreateTime>17</CreateTime></xml>"
    assert messages._read_flat(body) == {"ToUserName": "gh_1", "CreateTime": "17"}


@given(FIELDS)
def test_fields_written_as_json_are_read_back(fields: dict[str, Any]) -> None:
    assert read(json.dumps(fields, ensure_ascii=False).encode()) == fields


@given(
    st.binary(max_size=300)
    | FIELDS.map(build_xml).flatmap(
        lambda body: st.integers(0, len(body)).map(lambda cut: body[:cut])
    )
)
def test_any_bytes_are_read_or_refused_with_a_bounded_fault(body: bytes) -> None:
    try:
        fields = read(body)
    except BodyError as error:
        found: bool | BodyFault = error.fault
    else:
        found = all(isinstance(name, str) for name in fields)
    assert found in {True, *BodyFault}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'<!DOCTYPE xml [<!ENTITY a "b">]><xml><A>&a;</A></xml>', BodyFault.DOCTYPE),
        (b'<?xml version="1.0"?>\n<!doctype xml><xml/>', BodyFault.DOCTYPE),
        (b"<!-- c --><!DOCTYPE xml><xml/>", BodyFault.DOCTYPE),
        (b"<xml><A>", BodyFault.MALFORMED),
        (b"<XML></XML>", BodyFault.MALFORMED),
        (b"", BodyFault.MALFORMED),
        ("<!DOCTYPE xml><xml/>".encode("utf-16"), BodyFault.MALFORMED),
        (b"<xml>" + b"<a>" * 12 + b"</a>" * 12 + b"</xml>", BodyFault.TOO_DEEP),
        (b"<xml>" + b"<a>" * 3000 + b"</a>" * 3000 + b"</xml>", BodyFault.TOO_MANY),
        (b"{", BodyFault.MALFORMED),
        (b'{"a": ' + b"[" * 30000, BodyFault.TOO_MANY),
        (b'{"a": ' + b"[" * 200, BodyFault.MALFORMED),
        (b'{"a": ' + b"[" * 12 + b"]" * 12 + b"}", BodyFault.TOO_DEEP),
    ],
)
def test_a_hostile_body_is_refused_with_its_fault(body: bytes, fault: BodyFault) -> None:
    with pytest.raises(BodyError) as caught:
        read(body)
    assert caught.value.fault is fault


def test_a_fan_may_write_doctype() -> None:
    body = b"<xml><Content><![CDATA[<!DOCTYPE html>]]></Content></xml>"
    assert read_xml(body) == {"Content": "<!DOCTYPE html>"}


def test_an_external_declaration_of_another_encoding_is_not_believed() -> None:
    body = '<?xml version="1.0" encoding="gb2312"?><xml><A>中文</A></xml>'.encode()
    assert read_xml(body) == {"A": "中文"}


def test_a_json_push_means_the_same_as_an_xml_push() -> None:
    document = b'{"CreateTime": 1714112445, "Event": "debug_demo", "Deep": {"A": [1, true, null]}}'
    assert read_json(document) == {
        "CreateTime": "1714112445",
        "Event": "debug_demo",
        "Deep": {"A": ["1", "true", ""]},
    }


def test_the_published_pushes_are_read_in_either_format() -> None:
    as_json = read(VECTORS["V3-safe-json-in"]["plaintext"].encode())
    as_xml = read(VECTORS["V4-thirdparty-xml-in"]["plaintext"].encode())
    assert text_of(as_json, "Event") == text_of(as_xml, "Event") == "debug_demo"


def test_no_broken_surrogate_gets_in() -> None:
    assert read_json(rb'{"a": "\ud83d\ude00", "b": "\ud83d!"}') == {"a": "😀", "b": "\ufffd!"}


@given(st.text())
def test_good_text_is_left_as_it_is(text: str) -> None:
    assert mend_text(text) == text


PUSH = {
    "type": "text",
    "receiver_id": 1902538057,
    "sender_id": 2489518277,
    "created_at": "Mon Jul 16 18:09:20 +0800 2012",
    "text": "私信内容",
    "data": {},
}


def test_weibos_sample_push_is_read() -> None:
    push = weibo.read(weibo.build_push(PUSH))
    assert (push.type, push.sender_id, push.receiver_id) == ("text", "2489518277", "1902538057")
    assert weibo.read_time(push.time) == datetime(2012, 7, 16, 10, 9, 20, tzinfo=UTC)
    assert push.text == "私信内容"
    assert push.data == {}


@pytest.mark.parametrize("missing", ["type", "sender_id", "created_at"])
def test_a_weibo_push_without_its_common_fields_is_read_all_the_same(missing: str) -> None:
    push = weibo.read(weibo.build_push({**PUSH, missing: ""}))
    assert "" in {push.type, push.sender_id, push.time}
    assert push.text == "私信内容"


@pytest.mark.parametrize(
    "time",
    [
        "",
        "Mon Jul 16",
        "Mon Xxx 16 18:09:20 +0800 2012",
        "a b c d e f",
        "Mon Feb 31 18:09:20 +0800 2012",
        "Mon Jul 16 18:09 +0800 2012",
        "Sat Jan 01 00:00:00 +9900 0001",
    ],
)
def test_a_time_that_is_none_is_refused(time: str) -> None:
    assert weibo.read_time(time) is None


@given(
    st.datetimes(
        min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis wants naive bounds
        max_value=datetime(2199, 1, 1),  # noqa: DTZ001 - the same
        timezones=st.just(UTC),
    )
)
def test_a_written_time_is_read_back_to_the_second(moment: datetime) -> None:
    assert weibo.read_time(weibo.write_time(moment)) == moment.replace(microsecond=0)


def test_the_published_reply_data_is_url_encoded_json() -> None:
    published = "%7B%22text%22%3A%22%E4%B8%AD%E6%96%87%E6%B6%88%E6%81%AF%22%7D"
    assert weibo.quote_data(weibo.build_text_data("中文消息")) == published
