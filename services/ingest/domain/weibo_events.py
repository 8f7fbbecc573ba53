"""Which event a Weibo push is.

`follow` and `scan_follow` are follows; `subscribe` and `unsubscribe` (a fan types dy or td) are
not, and are kept as other events with the typed word. Weibo names no message, so each id comes
from the content. Source: Weibo "Receive_General_Message", "Receive_Event_Push".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from services.ingest.domain.incoming import Incoming, flatten, id_of_content
from services.ingest.domain.refusals import Refusal
from shared.events import (
    Event,
    FanFollowed,
    FanUnfollowed,
    LinkViewed,
    MenuClicked,
    MessageReceived,
    OtherReceived,
    QrScanned,
)
from shared.platforms.fields import text_of
from shared.platforms.weibo.messages import Push

MESSAGE_TYPES: Final = frozenset({"text", "image", "voice", "position"})
_SCENE_PREFIXES: Final = ("QR_LIMIT_STR_SCENE_", "QR_LIMIT_SCENE_", "QR_STR_SCENE_", "QR_SCENE_")
_MS: Final = 1000


def understand_weibo(push: Push, *, account: str) -> Incoming | Refusal:
    """Return the event that a push tells; `account` is the uid whose address was called."""
    if push.receiver_id != account:
        return Refusal.WRONG_RECEIVER
    seconds = int(push.created_at.timestamp())
    about: dict[str, Any] = {
        "occurred_at": seconds * _MS,
        "platform": "weibo",
        "account": account,
        "fan": push.sender_id,
        "authenticated_by": "weibo",
    }
    subtype = text_of(push.data, "subtype")
    try:
        event = _read_event(push, about, subtype)
    except ValidationError:
        return Refusal.MALFORMED
    event_id = id_of_content(
        "weibo",
        account,
        push.sender_id,
        str(seconds),
        f"{push.type}.{subtype}",
        text_of(push.data, "key"),
        {"text": push.text, "data": push.data},
    )
    return Incoming(event, event_id, f"/weibo/{account}/ingest")


def read_scene(key: str) -> str:
    """Return the scene in a QR event's key, which is "action_name_scene_id"."""
    for prefix in _SCENE_PREFIXES:
        if key.startswith(prefix):
            return key.removeprefix(prefix)
    return key


def _read_event(push: Push, about: dict[str, Any], subtype: str) -> Event:
    key = text_of(push.data, "key")
    if push.type in MESSAGE_TYPES:
        text = push.text if push.type == "text" else ""
        rest = flatten(push.data)
        if push.text and not text:
            rest["text"] = push.text  # a default text, not the fan's words
        return MessageReceived(**about, message_type=push.type, text=text, fields=rest)
    read = _EVENTS.get(subtype) if push.type == "event" else None
    if read is not None:
        return read(about, key)
    kind = f"{push.type}.{subtype}" if subtype else push.type
    return OtherReceived(**about, kind=kind, fields={**flatten(push.data), "text": push.text})


_EVENTS: Final[dict[str, Callable[[dict[str, Any], str], Event]]] = {
    "follow": lambda about, _: FanFollowed(**about),
    "scan_follow": lambda about, key: FanFollowed(**about, scene=read_scene(key)),
    "unfollow": lambda about, _: FanUnfollowed(**about),
    "scan": lambda about, key: QrScanned(**about, scene=read_scene(key)),
    "click": lambda about, key: MenuClicked(**about, menu_key=key),
    "view": lambda about, key: LinkViewed(**about, url=key),
}
