"""The shapes of outgoing WeChat messages: which fields each type needs, and how long it may be.

Source: WeChat "sendCustomMessage", "massSend".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.sandbox.wechat.rules import (
    CLIENTMSGID_BYTES,
    CLIENTMSGID_TOO_LONG,
    TEXT_BYTES,
    TOO_LONG,
)

BAD_TYPE = 40008
EMPTY_CONTENT = 44004
TOO_MANY_ARTICLES = 45008
BAD_ARGUMENT = 47003

# type: the fields that its object must have
_CUSTOM: Mapping[str, tuple[str, ...]] = {
    "text": ("content",),
    "image": ("media_id",),
    "voice": ("media_id",),
    "video": ("media_id",),
    "music": ("musicurl", "thumb_media_id"),
    "news": ("articles",),
    "mpnews": ("media_id",),
    "mpnewsarticle": ("article_id",),
    "msgmenu": ("list",),
    "wxcard": ("card_id",),
    "miniprogrampage": ("appid", "pagepath", "thumb_media_id"),
}
_MASS: Mapping[str, tuple[str, ...]] = {
    "text": ("content",),
    "mpnews": ("media_id",),
    "voice": ("media_id",),
    "images": ("media_ids",),
    "mpvideo": ("media_id",),
    "wxcard": ("card_id",),
}


def check_message(message: Mapping[str, Any]) -> int:
    """Return 0 for a well-formed customer message, else the platform's code."""
    code = _check(message, _CUSTOM)
    articles = message.get("news", {}).get("articles") if not code and "news" in message else None
    if not code and message["msgtype"] == "news":
        if not isinstance(articles, list) or not articles:
            return BAD_ARGUMENT
        return TOO_MANY_ARTICLES if len(articles) > 1 else 0
    return code


def check_mass_content(message: Mapping[str, Any]) -> int:
    """Return 0 for a well-formed mass message, else the platform's code."""
    client_msg_id = message.get("clientmsgid", "")
    if not isinstance(client_msg_id, str):
        return BAD_ARGUMENT
    if len(client_msg_id.encode("utf-8", "replace")) > CLIENTMSGID_BYTES:
        return CLIENTMSGID_TOO_LONG
    return _check(message, _MASS)


def _check(message: Mapping[str, Any], types: Mapping[str, tuple[str, ...]]) -> int:
    kind = message.get("msgtype")
    if not isinstance(kind, str) or kind not in types:
        return BAD_TYPE
    body = message.get(kind)
    if not isinstance(body, Mapping) or any(name not in body for name in types[kind]):
        return BAD_ARGUMENT
    if kind != "text":
        return 0
    content = body["content"]
    if not isinstance(content, str):
        return BAD_ARGUMENT
    if not content:
        return EMPTY_CONTENT
    return TOO_LONG if len(content.encode("utf-8", "replace")) > TEXT_BYTES else 0
