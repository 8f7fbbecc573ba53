"""What Weibo pushes (JSON) as typed fields, and the JSON of our replies.

Source: Weibo "Receive_General_Message", "Receive_Event_Push", "Messages_reply".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote

from shared.platforms.fields import BodyError, BodyFault, Value, read_json, text_of

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


@dataclass(frozen=True, slots=True)
class Push:
    """One push, its inner fields as text."""

    type: str
    sender_id: str
    receiver_id: str
    created_at: datetime
    text: str
    data: Mapping[str, Value]


def read(body: bytes) -> Push:
    """Read a push.

    Raises:
        BodyError: it isn't a JSON object with the fields that every push has.
    """
    fields = read_json(body)
    created_at = read_time(text_of(fields, "created_at"))
    kind, sender = text_of(fields, "type"), text_of(fields, "sender_id")
    if created_at is None or not kind or not sender:
        raise BodyError(BodyFault.MALFORMED)
    data = fields.get("data", {})
    return Push(
        type=kind,
        sender_id=sender,
        receiver_id=text_of(fields, "receiver_id"),
        created_at=created_at,
        text=text_of(fields, "text"),
        data=data if isinstance(data, Mapping) else {"value": data},
    )


def read_time(text: str) -> datetime | None:
    """Read Weibo's time, as "Mon Jul 16 18:09:20 +0800 2012"; None where it isn't one.

    By hand, since `strptime` depends on the process's locale.
    """
    words = text.split()
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
