"""Pushes read by the doors of the invented accounts."""

from __future__ import annotations

from typing import Any

from services.ingest.domain.incoming import Incoming
from tests.support.platform_pushes import (
    NOW,
    plain_request,
    sealed_request,
    shop_door,
    shop_request,
    wechat_door,
    weibo_door,
    weibo_request,
)

FAN = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
"""Who sends them."""


def sealed(clear: bytes) -> Incoming:
    found = wechat_door().read(sealed_request(clear), NOW)
    assert isinstance(found, Incoming), found
    return found


def plain(body: bytes) -> Incoming:
    found = wechat_door(allow_plain=True).read(plain_request(body), NOW)
    assert isinstance(found, Incoming), found
    return found


def weibo(body: bytes) -> Incoming:
    found = weibo_door().read(weibo_request(body), NOW)
    assert isinstance(found, Incoming), found
    return found


def shop(document: object) -> Incoming:
    found = shop_door().read(shop_request(document), NOW)
    assert isinstance(found, Incoming), found
    return found


def fields_of(incoming: Incoming) -> dict[str, str]:
    event: Any = incoming.event
    assert isinstance(event.fields, dict)
    return event.fields


def with_element(clear: bytes, element: str) -> bytes:
    return clear.replace(b"</xml>", element.encode() + b"</xml>")
