"""No input of 64 KiB costs a parser much more than sixteen times what one of 4 KiB costs it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from shared.platforms import lenient, sorted_sha1, standard_webhooks
from shared.platforms.fields import mend_text, open_object, read_json
from shared.platforms.wechat import messages, signature
from shared.platforms.wechat.crypto import MessageCipher
from shared.platforms.weibo import messages as weibo
from shared.platforms.weibo import signature as weibo_signature
from tests.support.cost import JSON_INPUTS, TEXT_INPUTS, XML_INPUTS, cost_of

CIPHER = MessageCipher(SecretStr("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"), "wx1")
XML_PARSERS: dict[str, Callable[[bytes], object]] = {
    "push": messages.read,
    "encrypted": messages.find_encrypted,
}
JSON_PARSERS: dict[str, Callable[[bytes], object]] = {
    "push": read_json,
    "weibo": weibo.read,
    "encrypted": messages.find_encrypted,
    "lenient": lenient.loads,
}
TEXT_PARSERS: dict[str, Callable[[bytes], object]] = {
    "leaf": lambda raw: open_object(raw.decode()),
    "object in a leaf": lambda raw: open_object("{" + json.dumps(raw.decode()) + ":1}"),
    "surrogates": lambda raw: mend_text(raw.decode() + "\ud83d"),
    "decode": lambda raw: lenient.replace_controls(lenient.decode(raw)),
    "time": lambda raw: weibo.read_time(raw.decode()),
    "doctype": messages.declares_doctype,
    "base64": CIPHER.decrypt,
    "ciphertext": lambda raw: CIPHER.decrypt(base64.b64encode(raw[: len(raw) // 64 * 48])),
    "signature": lambda raw: sorted_sha1.matches(raw.decode(), "t", "1", "n"),
    "signed parts": lambda raw: sorted_sha1.matches("0" * 40, "t", "1", raw.decode()),
    "wechat timestamp": lambda raw: signature.check_plain(
        "0" * 40, raw.decode(), "n", token="t", now=0
    ),
    "weibo timestamp": lambda raw: weibo_signature.check(
        "0" * 40, raw.decode(), "n", app_secret="t", now=0
    ),
    "shop signatures": lambda raw: standard_webhooks.check(
        [b"k" * 24, b"l" * 24],
        webhook_id="i",
        timestamp="1764000000",
        signatures=raw.decode(),
        body=raw,
        now=0,
    ),
}


@pytest.mark.parametrize("parser", XML_PARSERS)
@pytest.mark.parametrize("name", XML_INPUTS)
def test_xml_costs_its_length(parser: str, name: str) -> None:
    cost = cost_of(XML_PARSERS[parser], XML_INPUTS[name])
    assert cost.is_fair, cost


@pytest.mark.parametrize("parser", JSON_PARSERS)
@pytest.mark.parametrize("name", JSON_INPUTS)
def test_json_costs_its_length(parser: str, name: str) -> None:
    cost = cost_of(JSON_PARSERS[parser], JSON_INPUTS[name])
    assert cost.is_fair, cost


@pytest.mark.parametrize("parser", TEXT_PARSERS)
@pytest.mark.parametrize("name", TEXT_INPUTS)
def test_a_text_costs_its_length(parser: str, name: str) -> None:
    cost = cost_of(TEXT_PARSERS[parser], TEXT_INPUTS[name])
    assert cost.is_fair, cost
