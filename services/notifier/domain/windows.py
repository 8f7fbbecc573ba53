"""Which acts of a fan open a window for messages, for how long and how many.

Sources: WeChat "Customer service messages" (quota since 2023-06-12); Weibo "Messages_reply".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.notifier.domain.periods import HOUR_MS, MINUTE_MS
from shared.events import (
    Event,
    FanFollowed,
    MenuClicked,
    MessageReceived,
    OtherReceived,
    QrScanned,
)


class Act(StrEnum):
    """What a fan did."""

    MESSAGE = "message"
    CLICK = "click"
    SUBSCRIBE = "subscribe"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class WindowRule:
    """A window's length in milliseconds, and how many messages it takes (None: any number)."""

    length: int
    messages: int | None


WINDOW_RULES: Final[Mapping[str, Mapping[Act, WindowRule]]] = MappingProxyType(
    {
        "wechat": MappingProxyType(
            {
                Act.MESSAGE: WindowRule(48 * HOUR_MS, 5),
                Act.CLICK: WindowRule(MINUTE_MS, 3),
                Act.SUBSCRIBE: WindowRule(MINUTE_MS, 3),
                Act.SCAN: WindowRule(MINUTE_MS, 3),
            }
        ),
        "weibo": MappingProxyType({act: WindowRule(48 * HOUR_MS, None) for act in Act}),
    }
)
"""By platform. A fan's act renews its own window only."""
LONGEST_WINDOW_MS: Final = 48 * HOUR_MS

_OTHER_ACTS: Final = MappingProxyType(
    {
        "event.scancode_push": Act.CLICK,
        "event.scancode_waitmsg": Act.CLICK,
        "event.subscribe": Act.SUBSCRIBE,
        "event.scan_follow": Act.SUBSCRIBE,
    }
)
"""Window-opening acts that have no event of their own, by `OtherReceived.kind` in lower case."""


def act_of(event: Event) -> Act | None:
    """The window that a fan's event opens; None for those that open none."""
    match event:
        case MessageReceived():
            return Act.MESSAGE
        case MenuClicked():
            return Act.CLICK
        case FanFollowed():
            return Act.SUBSCRIBE
        case QrScanned():
            return Act.SCAN
        case OtherReceived(kind=kind):
            return _OTHER_ACTS.get(kind.lower())
        case _:
            return None
