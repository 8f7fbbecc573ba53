"""Which event a Weibo push is.

`follow` and `scan_follow` are follows; `subscribe` and `unsubscribe` (a fan types dy or td) are
not, and are kept as other events with the typed word. Weibo names few messages, so most ids come
from the content. As with WeChat, nothing genuine is refused because it isn't understood, and a
typed event keeps what its type doesn't name.
Source: Weibo "Receive_General_Message", "Receive_Event_Push".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from services.ingest.domain.incoming import FlatFields, Incoming, id_of
from services.ingest.domain.refusals import Refusal
from services.ingest.domain.wechat_events import LONGEST_ID, UNNAMED
from shared.events import (
    Event,
    FanFollowed,
    FanUnfollowed,
    LinkViewed,
    MenuClicked,
    MessageReceived,
    NoticeReceived,
    OtherReceived,
    QrScanned,
)
from shared.platforms.fields import text_of
from shared.platforms.weibo.messages import Push, read_time

MESSAGE_TYPES: Final = frozenset({"text", "image", "voice", "position"})
_SCENE_PREFIXES: Final = ("QR_LIMIT_STR_SCENE_", "QR_LIMIT_SCENE_", "QR_STR_SCENE_", "QR_SCENE_")
_YEARS: Final = range(1971, 3000)  # what an event may tell, whatever the offset
_MS: Final = 1000


def understand_weibo(push: Push, *, account: str, signed_at: int) -> Incoming | Refusal:
    """Return the event that a push tells.

    Args:
        push: as it was read.
        account: the uid whose address was called.
        signed_at: the request's signed timestamp, Unix seconds: the event's time where the push
            has none.

    Raises:
        BodyError: its fields, named in full, are too long.
    """
    if push.receiver_id and push.receiver_id != account:
        return Refusal.WRONG_RECEIVER
    seconds = _seconds(push.time)
    about: dict[str, Any] = {
        "occurred_at": (signed_at if seconds is None else seconds) * _MS,
        "platform": "weibo",
        "account": account,
        "authenticated_by": "weibo",
    }
    subtype = text_of(push.data, "subtype").strip()
    content = _content(push, known_time=seconds is not None)
    event_id = id_of(
        "weibo",
        account,
        sender=push.sender_id,
        time=push.time if seconds is None else str(seconds),
        kind=f"{push.type}.{subtype}",
        own_id=push.own_id,
        content=content,
    )
    event = _typed(push, subtype, dict(content), about) or _other(push, subtype, content, about)
    return Incoming(event, event_id, f"/weibo/{account}/ingest")


def read_scene(key: str) -> str:
    """Return the scene in a QR event's key, which is "action_name_scene_id"."""
    for prefix in _SCENE_PREFIXES:
        if key.startswith(prefix):
            return key.removeprefix(prefix)
    return key


def _seconds(time: str) -> int | None:
    moment = read_time(time)
    return int(moment.timestamp()) if moment is not None and moment.year in _YEARS else None


def _content(push: Push, *, known_time: bool) -> dict[str, str]:
    """Return all that isn't who, when and what kind, flat; what is inside goes first."""
    flat = FlatFields()
    for name, value in push.data.items():
        flat.put(name, value)
    if push.text:
        flat.put("text", push.text)
    if push.own_id:
        flat.put("id", push.own_id)
    if push.time and not known_time:
        flat.put("created_at", push.time)
    for name, value in push.rest.items():
        flat.put(name, value)
    return flat.fields


def _typed(push: Push, subtype: str, rest: dict[str, str], about: dict[str, Any]) -> Event | None:
    about = {**about, "fan": push.sender_id}
    try:
        if push.type in MESSAGE_TYPES:
            text = ""
            if push.type == "text":  # the others have a default text, not the fan's words
                text = push.text
                _take(rest, "text", push.text)
            return MessageReceived(**about, message_type=push.type, text=text, fields=rest)
        read = _EVENTS.get(subtype.lower()) if push.type == "event" else None
        if read is None:
            return None
        rest.pop("subtype", None)
        return read(about, rest)
    except ValidationError:  # without a fan, or with an id that is none
        return None


def _other(push: Push, subtype: str, rest: dict[str, str], about: dict[str, Any]) -> Event:
    named = push.type or UNNAMED
    kind = f"{named}.{subtype}" if subtype else named
    if len(kind) > LONGEST_ID:
        rest, kind = {**rest, "type": kind}, kind[:LONGEST_ID]
    fan = push.sender_id
    if 0 < len(fan) <= LONGEST_ID:
        return OtherReceived(**about, fan=fan, kind=kind, fields=rest)
    return NoticeReceived(**about, kind=kind, fields={**rest, "sender_id": fan} if fan else rest)


def _take(rest: dict[str, str], name: str, text: str) -> None:
    """Take a text out that the event names; where an inner field has its name, it's another's."""
    for key in (name, f"{name}.1"):
        if rest.get(key) == text:
            del rest[key]
            return


def _follow_by_scan(about: dict[str, Any], rest: dict[str, str]) -> Event:
    return FanFollowed(**about, scene=_take_scene(rest), fields=rest)


def _scan(about: dict[str, Any], rest: dict[str, str]) -> Event:
    return QrScanned(**about, scene=_take_scene(rest), fields=rest)


def _take_scene(rest: dict[str, str]) -> str:
    key = rest.get("key", "")
    scene = read_scene(key)
    if scene == key:
        rest.pop("key", None)  # else it says which kind of code it was
    return scene


_EVENTS: Final[dict[str, Callable[[dict[str, Any], dict[str, str]], Event]]] = {
    "follow": lambda about, rest: FanFollowed(**about, fields=rest),
    "scan_follow": _follow_by_scan,
    "unfollow": lambda about, rest: FanUnfollowed(**about, fields=rest),
    "scan": _scan,
    "click": lambda about, rest: MenuClicked(**about, menu_key=rest.pop("key", ""), fields=rest),
    "view": lambda about, rest: LinkViewed(**about, url=rest.pop("key", ""), fields=rest),
}
