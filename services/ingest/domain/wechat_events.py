"""Which event a WeChat push is.

Text and the other message types, follow, unfollow, QR scan and the two menu events have event
types of their own; a finished mass send too. Everything else is kept with its fields.
Source: WeChat "Receiving standard messages", "Receiving event pushes".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from services.ingest.domain.incoming import Incoming, flatten, id_of_content, id_of_own
from services.ingest.domain.refusals import Refusal
from shared.events import (
    Event,
    FanFollowed,
    FanUnfollowed,
    LinkViewed,
    MassSendFinished,
    MenuClicked,
    MessageReceived,
    OtherReceived,
    QrScanned,
)
from shared.events.fan import Authenticated
from shared.platforms.fields import Fields, text_of

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

_ENVELOPE_FIELDS: Final = frozenset(
    {"ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "MsgId"}
)
_MS: Final = 1000
_LONGEST_TIME: Final = 11


def understand_wechat(
    fields: Fields, *, account: str, authenticated_by: Authenticated
) -> Incoming | Refusal:
    """Return the event that a push's fields tell.

    Args:
        fields: the whole push, decrypted.
        account: the gh_ id of the account whose address was called.
        authenticated_by: how the push was authenticated.
    """
    if text_of(fields, "ToUserName") != account:
        return Refusal.WRONG_RECEIVER
    fan, time = text_of(fields, "FromUserName"), text_of(fields, "CreateTime")
    message_type = text_of(fields, "MsgType")
    if not (time.isascii() and time.isdigit()) or len(time) > _LONGEST_TIME:
        return Refusal.MALFORMED
    about: dict[str, Any] = {
        "occurred_at": int(time) * _MS,
        "platform": "wechat",
        "account": account,
        "fan": fan,
        "authenticated_by": authenticated_by,
    }
    try:
        if message_type == "event":
            name = text_of(fields, "Event")
            event = _EVENTS.get(name, _read_other)(fields, about)
            kind = f"event.{name}"
            own_id = text_of(fields, "MsgID") if name.endswith("JOBFINISH") else ""
        else:
            event = (_read_message if message_type in MESSAGE_TYPES else _read_other)(fields, about)
            kind = message_type
            own_id = text_of(fields, "MsgId")
    except ValidationError:
        return Refusal.MALFORMED
    if own_id:
        event_id = id_of_own("wechat", account, kind, own_id)
    else:
        event_id = id_of_content(
            "wechat", account, fan, time, kind, text_of(fields, "EventKey"), fields
        )
    return Incoming(event, event_id, f"/wechat/{account}/ingest")


def _read_message(fields: Fields, about: dict[str, Any]) -> Event:
    message_type = text_of(fields, "MsgType")
    is_text = message_type == "text"
    rest = _rest(fields)
    if is_text:
        rest.pop("Content", None)
    return MessageReceived(
        **about,
        message_type=message_type,
        text=text_of(fields, "Content") if is_text else "",
        fields=rest,
    )


def _read_followed(fields: Fields, about: dict[str, Any]) -> Event:
    key = text_of(fields, "EventKey")
    scene = key.removeprefix(QR_SCENE) if key.startswith(QR_SCENE) else ""
    return FanFollowed(**about, scene=scene)


def _read_unfollowed(_fields: Fields, about: dict[str, Any]) -> Event:
    return FanUnfollowed(**about)


def _read_scanned(fields: Fields, about: dict[str, Any]) -> Event:
    return QrScanned(**about, scene=text_of(fields, "EventKey"))


def _read_clicked(fields: Fields, about: dict[str, Any]) -> Event:
    return MenuClicked(**about, menu_key=text_of(fields, "EventKey"))


def _read_viewed(fields: Fields, about: dict[str, Any]) -> Event:
    return LinkViewed(**about, url=text_of(fields, "EventKey"))


def _read_mass_send(fields: Fields, about: dict[str, Any]) -> Event:
    del about["fan"]
    return MassSendFinished(
        **about,
        message_id=text_of(fields, "MsgID"),
        status=text_of(fields, "Status"),
        total=_count(fields, "TotalCount"),
        filtered=_count(fields, "FilterCount"),
        sent=_count(fields, "SentCount"),
        errors=_count(fields, "ErrorCount"),
    )


def _read_other(fields: Fields, about: dict[str, Any]) -> Event:
    message_type = text_of(fields, "MsgType")
    name = text_of(fields, "Event")
    kind = f"{message_type}.{name}" if name else message_type
    return OtherReceived(**about, kind=kind, fields=_rest(fields))


def _rest(fields: Fields) -> dict[str, str]:
    return flatten({name: fields[name] for name in fields if name not in _ENVELOPE_FIELDS})


def _count(fields: Fields, name: str) -> int:
    text = text_of(fields, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_TIME else 0


_EVENTS: Final[dict[str, Callable[[Fields, dict[str, Any]], Event]]] = {
    "subscribe": _read_followed,
    "unsubscribe": _read_unfollowed,
    "SCAN": _read_scanned,
    "CLICK": _read_clicked,
    "VIEW": _read_viewed,
    "MASSSENDJOBFINISH": _read_mass_send,
}
