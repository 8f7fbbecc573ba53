"""The notifier's own metrics, and the observer that counts and logs what the senders did."""

from __future__ import annotations

from typing import Final

from shared.observe.logs import get_logger
from shared.observe.metrics import Meter, Metric
from shared.observe.observer import Observer

GROUP: Final = "notifier.sender"
"""The senders' name in the shared metrics, beside the consumer groups."""

DECISIONS: Final = Metric(
    "fan_push_decisions_total",
    "counter",
    "Verdicts against a push, by reason.",
    ("channel", "verdict", "reason"),
)
CALLS: Final = Metric(
    "fan_push_calls_total", "counter", "Calls to a push channel.", ("channel", "outcome")
)
CALL_FANS: Final = Metric(
    "fan_push_call_fans_total", "counter", "Fans named in calls.", ("channel", "outcome")
)
CALL_SECONDS: Final = Metric(
    "fan_push_call_seconds", "histogram", "From a call to its outcome.", ("channel",)
)
SETTLED: Final = Metric(
    "fan_pushes_settled_total",
    "counter",
    "Pushes by what their call made of them.",
    ("channel", "state", "reason"),
)
PLANNED: Final = Metric(
    "fan_pushes_planned_total", "counter", "Rows planned for audiences.", ("channel",)
)
STOPS: Final = Metric(
    "fan_push_channel_stops_total",
    "counter",
    "Times that a platform closed a channel of an account for a while.",
    ("account", "channel", "reason"),
)
NOTIFIER_METRICS: Final = (DECISIONS, CALLS, CALL_FANS, CALL_SECONDS, SETTLED, PLANNED, STOPS)


class SendingMetrics:
    """See `ports.SendingObserver`.

    Args:
        meter: makes the metrics.
        observer: the runners' observer, which also counts failures and knows the crash points.
        channels: their names, so that their series exist from the start.
    """

    def __init__(self, meter: Meter, observer: Observer, channels: list[str]) -> None:
        self._observer = observer
        self._log = get_logger(__name__)
        self._decisions = meter.counter(DECISIONS)
        self._calls = meter.counter(CALLS)
        self._call_fans = meter.counter(CALL_FANS)
        self._call_seconds = meter.histogram(CALL_SECONDS)
        self._settled = meter.counter(SETTLED)
        self._planned = meter.counter(PLANNED)
        self._stops = meter.counter(STOPS)
        for channel in channels:
            self._call_seconds.labels(channel)
            self._planned.labels(channel)
            for outcome in ("accepted", "refused", "unknown"):
                self._calls.labels(channel, outcome)
                self._call_fans.labels(channel, outcome)

    def decided(self, channel: str, verdict: str, reason: str, pushes: int) -> None:
        """See the port."""
        self._decisions.labels(channel, verdict, reason).inc(pushes)

    def called(self, channel: str, outcome: str, fans: int, seconds: float) -> None:
        """See the port."""
        self._calls.labels(channel, outcome).inc()
        self._call_fans.labels(channel, outcome).inc(fans)
        self._call_seconds.labels(channel).observe(seconds)

    def settled(self, channel: str, state: str, reason: str, pushes: int) -> None:
        """See the port."""
        self._settled.labels(channel, state, reason).inc(pushes)
        if state in {"unknown", "refused"}:
            self._log.warning(
                "notifier.pushes.settled",
                channel=channel,
                state=state,
                reason=reason,
                pushes=pushes,
            )

    def channel_stopped(self, account: str, channel: str, reason: str, until: int) -> None:
        """See the port."""
        self._stops.labels(account, channel, reason).inc()
        self._log.error(
            "notifier.channel.stopped",
            account=account,
            channel=channel,
            reason=reason,
            until_ms=until,
        )

    def planned(self, channel: str, pushes: int) -> None:
        """See the port."""
        self._planned.labels(channel).inc(pushes)

    def step(self, name: str) -> None:
        """See the port."""
        self._observer.step(GROUP, name)

    def failed(self, step: str, error: BaseException) -> None:
        """See the port."""
        self._observer.failure(GROUP, step, error)
