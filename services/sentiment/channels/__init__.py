"""Ways to reach staff, one module each. To add one: a module, and a line in `ALERT_CHANNELS`."""

from __future__ import annotations

from services.sentiment.channels.base import ChannelKind
from services.sentiment.channels.pagerduty import PAGERDUTY
from services.sentiment.channels.wecom_robot import WECOM_ROBOT

ALERT_CHANNELS: dict[str, ChannelKind] = {
    "wecom_robot": WECOM_ROBOT,
    "pagerduty": PAGERDUTY,
}
"""By the `kind` in the file of alerts."""

__all__ = ["ALERT_CHANNELS", "ChannelKind"]
