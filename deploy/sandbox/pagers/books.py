"""The staff's channels: WeCom group robots and PagerDuty Events v2, as pure books of alerts.

Source: WeCom "Group robot configuration"; PagerDuty "Events API v2".
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ROBOT_PER_MINUTE = 20
ROBOT_TEXT_BYTES = 2048
ROBOT_MARKDOWN_BYTES = 4096
SUMMARY_LETTERS = 1024
DEDUP_LETTERS = 255
EVENT_BYTES = 512 * 1024

WECOM_OK = 0
WECOM_RATE = 45009
WECOM_BAD_TYPE = 40008
WECOM_INVALID = 40058
WECOM_UNKNOWN_KEY = 93000

ACCEPTED, BAD_REQUEST, RATE_LIMITED = 202, 400, 429

_MINUTE_S = 60.0
_ROBOT_BYTES: Mapping[str, int] = {"text": ROBOT_TEXT_BYTES, "markdown": ROBOT_MARKDOWN_BYTES}
_ROBOT_TYPES = frozenset(
    {*_ROBOT_BYTES, "image", "news", "file", "voice", "template_card", "markdown_v2"}
)
_SEVERITIES = frozenset({"critical", "error", "warning", "info"})
_ACTIONS = frozenset({"trigger", "acknowledge", "resolve"})


@dataclass(slots=True)
class Rate:
    """At most `limit` accepted calls in any minute."""

    limit: int
    _at: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> bool:
        """Take one place; False when the minute is full."""
        while self._at and now - self._at[0] >= _MINUTE_S:
            self._at.popleft()
        if len(self._at) >= self.limit:
            return False
        self._at.append(now)
        return True


def check_robot_message(message: Any) -> tuple[int, str]:
    """Check a robot's message: the platform's code and text."""
    kind = message.get("msgtype") if isinstance(message, Mapping) else None
    if kind not in _ROBOT_TYPES:
        return WECOM_BAD_TYPE, "invalid message type"
    body = message.get(kind)
    if not isinstance(body, Mapping):
        return WECOM_INVALID, f"{kind} is missing"
    most = _ROBOT_BYTES.get(kind)
    if most is None:
        return WECOM_OK, "ok"
    content = body.get("content")
    if not isinstance(content, str) or not content:
        return WECOM_INVALID, f"{kind}.content is missing"
    if len(content.encode("utf-8", "replace")) > most:
        return WECOM_INVALID, f"{kind}.content exceed max length {most}"
    return _check_mentions(kind, body)


def check_pagerduty_event(event: Any) -> list[str]:
    """Return what is wrong with an event; nothing when it may be processed."""
    if not isinstance(event, Mapping):
        return ["the body must be a JSON object"]
    errors = []
    action = event.get("event_action")
    if action not in _ACTIONS:
        errors.append("'event_action' must be one of trigger, acknowledge, resolve")
    dedup_key = event.get("dedup_key")
    if dedup_key is not None and (
        not isinstance(dedup_key, str) or not 0 < len(dedup_key) <= DEDUP_LETTERS
    ):
        errors.append(f"'dedup_key' must be 1 to {DEDUP_LETTERS} characters")
    if action in ("acknowledge", "resolve") and not dedup_key:
        errors.append("'dedup_key' is required")
    if action == "trigger":
        errors += _payload_errors(event.get("payload"))
    return errors


@dataclass(slots=True)
class Alert:
    """One PagerDuty alert: `status` is triggered, acknowledged or resolved."""

    dedup_key: str
    status: str
    summary: str
    severity: str
    triggers: int
    opened_at: float
    changed_at: float

    def as_json(self) -> dict[str, Any]:
        """Return the alert as `GET /_books` shows it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Alerts:
    """The alerts of one integration, by dedup_key."""

    by_key: dict[str, Alert] = field(default_factory=dict)
    closed: list[Alert] = field(default_factory=list)

    def apply(self, event: Mapping[str, Any], now: float) -> tuple[str, str]:
        """Apply a valid event: its dedup_key and what it did.

        A trigger on an open alert is de-duplicated, on a resolved one it opens a new alert;
        acknowledge and resolve without an open alert are dropped.
        """
        key = event.get("dedup_key") or secrets.token_hex(16)
        alert = self.by_key.get(key)
        if event["event_action"] == "trigger":
            return key, self._trigger(key, alert, event["payload"], now)
        if alert is None:
            return key, "dropped"
        alert.changed_at = now
        if event["event_action"] == "acknowledge":
            alert.status = "acknowledged"
            return key, "acknowledged"
        alert.status = "resolved"
        self.closed.append(self.by_key.pop(key))
        return key, "resolved"

    def _trigger(
        self, key: str, alert: Alert | None, payload: Mapping[str, Any], now: float
    ) -> str:
        if alert is None:
            summary, severity = payload["summary"], payload["severity"]
            self.by_key[key] = Alert(key, "triggered", summary, severity, 1, now, now)
            return "opened"
        alert.triggers += 1
        alert.changed_at = now
        return "deduplicated"


def _check_mentions(kind: str, body: Mapping[str, Any]) -> tuple[int, str]:
    for name in ("mentioned_list", "mentioned_mobile_list"):
        names = body.get(name, [])
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            return WECOM_INVALID, f"{kind}.{name} is no list of strings"
    return WECOM_OK, "ok"


def _payload_errors(payload: Any) -> list[str]:
    if not isinstance(payload, Mapping):
        return ["'payload' is required"]
    errors = []
    summary = payload.get("summary")
    if not isinstance(summary, str) or not 0 < len(summary) <= SUMMARY_LETTERS:
        errors.append(f"'payload.summary' must be 1 to {SUMMARY_LETTERS} characters")
    if not isinstance(payload.get("source"), str) or not payload["source"]:
        errors.append("'payload.source' is required")
    if payload.get("severity") not in _SEVERITIES:
        errors.append("'payload.severity' must be one of critical, error, warning, info")
    return errors
