"""Contents as WeChat's messages word them. Source: WeChat "Customer service messages"."""

from __future__ import annotations

from typing import Any, Final

from services.notifier.domain.campaigns import Content, ContentKind

LONGEST_TEXT_BYTES: Final = 2048
LONGEST_MEDIA_ID_BYTES: Final = 256


def build_message(content: Content) -> dict[str, Any]:
    """The fields of a message, without its receivers."""
    kind = content.kind.value
    field = "content" if content.kind is ContentKind.TEXT else "media_id"
    return {"msgtype": kind, kind: {field: content.value}}


def refuse_message(content: Content) -> str | None:
    """Why WeChat would never take it; None if it may."""
    size = len(content.value.encode())
    if content.kind is ContentKind.TEXT and size > LONGEST_TEXT_BYTES:
        return f"a WeChat text has at most {LONGEST_TEXT_BYTES} bytes in UTF-8; this has {size}"
    if content.kind is ContentKind.ARTICLE and size > LONGEST_MEDIA_ID_BYTES:
        return "this is not a media id"
    return None
