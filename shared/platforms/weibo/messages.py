"""What Weibo pushes, JSON or WeChat's XML, as typed fields, and the JSON of our replies.

An account chooses by `eps/push/set_format` in which of the two it is pushed to; the XML has
WeChat's names. Source: Weibo "Receive_General_Message", "Receive_Event_Push", "微信XML格式兼容",
"Messages_reply".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote

from shared.platforms.fields import Fields, Value, open_object, text_of
from shared.platforms.wechat.messages import read as read_body

LONGEST_REPLY: Final = 300
"""A reply's text stays below so many characters."""

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_DATE_WORDS: Final = 6
_OFFSET_CHARS: Final = 5
_LONGEST_DATE: Final = 40
_SECOND_DIGITS: Final = 10
_MS_DIGITS: Final = 13
_MS: Final = 1000

_JSON_NAMES: Final = frozenset(
    {"type", "sender_id", "receiver_id", "created_at", "text", "data", "id"}
)
_XML_NAMES: Final = frozenset(
    {"MsgType", "FromUserName", "ToUserName", "CreateTime", "Content", "MsgId", "Event", "EventKey"}
)
_XML_TYPES: Final = {"location": "position"}


@dataclass(frozen=True, slots=True)
class Push:
    """One push, its inner fields as text. Whatever it doesn't say is empty."""

    type: str
    sender_id: str
    receiver_id: str
    time: str
    """When it happened, as it was written."""
    text: str
    data: Mapping[str, Value]
    own_id: str = ""
    """Weibo's own id of it; few pushes have one."""
    rest: Mapping[str, Value] = field(default_factory=dict)
    """What stands beside these, by its own names."""


def read(body: bytes) -> Push:
    """Read a push.

    Raises:
        BodyError: it's neither JSON nor XML, or larger than a push.
    """
    fields = read_body(body)
    return (
        _read_xml(fields) if "ToUserName" in fields or "MsgType" in fields else _read_json(fields)
    )


def _read_json(fields: Fields) -> Push:
    data = open_object(fields.get("data", {}))
    if not isinstance(data, Mapping):
        data = {"value": data} if data else {}
    return Push(
        type=text_of(fields, "type").strip(),
        sender_id=text_of(fields, "sender_id").strip(),
        receiver_id=text_of(fields, "receiver_id").strip(),
        time=text_of(fields, "created_at").strip(),
        text=text_of(fields, "text"),
        data=data,
        own_id=text_of(fields, "id").strip(),
        rest=_rest(fields, _JSON_NAMES),
    )


def _read_xml(fields: Fields) -> Push:
    kind = text_of(fields, "MsgType").strip()
    data = {"subtype": text_of(fields, "Event").strip(), "key": text_of(fields, "EventKey")}
    return Push(
        type=_XML_TYPES.get(kind, kind),
        sender_id=text_of(fields, "FromUserName").strip(),
        receiver_id=text_of(fields, "ToUserName").strip(),
        time=text_of(fields, "CreateTime").strip(),
        text=text_of(fields, "Content"),
        data={name: value for name, value in data.items() if value},
        own_id=text_of(fields, "MsgId").strip(),
        rest=_rest(fields, _XML_NAMES),
    )


def _rest(fields: Fields, named: frozenset[str]) -> dict[str, Value]:
    """Return what a push says beside its named fields, and those of them that are no leaves."""
    return {
        name: value
        for name, value in fields.items()
        if name not in named or not (isinstance(value, str) or name == "data")
    }


def read_time(text: str) -> datetime | None:
    """Read Weibo's time, as "Mon Jul 16 18:09:20 +0800 2012"; None where it isn't one.

    In XML it's Unix seconds; milliseconds are taken too. By hand, since `strptime` depends on the
    process's locale.
    """
    if text.isascii() and text.isdigit() and len(text) in {_SECOND_DIGITS, _MS_DIGITS}:
        return datetime.fromtimestamp(int(text) // (_MS if len(text) == _MS_DIGITS else 1), UTC)
    words = text.split() if len(text) <= _LONGEST_DATE else ()
    if len(words) != _DATE_WORDS:
        return None
    _, month, day, clock, offset, year = words
    if len(offset) != _OFFSET_CHARS or offset[0] not in "+-":
        return None
    try:
        hour, minute, second = (int(part) for part in clock.split(":"))
        east = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
        zone = timezone(-east if offset[0] == "-" else east)
        local = datetime(int(year), _MONTHS[month], int(day), hour, minute, second, tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        return None


def write_time(moment: datetime) -> str:
    """Write a time as Weibo does; `read_time` gives it back, to the second."""
    months = list(_MONTHS)
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    return (
        f"{days[moment.weekday()]} {months[moment.month - 1]} {moment:%d %H:%M:%S %z} "
        f"{moment.year:04d}"
    )


def build_text_data(text: str) -> str:
    """Return the `data` of a text: JSON. On the wire it is URL-encoded once, as UTF-8.

    In a form the form's own encoding does that; in the JSON of a passive reply, `quote_data`.
    """
    return json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":"))


def quote_data(data: str) -> str:
    """Return the `data` of a passive reply, URL-encoded."""
    return quote(data, safe="")


def build_push(fields: Mapping[str, Any]) -> bytes:
    """Write a push's JSON, for tests and tools."""
    return json.dumps(fields, ensure_ascii=False).encode()
