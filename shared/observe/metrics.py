"""Every metric that all services have: declared once as data, made from the declaration.

A service declares its own in its `metrics.py` with the same `Metric`, makes them with `Meter`,
and passes its tuple to `metric_names`, from which the test of dashboards and alert rules and the
documentation are made. Names start with `fan_` and end in their unit; labels are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

NAME_PREFIX = "fan_"
LATENCY_BUCKETS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """The declaration of one metric."""

    name: str
    """With its prefix and its unit; a counter's ends in `_total`."""
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: Sequence[float] = LATENCY_BUCKETS_S

    def __post_init__(self) -> None:
        if not self.name.startswith(NAME_PREFIX):
            raise ValueError(f"{self.name}: a metric's name starts with {NAME_PREFIX}")
        if (self.kind == "counter") != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: counters, and only they, end in _total")

    @property
    def series_names(self) -> tuple[str, ...]:
        """The names under which Prometheus stores it."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (self.name,)


HTTP_REQUESTS = Metric(
    "fan_http_requests_total", "counter", "Requests answered.", ("route", "method", "status")
)
HTTP_SECONDS = Metric(
    "fan_http_request_seconds", "histogram", "From a request's headers to its answer.", ("route",)
)
HTTP_IN_FLIGHT = Metric("fan_http_in_flight_requests", "gauge", "Requests at work now.")
HTTP_UNFINISHED = Metric(
    "fan_http_unfinished_requests", "gauge", "Requests whose head or body is not whole yet."
)
HTTP_REFUSED = Metric(
    "fan_http_refused_total",
    "counter",
    "Connections and requests refused before they reached a route.",
    ("reason",),
)
DEPENDENCY_UP = Metric(
    "fan_dependency_up", "gauge", "1 when /readyz last found it well, else 0.", ("dependency",)
)
LOOP_LAG_SECONDS = Metric(
    "fan_event_loop_lag_seconds", "histogram", "How late the event loop ran a timer."
)
BATCHES = Metric("fan_batches_total", "counter", "Batches made durable.", ("group",))
RECORDS = Metric(
    "fan_records_total",
    "counter",
    "Records processed, by what became of them.",
    ("group", "outcome"),
)
BATCH_SECONDS = Metric(
    "fan_batch_seconds", "histogram", "From a batch's arrival to its durable write.", ("group",)
)
DEAD_LETTERS = Metric(
    "fan_dead_letters_total", "counter", "Records set aside, by reason.", ("group", "reason")
)
RECORDS_EXPIRED = Metric(
    "fan_records_expired_total", "counter",
    "Offsets that the log dropped before the group had read them.", ("group",),
)  # fmt: skip
RACES_LOST = Metric(
    "fan_store_races_lost_total", "counter", "Guarded writes that were read again.", ("group",)
)
ANNOUNCED = Metric(
    "fan_events_announced_total", "counter", "Announcements acknowledged by the log.", ("group",)
)
ANNOUNCE_SECONDS = Metric(
    "fan_announce_seconds", "histogram", "From a durable write to its acknowledged announcement.",
    ("group",),
)  # fmt: skip
PAUSED_PARTITIONS = Metric(
    "fan_paused_partitions", "gauge", "Partitions that wait for a passing failure.",
    ("group", "reason"),
)  # fmt: skip
PAUSES = Metric("fan_partition_pauses_total", "counter", "Pauses begun.", ("group", "reason"))
STOPPED_PARTITIONS = Metric(
    "fan_stopped_partitions", "gauge", "Partitions that stay stopped until a restart.",
    ("group", "reason"),
)  # fmt: skip
COMMITTED_OFFSET = Metric(
    "fan_committed_offset", "gauge", "The next offset to read, as committed.",
    ("group", "partition"),
)  # fmt: skip
LAG_RECORDS = Metric("fan_lag_records", "gauge", "Records not applied yet.", ("group", "partition"))
LAG_SECONDS = Metric(
    "fan_lag_seconds", "gauge", "Age of the oldest record not applied.", ("group", "partition")
)
FAILURES = Metric(
    "fan_failures_total", "counter", "Steps that failed and are tried again.", ("group", "step")
)

SHARED_METRICS: tuple[Metric, ...] = (
    HTTP_REQUESTS, HTTP_SECONDS, HTTP_IN_FLIGHT, HTTP_UNFINISHED, HTTP_REFUSED, DEPENDENCY_UP,
    LOOP_LAG_SECONDS, BATCHES, RECORDS, BATCH_SECONDS, DEAD_LETTERS, RECORDS_EXPIRED, RACES_LOST,
    ANNOUNCED, ANNOUNCE_SECONDS, PAUSED_PARTITIONS, PAUSES, STOPPED_PARTITIONS, COMMITTED_OFFSET,
    LAG_RECORDS, LAG_SECONDS, FAILURES,
)  # fmt: skip


class Meter:
    """Makes declared metrics in one registry; the same declaration gives the same metric."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or new_registry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, metric: Metric) -> Counter:
        """The counter; call `.labels(…)` once and keep the result on hot paths."""
        made = self._get(metric, "counter")
        assert isinstance(made, Counter)  # noqa: S101 - narrows for mypy what _get has checked
        return made

    def gauge(self, metric: Metric) -> Gauge:
        """The gauge."""
        made = self._get(metric, "gauge")
        assert isinstance(made, Gauge)  # noqa: S101 - the same
        return made

    def histogram(self, metric: Metric) -> Histogram:
        """The histogram."""
        made = self._get(metric, "histogram")
        assert isinstance(made, Histogram)  # noqa: S101 - the same
        return made

    def _get(self, metric: Metric, kind: Kind) -> Counter | Gauge | Histogram:
        if metric.kind != kind:
            raise ValueError(f"{metric.name} is declared as a {metric.kind}")
        made = self._made.get(metric.name)
        if made is None:
            made = self._made[metric.name] = self._make(metric)
        return made

    def _make(self, metric: Metric) -> Counter | Gauge | Histogram:
        name, text, labels = metric.name, metric.help, metric.labels
        if metric.kind == "counter":
            return Counter(name.removesuffix("_total"), text, labels, registry=self.registry)
        if metric.kind == "gauge":
            return Gauge(name, text, labels, registry=self.registry)
        return Histogram(name, text, labels, registry=self.registry, buckets=metric.buckets)


def new_registry() -> CollectorRegistry:
    """A registry of its own, with the process's figures; never the library's global one."""
    # They would be a second series for each counter and histogram, used by nobody.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it untyped
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def metric_names(*declared: Iterable[Metric]) -> frozenset[str]:
    """The names under which Prometheus stores these metrics."""
    return frozenset(name for metrics in declared for m in metrics for name in m.series_names)


def all_metric_names(*service_metrics: Iterable[Metric]) -> frozenset[str]:
    """The names of the shared metrics and of the services' own."""
    return metric_names(SHARED_METRICS, *service_metrics)
