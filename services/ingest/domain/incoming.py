"""An event on its way in, its deterministic id and its envelope.

An id hashes what stays the same when a platform re-sends: its own id where it gives one, else
sender, time, kind, key and content (two different messages can share a second). So whatever comes
twice is published twice under one id, and consumers apply it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.events import Event, stable_id
from shared.events.envelope import Envelope
from shared.platforms.fields import Fields, Value

_LONGEST_OWN_ID: Final = 128
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


def id_of_own(platform: str, account: str, kind: str, own_id: str) -> str:
    """Return the id of what the platform itself names; `own_id` is the platform's."""
    return stable_id(platform, account, kind, own_id[:_LONGEST_OWN_ID], len(own_id))


def id_of_content(
    platform: str, account: str, sender: str, time: str, kind: str, key: str, content: Fields
) -> str:
    """Return the id of what the platform does not name."""
    flat = flatten(content)
    parts = [text for name in sorted(flat) for text in (name, flat[name])]
    return stable_id(platform, account, sender, time, kind, key, *parts)


def flatten(fields: Fields) -> dict[str, str]:
    """Return nested fields as one level: `ScanCodeInfo.ScanType`, `List.0.TemplateId`."""
    flat: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, str):
            flat[name] = value
        else:
            _flatten_into(flat, name, value)
    return flat


def _flatten_into(flat: dict[str, str], name: str, value: Value) -> None:
    if isinstance(value, str):
        flat[name] = value
        return
    inner = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, item in inner:
        _flatten_into(flat, f"{name}.{key}", item)
