"""Which event a WeChat push is.

Text and the other message types, follow, unfollow, QR scan and the two menu events have event
types of their own; a finished mass send too. Everything else is kept with its fields, and a typed
event keeps those that its type doesn't name. A genuine push is never refused because it isn't
understood: one that names no fan becomes a notice about the account, a time that is none gives way
to the signed one. Only a push that names another account as its receiver isn't ours.
Source: WeChat "Receiving standard messages", "Receiving event pushes"; for pushes with `InfoType`
"Authorization change notification" of the open platform, for `kf_msg_or_event` WeCom's
"Receive messages and events".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from services.ingest.domain.incoming import Incoming, flatten, id_of
from services.ingest.domain.refusals import Refusal
from shared.events import (
    Event,
    FanFollowed,
    FanUnfollowed,
    LinkViewed,
    MassSendFinished,
    MenuClicked,
    MessageReceived,
    NoticeReceived,
    OtherReceived,
    QrScanned,
)
from shared.events.fan import Authenticated
from shared.platforms.fields import Fields, Value, open_object

QR_SCENE: Final = "qrscene_"
MESSAGE_TYPES: Final = frozenset(
    {
        "text",
        "image",
        "voice",
        "video",
        "shortvideo",
        "location",
        "link",
        "miniprogrampage",
    }
)

UNNAMED: Final = "unnamed"
"""The kind of a push that names none."""
LONGEST_ID: Final = 256
"""Of a fan's id and of a kind, in characters, as `shared.events` has it."""

_NO_ROUTING: Final = dict.fromkeys(
    ("ToUserName", "FromUserName", "CreateTime", "MsgType", "Event"), ""
)
"""What an event says in its own fields. White space around these means nothing."""
_OBJECTS: Final = frozenset(
    {
        "ScanCodeInfo",
        "SendPicsInfo",
        "SendLocationInfo",
        "CopyrightCheckResult",
        "ArticleUrlResult",
        "PublishEventInfo",
        "SubscribeMsgPopupEvent",
        "SubscribeMsgChangeEvent",
        "SubscribeMsgSentEvent",
    }
)
"""Fields that the documents call objects; where their JSON comes as a string, it is opened."""
_MS: Final = 1000
_SECOND_DIGITS: Final = 10
_MS_DIGITS: Final = 13
_LONGEST_COUNT: Final = 11


def understand_wechat(
    fields: Fields,
    *,
    account: str,
    app_id: str,
    authenticated_by: Authenticated,
    signed_at: int,
) -> Incoming | Refusal:
    """Return the event that a push's fields tell.

    Args:
        fields: the whole push, decrypted.
        account: the gh_ id of the account whose address was called.
        app_id: its app id, by which some pushes call the receiver; for WeCom the corp id.
        authenticated_by: how the push was authenticated.
        signed_at: the request's signed timestamp, Unix seconds: the event's time where the push
            has none.

    Raises:
        BodyError: its fields, named in full, are too long.
    """
    routing, rest = _split(fields)
    receiver = routing["ToUserName"]
    if receiver and receiver != account and receiver != app_id:  # noqa: PLR1714 - the hot path
        return Refusal.WRONG_RECEIVER
    fan, time = routing["FromUserName"], routing["CreateTime"]
    message_type, name = routing["MsgType"], routing["Event"]
    happened = _read_time(time)
    if happened is None:
        happened = signed_at * _MS
        if time:
            rest["CreateTime"] = time
    if receiver and receiver != account:
        rest["ToUserName"] = receiver
    own_id = rest.get("MsgId", "").strip()
    if message_type == "event":
        kind = f"event.{name}" if name else message_type
        read = _EVENTS.get(name)
        own_id = rest.get("MsgID", "").strip() if name.endswith("JOBFINISH") else ""
    elif message_type in MESSAGE_TYPES:
        kind, read = message_type, _read_message
        if name:
            rest["Event"] = name
    else:
        named = message_type or rest.get("InfoType", "").strip() or UNNAMED
        kind, read = f"{named}.{name}" if name else named, None
    event_id = id_of(
        "wechat",
        account,
        sender=fan,
        time=time,
        kind=kind,
        own_id="" if own_id == "0" else own_id,  # as the debug console sends
        content=rest,
    )
    about: dict[str, Any] = {
        "occurred_at": happened,
        "platform": "wechat",
        "account": account,
        "authenticated_by": authenticated_by,
    }
    event = _typed(read, message_type, fan, rest, about) or _other(fan, kind, rest, about)
    return Incoming(event, event_id, f"/wechat/{account}/ingest")


def _typed(
    read: _Read | None, message_type: str, fan: str, rest: dict[str, str], about: dict[str, Any]
) -> Event | None:
    if read is None:
        return None
    try:
        return read(message_type, fan, dict(rest), about)
    except ValidationError:  # without a fan, or with an id that is none
        return None


def _other(fan: str, kind: str, rest: dict[str, str], about: dict[str, Any]) -> Event:
    if len(kind) > LONGEST_ID:
        rest, kind = {**rest, "MsgType": kind}, kind[:LONGEST_ID]
    if 0 < len(fan) <= LONGEST_ID:
        return OtherReceived(**about, fan=fan, kind=kind, fields=rest)
    return NoticeReceived(**about, kind=kind, fields={**rest, "FromUserName": fan} if fan else rest)


def _read_message(
    message_type: str, fan: str, rest: dict[str, str], about: dict[str, Any]
) -> Event:
    text = rest.pop("Content", "") if message_type == "text" else ""
    return MessageReceived(**about, fan=fan, message_type=message_type, text=text, fields=rest)


def _read_followed(_type: str, fan: str, rest: dict[str, str], about: dict[str, Any]) -> Event:
    key = rest.get("EventKey", "")
    scene = key.removeprefix(QR_SCENE) if key.startswith(QR_SCENE) else ""
    if scene or not key:
        rest.pop("EventKey", None)  # any other key, as of a payment, is no scene, and is kept
    return FanFollowed(**about, fan=fan, scene=scene, fields=rest)


def _read_unfollowed(_type: str, fan: str, rest: dict[str, str], about: dict[str, Any]) -> Event:
    if not rest.get("EventKey", ""):
        rest.pop("EventKey", None)
    return FanUnfollowed(**about, fan=fan, fields=rest)


def _read_scanned(_type: str, fan: str, rest: dict[str, str], about: dict[str, Any]) -> Event:
    return QrScanned(**about, fan=fan, scene=rest.pop("EventKey", ""), fields=rest)


def _read_clicked(_type: str, fan: str, rest: dict[str, str], about: dict[str, Any]) -> Event:
    return MenuClicked(**about, fan=fan, menu_key=rest.pop("EventKey", ""), fields=rest)


def _read_viewed(_type: str, fan: str, rest: dict[str, str], about: dict[str, Any]) -> Event:
    return LinkViewed(**about, fan=fan, url=rest.pop("EventKey", ""), fields=rest)


def _read_mass_send(_type: str, fan: str, rest: dict[str, str], about: dict[str, Any]) -> Event:
    counts = {field: _take_count(rest, name) for field, name in _COUNTS}
    if fan:
        rest["FromUserName"] = fan
    return MassSendFinished(
        **about,
        message_id=rest.pop("MsgID", "").strip(),
        status=rest.pop("Status", ""),
        **counts,
        fields=rest,
    )


def _split(fields: Fields) -> tuple[dict[str, str], dict[str, str]]:
    """Return the routing fields, each a leaf, and what is beyond them, flat."""
    routing = dict(_NO_ROUTING)
    rest: dict[str, Value] = {}
    for name, value in fields.items():
        if name in _NO_ROUTING and isinstance(value, str):
            routing[name] = value.strip()
        else:
            rest[name] = open_object(value) if name in _OBJECTS else value
    return routing, flatten(rest)


def _read_time(text: str) -> int | None:
    """Milliseconds of a `CreateTime`, in seconds or, as some pushes have it, in milliseconds."""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) <= _SECOND_DIGITS:
        return int(text) * _MS
    return int(text) if len(text) == _MS_DIGITS else None


def _take_count(rest: dict[str, str], name: str) -> int:
    text = rest.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_COUNT):
        return 0  # and what stands there is kept
    del rest[name]
    return int(text)


_Read = Callable[[str, str, dict[str, str], dict[str, Any]], Event]
_COUNTS: Final = (
    ("total", "TotalCount"),
    ("filtered", "FilterCount"),
    ("sent", "SentCount"),
    ("errors", "ErrorCount"),
)
_EVENTS: Final[dict[str, _Read]] = {
    "subscribe": _read_followed,
    "unsubscribe": _read_unfollowed,
    "SCAN": _read_scanned,
    "CLICK": _read_clicked,
    "VIEW": _read_viewed,
    "MASSSENDJOBFINISH": _read_mass_send,
}
