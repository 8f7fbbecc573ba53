"""What ingest counts beside the metrics of every service."""

from __future__ import annotations

from typing import Final

from services.ingest.domain.refusals import Refusal
from services.ingest.ports import GREETED, TAKEN
from shared.observe.metrics import Meter, Metric

PLATFORMS: Final = ("wechat", "weibo", "shop")

WEBHOOKS: Final = Metric(
    "fan_webhooks_total",
    "counter",
    "Webhook requests, by what became of them: taken, greeted, or the reason of the refusal.",
    ("platform", "outcome"),
)
WEBHOOK_EVENTS: Final = Metric(
    "fan_webhook_events_total",
    "counter",
    "Events that webhooks told and the log acknowledged; a re-send counts again.",
    ("type",),
)
COMMENT_POLLS: Final = Metric(
    "fan_comment_polls_total",
    "counter",
    "Readings of an article's comments, by what became of them.",
    ("outcome",),
)
COMMENTS: Final = Metric(
    "fan_comments_found_total", "counter", "Comments found by polling and acknowledged by the log."
)

INGEST_METRICS: Final = (WEBHOOKS, WEBHOOK_EVENTS, COMMENT_POLLS, COMMENTS)


class IngestMetrics:
    """Ingest's counters, made in one registry; a `services.ingest.ports.Observer`."""

    def __init__(self, meter: Meter) -> None:
        webhooks = meter.counter(WEBHOOKS)
        self._webhooks = {
            (platform, outcome): webhooks.labels(platform, outcome)
            for platform in PLATFORMS
            for outcome in (TAKEN, GREETED, *(refusal.value for refusal in Refusal))
        }
        self._webhook_events = meter.counter(WEBHOOK_EVENTS)
        self._by_type = {"": self._webhook_events.labels("OtherReceived")}
        self._polls = meter.counter(COMMENT_POLLS)
        self._comments = meter.counter(COMMENTS)

    def webhook(self, platform: str, outcome: str) -> None:
        """Count a webhook request; `outcome` is taken, greeted or a refusal's word."""
        self._webhooks[platform, outcome].inc()

    def event(self, event_type: str) -> None:
        """Count an event that a webhook told."""
        counter = self._by_type.get(event_type)
        if counter is None:
            counter = self._by_type[event_type] = self._webhook_events.labels(event_type)
        counter.inc()

    def poll(self, outcome: str) -> None:
        """Count a reading of an article's comments; `outcome` is bounded."""
        self._polls.labels(outcome).inc()

    def comments(self, count: int) -> None:
        """Count comments that were published."""
        self._comments.inc(count)
