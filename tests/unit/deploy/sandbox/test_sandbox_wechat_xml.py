"""WeChat's XML: what is written reads back, and what a fan types can't break out of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.wechat.xml import ReplyError, build_xml, parse_xml


def test_texts_stand_in_cdata_and_numbers_bare() -> None:
    assert build_xml({"ToUserName": "gh_1", "CreateTime": 5, "Info": {"item": ["a", 2]}}) == (
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><CreateTime>5</CreateTime>"
        "<Info><item><![CDATA[a]]></item><item>2</item></Info></xml>"
    )


@given(st.text())
def test_any_text_of_a_fan_survives_the_xml(text: str) -> None:
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]", "", text)
    kept = re.sub("\r\n?", "\n", kept)  # XML's own normalisation of line ends
    assert parse_xml(build_xml({"Content": text}).encode()) == {"Content": kept}


@pytest.mark.parametrize(
    "body",
    [b"", b"success", b"<xml>", b"<a></a>", b'{"a": 1}', b"<!DOCTYPE xml><xml></xml>"],
)
def test_what_wechat_would_not_read_is_refused(body: bytes) -> None:
    with pytest.raises(ReplyError):
        parse_xml(body)
