"""PagerDuty, Events API v2.

Source: PagerDuty developer docs, "Events API v2": trigger, acknowledge and resolve share a
`dedup_key` of up to 255 characters; a summary has up to 1,024; 202 with `"status": "success"`
accepts; 400 must not be retried; 429 and 5xx with growing delays. A trigger on an alert that was
acknowledged is de-duplicated and calls nobody, so each round of an incident has a key of its own.
"""

from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

from services.sentiment.channels.base import Answer, ChannelConfig, ChannelKind, by_status, post
from services.sentiment.domain.paging.dispatch import Limits
from services.sentiment.domain.paging.page_text import PageMessage
from services.sentiment.domain.paging.pages import Outcome
from shared.events import stable_id

SUMMARY_CHARS = 1024
DEDUP_CHARS = 255
THROTTLED_S = 60.0
ACCEPTED = 202
PER_MINUTE = 120
"""Events of one integration. PagerDuty names no number and throttles as it sees fit; this one was
its documented limit for years."""
SEVERITIES = {3: "critical", 2: "error"}
"""Ours in PagerDuty's words; less severe incidents are warnings."""


class PagerDutyConfig(ChannelConfig):
    """One integration of one service."""

    url: str = "https://events.pagerduty.com/v2/enqueue"
    """In the EU service region https://events.eu.pagerduty.com/v2/enqueue."""
    routing_key: SecretStr


class PagerDuty:
    """See `services.sentiment.ports.AlertChannel`."""

    def __init__(self, config: PagerDutyConfig, client: httpx.AsyncClient) -> None:
        self._config = config
        self._client = client

    async def send(self, message: PageMessage) -> Outcome:
        """See the port."""
        outcome = await self._enqueue(message, message.dedup_key)
        if message.action == "resolve":
            for key in message.earlier_keys:  # resolving twice does no harm
                if outcome.result == "sent":
                    outcome = await self._enqueue(message, key)
        return outcome

    async def _enqueue(self, message: PageMessage, key: str) -> Outcome:
        event = pagerduty_event(message, self._config.routing_key.get_secret_value(), key)
        answer = await post(self._client, self._config.url, event)
        if isinstance(answer, Outcome):
            return answer
        outcome = by_status(answer) or _by_body(answer)
        if outcome.result == "throttled" and outcome.retry_after_s is None:
            return Outcome("throttled", outcome.code, THROTTLED_S)
        return outcome


def pagerduty_event(message: PageMessage, routing_key: str, key: str) -> dict[str, Any]:
    """The JSON of one event.

    Args:
        message: what happened.
        routing_key: of the integration.
        key: names the alert; `dedup_key` of the message, or an earlier one.
    """
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": message.action,
        "dedup_key": _dedup_key(key),
    }
    if message.action == "trigger":
        text = message.text
        when = datetime.fromtimestamp(message.occurred_at / 1000, UTC)
        event["payload"] = {
            "summary": text.summary[:SUMMARY_CHARS],
            "source": message.account,
            "severity": SEVERITIES.get(message.severity, "warning"),
            "timestamp": when.isoformat(timespec="milliseconds"),
            "component": message.subject,
            "class": "negative_comments",
            "custom_details": {
                "facts": list(text.facts),
                "comments": list(text.samples),
                "page": message.page,
                "step": message.step,
            },
        }
        event["client"] = "fan-engagement"
        if text.link:
            event["links"] = [{"href": text.link, "text": text.link_label}]
    return event


def _by_body(answer: Answer) -> Outcome:
    """Only 202 and PagerDuty's own word for it are an acceptance."""
    if answer.status == ACCEPTED and answer.body and answer.body.get("status") == "success":
        return Outcome("sent", f"http_{ACCEPTED}")
    return Outcome("unavailable", "not_pagerduty")  # a proxy's page, most likely


def _limits(_config: PagerDutyConfig) -> Limits:
    return Limits(per_minute=PER_MINUTE)


def _dedup_key(key: str) -> str:
    return key if len(key) <= DEDUP_CHARS else stable_id(key)


def _make(config: PagerDutyConfig, client: httpx.AsyncClient) -> PagerDuty:
    return PagerDuty(config, client)


PAGERDUTY = ChannelKind(PagerDutyConfig, _make, _limits)
