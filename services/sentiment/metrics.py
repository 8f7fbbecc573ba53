"""The sentiment service's own metrics, and who counts and logs incidents and pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from services.sentiment.domain.incidents.subjects import SUBJECTS
from services.sentiment.domain.paging.pages import RESULTS, Outcome, Page
from shared.errors import TransientError
from shared.events import (
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentEvent,
    IncidentOpened,
    IncidentResolved,
)
from shared.observe.logs import get_logger
from shared.observe.metrics import Meter, Metric
from shared.observe.observer import Observer

GROUP = "sentiment.incidents"
"""The observer's label for what no consumer group does."""
DEAD_AFTER_S = 60.0
"""A channel that has failed for so long counts as dead."""

COMMENT_TO_PAGE = Metric(
    "fan_sentiment_comment_to_page_seconds",
    "histogram",
    "From the comment that made it an incident (the platform's time) to an accepted page.",
    (),
    (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0),
)
INCIDENTS = Metric(
    "fan_sentiment_unresolved_incidents",
    "gauge",
    "Incidents that are not over, of all accounts; each process tells the same.",
    ("status",),
)
INCIDENT_EVENTS = Metric(
    "fan_sentiment_incident_events_total",
    "counter",
    "Changes of incidents; IncidentEscalated counts escalations.",
    ("event", "subject"),
)
PAGES = Metric(
    "fan_sentiment_pages_total",
    "counter",
    "Calls to alert channels, by how they answered.",
    ("channel", "action", "result"),
)
CHANNEL_UP = Metric(
    "fan_sentiment_channel_up",
    "gauge",
    "0 while an alert channel's last answer was not an acceptance.",
    ("channel",),
)
OLDEST_PAGE = Metric(
    "fan_sentiment_oldest_due_page_seconds",
    "gauge",
    "For how long the oldest alarm that no channel took yet has been due.",
)
EVALUATOR_AGE = Metric(
    "fan_sentiment_evaluator_age_seconds", "gauge", "Time since the evaluator's last full round."
)
EVALUATE_SECONDS = Metric(
    "fan_sentiment_evaluate_seconds", "histogram", "Judging one account, reads and write included."
)

SENTIMENT_METRICS: tuple[Metric, ...] = (
    COMMENT_TO_PAGE,
    INCIDENTS,
    INCIDENT_EVENTS,
    PAGES,
    CHANNEL_UP,
    OLDEST_PAGE,
    EVALUATOR_AGE,
    EVALUATE_SECONDS,
)

STATUSES = ("open", "acknowledged")
ACTIONS = ("trigger", "acknowledge", "resolve")
EVENTS = (IncidentOpened, IncidentEscalated, IncidentAcknowledged, IncidentResolved)


class SentimentMetrics:
    """Implements `services.sentiment.ports.IncidentObserver`.

    Args:
        meter: makes the metrics.
        channels: names of the channels in the file of alerts.
        observer: of the runner; is told of failures and steps.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        meter: Meter,
        channels: Iterable[str],
        observer: Observer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = get_logger(__name__)
        self._observer = observer
        self._clock = clock
        self._round_at = clock()
        self._to_page = meter.histogram(COMMENT_TO_PAGE)
        self._incidents = meter.gauge(INCIDENTS)
        self._events = meter.counter(INCIDENT_EVENTS)
        self._pages = meter.counter(PAGES)
        self._channel_up = meter.gauge(CHANNEL_UP)
        self._oldest = meter.gauge(OLDEST_PAGE)
        self._evaluate = meter.histogram(EVALUATE_SECONDS)
        meter.gauge(EVALUATOR_AGE).set_function(lambda: self._clock() - self._round_at)
        self._failing_since: dict[str, float | None] = dict.fromkeys(channels)
        for channel in self._failing_since:
            self._channel_up.labels(channel).set(1)
            for action in ACTIONS:
                for result in RESULTS:
                    self._pages.labels(channel, action, result)
        for event in EVENTS:
            for subject in SUBJECTS:
                self._events.labels(event.__name__, subject)
        for status in STATUSES:
            self._incidents.labels(status).set(0)

    def round_done(self) -> None:
        """See the port."""
        self._round_at = self._clock()

    def evaluated(self, account: str, seconds: float) -> None:
        """See the port."""
        self._evaluate.observe(seconds)

    def announced(self, event: IncidentEvent) -> None:
        """See the port."""
        name = type(event).__name__
        self._events.labels(name, event.subject).inc()
        self._log.warning(
            "sentiment.incident.changed",
            change=name,
            incident=event.incident,
            severity=event.severity,
            number=event.number,
            pause_promotions=event.pause_promotions,
        )

    def page_called(self, page: Page, outcome: Outcome, seconds: float | None) -> None:
        """See the port."""
        channel = page.wanted.channel
        self._pages.labels(channel, page.wanted.action, outcome.result).inc()
        if seconds is not None:
            self._to_page.observe(seconds)
        sent = outcome.result == "sent"
        self._channel_up.labels(channel).set(sent)
        since = self._failing_since.get(channel)
        self._failing_since[channel] = None if sent else since or self._clock()
        log = self._log.info if sent else self._log.warning
        log(
            "sentiment.page.called",
            page=page.id,
            result=outcome.result,
            code=outcome.code,
            attempt=page.attempts + 1,
        )

    def waiting(self, unresolved: Mapping[str, int], oldest_page_s: float) -> None:
        """See the port."""
        for status in STATUSES:
            self._incidents.labels(status).set(unresolved.get(status, 0))
        self._oldest.set(oldest_page_s)

    def failed(self, step: str, error: BaseException) -> None:
        """See the port."""
        self._observer.failure(GROUP, step, error)

    def step(self, name: str) -> None:
        """See the port."""
        self._observer.step(GROUP, name)

    def dead_channels(self) -> list[str]:
        """Channels that have failed for a while."""
        now = self._clock()
        return [
            channel
            for channel, since in self._failing_since.items()
            if since is not None and now - since >= DEAD_AFTER_S
        ]

    async def check_somebody_is_reachable(self) -> None:
        """Readiness: raises while every channel is dead.

        One dead channel is told by the metrics only: an instance that is not ready gets no
        requests, and then nobody could acknowledge what the other channels paged.
        """
        if len(self.dead_channels()) == len(self._failing_since):
            raise TransientError("no alert channel accepts pages")
