"""An event on its way in, its deterministic id and its envelope.

An id hashes what stays the same when a platform re-sends: platform, account, sender, time, kind,
and the platform's own id where it gives one, else all that it says. The sender's part is not left
out beside an own id, since WeChat has given one `MsgId` to two fans' messages; nor is the content
without one, since two different messages can share a second. So whatever comes twice is published
twice under one id, and consumers apply it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.events import Event, NoticeReceived, stable_id
from shared.events.base import Platform
from shared.events.envelope import Envelope
from shared.events.fan import Authenticated
from shared.platforms.fields import BodyError, BodyFault, Fields, Value
from shared.platforms.lenient import decode, replace_controls

MOST_CHARS: Final = 131_072
"""How many characters an event's fields may have, names included: twice the longest body, and so
little that the event always fits into the log."""
UNREADABLE: Final = "unreadable"
"""The kind of a genuine push that can't be read."""

_MS: Final = 1000
_SAMPLED: Final = "01"


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event that a platform or shop told us, ready to be published."""

    event: Event
    id: str
    source: str
    """`/platform/account/door`; ids are unique within it."""

    def envelope(self) -> Envelope:
        """The event's CloudEvents envelope.

        The trace starts here; its id is the event's, so that a re-send joins the same trace.
        """
        return Envelope(
            id=self.id,
            source=self.source,
            type=type(self.event).__name__,
            time=self.event.occurred_at,
            traceparent=f"00-{self.id}-{self.id[:16]}-{_SAMPLED}",
        )


def id_of(
    platform: str,
    account: str,
    *,
    sender: str,
    time: str,
    kind: str,
    own_id: str,
    content: Mapping[str, str],
) -> str:
    """Return the id of a push.

    Args:
        platform: where it comes from.
        account: the platform's id of the account.
        sender: the fan; empty where none is named.
        time: when it happened, as the platform wrote it.
        kind: what kind of push it is.
        own_id: the platform's own id; empty where it gives none, then the content tells.
        content: every other field, flat, the event's key among them.
    """
    if own_id:
        return stable_id(platform, account, sender, time, kind, own_id)
    parts = [text for name in sorted(content) for text in (name, content[name])]
    return stable_id(platform, account, sender, time, kind, *parts)


def keep_unreadable(
    body: bytes, *, platform: Platform, account: str, authenticated_by: Authenticated, now_s: int
) -> Incoming:
    """Return the event of a genuine push that can't be read: it is kept as it came.

    Args:
        body: the push, decrypted.
        platform: where it comes from.
        account: the platform's id of the account.
        authenticated_by: how the push was authenticated.
        now_s: its signed timestamp, Unix seconds.
    """
    fields = {"body": replace_controls(decode(body))}
    event = NoticeReceived(
        occurred_at=now_s * _MS,
        platform=platform,
        account=account,
        authenticated_by=authenticated_by,
        kind=UNREADABLE,
        fields=fields,
    )
    event_id = stable_id(platform, account, UNREADABLE, fields["body"])
    return Incoming(event, event_id, f"/{platform}/{account}/ingest")


def flatten(fields: Fields) -> dict[str, str]:
    """Return nested fields as one level: `ScanCodeInfo.ScanType`, `List.TemplateId`.

    Of repeated names the first has the name alone and the next ones `name.1`, `name.2`: so a list
    of one is named like the first of many, and no field overwrites another.

    Raises:
        BodyError: together they have more than `MOST_CHARS` characters.
    """
    for value in fields.values():
        if not isinstance(value, str):
            flat = FlatFields()
            for name, one in fields.items():
                flat.put(name, one)
            return flat.fields
    return dict(fields)  # type: ignore[arg-type]  # all leaves: no longer than the body


class FlatFields:
    """Fields of one level in the making; see `flatten`."""

    __slots__ = ("_room", "_times", "fields")

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._times: dict[str, int] = {}
        self._room = MOST_CHARS

    def put(self, name: str, value: Value) -> None:
        """Add a field and all that it holds.

        Raises:
            BodyError: no room is left.
        """
        if isinstance(value, str):
            self._put_leaf(name, value)
        elif isinstance(value, Mapping):
            for inner, one in value.items():
                self.put(f"{name}.{inner}", one)
        else:
            for number, one in enumerate(value):
                self.put(f"{name}.{number}" if number else name, one)

    def _put_leaf(self, name: str, text: str) -> None:
        if name in self.fields:
            name = self._free_name(name)
        self._room -= len(name) + len(text)
        if self._room < 0:
            raise BodyError(BodyFault.TOO_LONG)
        self.fields[name] = text

    def _free_name(self, name: str) -> str:
        number = self._times.get(name, 0) + 1
        while f"{name}.{number}" in self.fields:
            number += 1
        self._times[name] = number
        return f"{name}.{number}"
