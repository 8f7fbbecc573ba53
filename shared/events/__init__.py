"""Every event that crosses the log, in one registry.

To add one: a class in a module of this package, one line in `EVENT_TYPES`, and `make docs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.events.base import AccountEvent, Event, FanEvent, fan_key
from shared.events.fan import (
    CommentPosted,
    FanFollowed,
    FanUnfollowed,
    LinkViewed,
    MassSendFinished,
    MenuClicked,
    MessageReceived,
    NoticeReceived,
    OtherReceived,
    PurchaseMade,
    QrScanned,
)
from shared.events.ids import effect_id, stable_id
from shared.events.incidents import (
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentEvent,
    IncidentOpened,
    IncidentResolved,
)
from shared.events.pushes import (
    MassSendAccepted,
    PushDropped,
    PushEvent,
    PushHeld,
    PushRefused,
    PushSent,
    PushUnknown,
)
from shared.events.tags import TagAssigned, TagEvent, TagRemoved

_ALL: tuple[type[Event], ...] = (
    MessageReceived,
    FanFollowed,
    FanUnfollowed,
    QrScanned,
    MenuClicked,
    LinkViewed,
    PurchaseMade,
    OtherReceived,
    NoticeReceived,
    CommentPosted,
    MassSendFinished,
    TagAssigned,
    TagRemoved,
    PushSent,
    PushRefused,
    PushUnknown,
    PushHeld,
    PushDropped,
    MassSendAccepted,
    IncidentOpened,
    IncidentEscalated,
    IncidentAcknowledged,
    IncidentResolved,
)

EVENT_TYPES: dict[str, type[Event]] = {event.__name__: event for event in _ALL}
"""`ce_type` to model. What is not here is skipped and counted, never dead-lettered."""


@dataclass(frozen=True, slots=True)
class Topic:
    """How a topic is created.

    `max_message_bytes` is the largest record; its dead-letter topics take 64 KiB more.
    """

    name: str
    partitions: int
    config: dict[str, Any]
    max_message_bytes: int = 1_048_576

    @property
    def is_compacted(self) -> bool:
        """Whether the log keeps only the last record of each key, so that null values delete."""
        return "compact" in str(self.config.get("cleanup.policy", ""))


TOPICS: dict[str, Topic] = {
    "fan-events.v1": Topic("fan-events.v1", 12, {"retention.ms": 7 * 86_400_000}),
    "tag-changes.v1": Topic("tag-changes.v1", 12, {"retention.ms": 7 * 86_400_000}),
    "push-outcomes.v1": Topic("push-outcomes.v1", 12, {"retention.ms": 7 * 86_400_000}),
    "incidents.v1": Topic("incidents.v1", 3, {"retention.ms": 30 * 86_400_000}),
}
DEAD_LETTER_HEADROOM_BYTES = 65_536


def dead_letter_topic(topic: str, service: str) -> str:
    """`<topic>.<service>.dlq`."""
    return f"{topic}.{service}.dlq"


__all__ = [
    "DEAD_LETTER_HEADROOM_BYTES",
    "EVENT_TYPES",
    "TOPICS",
    "AccountEvent",
    "CommentPosted",
    "Event",
    "FanEvent",
    "FanFollowed",
    "FanUnfollowed",
    "IncidentAcknowledged",
    "IncidentEscalated",
    "IncidentEvent",
    "IncidentOpened",
    "IncidentResolved",
    "LinkViewed",
    "MassSendAccepted",
    "MassSendFinished",
    "MenuClicked",
    "MessageReceived",
    "NoticeReceived",
    "OtherReceived",
    "PurchaseMade",
    "PushDropped",
    "PushEvent",
    "PushHeld",
    "PushRefused",
    "PushSent",
    "PushUnknown",
    "QrScanned",
    "TagAssigned",
    "TagEvent",
    "TagRemoved",
    "Topic",
    "dead_letter_topic",
    "effect_id",
    "fan_key",
    "stable_id",
]
