"""Metrics are declared once, named well, and present before anything happened."""

import re
from typing import get_args

import pytest
from prometheus_client import generate_latest

from shared.errors import DeadLetterReason
from shared.observe.metrics import (
    HTTP_REQUESTS,
    HTTP_SECONDS,
    SHARED_METRICS,
    Meter,
    Metric,
    all_metric_names,
)
from shared.observe.observer import Observer, StopReason
from shared.observe.runner_metrics import RunnerMetrics

GROUP = "segmenter.fan-events.v1"
ALLOWED_LABELS = {
    "route", "method", "status", "reason", "dependency", "group", "outcome", "partition", "step",
}  # fmt: skip


def value(meter: Meter, name: str, **labels: str) -> float | None:
    return meter.registry.get_sample_value(name, labels)


@pytest.mark.parametrize("metric", SHARED_METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_named_by_the_rules_of_prometheus(metric: Metric) -> None:
    assert re.fullmatch(r"fan_[a-z_]+", metric.name)
    assert metric.help.endswith(".")
    assert set(metric.labels) <= ALLOWED_LABELS
    if metric.kind == "histogram":
        assert metric.name.endswith("_seconds")


def test_no_two_metrics_have_one_name() -> None:
    names = [metric.name for metric in SHARED_METRICS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("requests_total", "counter"), ("fan_a", "counter"), ("fan_a_total", "gauge")],
)
def test_a_wrong_name_is_refused(name: str, kind: str) -> None:
    with pytest.raises(ValueError, match=name):
        Metric(name, kind, "Help.")  # type: ignore[arg-type]  # a parameter of the test


def test_the_names_are_those_that_prometheus_will_see() -> None:
    meter = Meter()
    RunnerMetrics(meter, [GROUP]).lag(GROUP, 0, 1, 1.0)
    for metric in SHARED_METRICS:
        getattr(meter, metric.kind)(metric)
    exposed = {
        line.split("{")[0].split(" ")[0]
        for line in generate_latest(meter.registry).decode().splitlines()
        if line.startswith("fan_")
    }
    assert exposed
    assert exposed <= all_metric_names()


def test_a_services_own_metrics_are_added_to_the_names() -> None:
    own = Metric("fan_own_things_total", "counter", "Things.")
    assert "fan_own_things_total" in all_metric_names([own])
    assert "fan_http_request_seconds_bucket" in all_metric_names([own])


def test_one_declaration_gives_one_metric() -> None:
    meter = Meter()
    assert meter.counter(HTTP_REQUESTS) is meter.counter(HTTP_REQUESTS)
    with pytest.raises(ValueError, match="declared as a histogram"):
        meter.counter(HTTP_SECONDS)


def test_every_series_of_a_group_exists_before_its_first_batch() -> None:
    meter = Meter()
    RunnerMetrics(meter, [GROUP])
    for reason in DeadLetterReason:
        assert value(meter, "fan_dead_letters_total", group=GROUP, reason=reason.value) == 0
    assert value(meter, "fan_paused_partitions", group=GROUP, reason="store") == 0
    assert value(meter, "fan_records_total", group=GROUP, outcome="applied") == 0
    assert value(meter, "fan_batch_seconds_count", group=GROUP) == 0


def test_a_batch_is_counted_by_what_became_of_its_records() -> None:
    meter = Meter()
    observer: Observer = RunnerMetrics(meter, [GROUP])
    observer.batch_done(
        GROUP,
        applied=5,
        duplicates=2,
        skipped=1,
        redelivered=3,
        dead_lettered={DeadLetterReason.INVALID_EVENT: 2, DeadLetterReason.REJECTED: 1},
        seconds=0.02,
    )
    counted = {
        outcome: value(meter, "fan_records_total", group=GROUP, outcome=outcome)
        for outcome in ("applied", "duplicate", "skipped", "redelivered", "dead_lettered")
    }
    assert counted == {
        "applied": 5, "duplicate": 2, "skipped": 1, "redelivered": 3, "dead_lettered": 3,
    }  # fmt: skip
    assert value(meter, "fan_dead_letters_total", group=GROUP, reason="invalid_event") == 2
    assert value(meter, "fan_batches_total", group=GROUP) == 1


def test_a_pause_counts_once_until_it_is_over() -> None:
    meter = Meter()
    observer = RunnerMetrics(meter, [GROUP])
    observer.partition_paused(GROUP, 0, "store")
    observer.partition_paused(GROUP, 0, "store")
    observer.partition_paused(GROUP, 1, "store")
    assert value(meter, "fan_paused_partitions", group=GROUP, reason="store") == 2
    observer.partition_paused(GROUP, 0, "log")
    assert value(meter, "fan_paused_partitions", group=GROUP, reason="store") == 1
    assert value(meter, "fan_paused_partitions", group=GROUP, reason="log") == 1
    for partition in (0, 0, 1):
        observer.partition_resumed(GROUP, partition)
    assert value(meter, "fan_paused_partitions", group=GROUP, reason="store") == 0
    assert value(meter, "fan_paused_partitions", group=GROUP, reason="log") == 0
    assert value(meter, "fan_partition_pauses_total", group=GROUP, reason="store") == 2


def test_a_stopped_partition_is_no_longer_paused() -> None:
    meter = Meter()
    observer = RunnerMetrics(meter, [GROUP])
    observer.partition_paused(GROUP, 0, "dead_letter_topic")
    observer.partition_stopped(GROUP, 0, "too_many_dead_letters")
    observer.partition_stopped(GROUP, 0, "too_many_dead_letters")
    assert value(meter, "fan_paused_partitions", group=GROUP, reason="dead_letter_topic") == 0
    stopped = value(meter, "fan_stopped_partitions", group=GROUP, reason="too_many_dead_letters")
    assert stopped == 1


def test_what_expired_is_counted_and_a_stop_names_its_reason() -> None:
    meter = Meter()
    observer = RunnerMetrics(meter, [GROUP])
    assert value(meter, "fan_records_expired_total", group=GROUP) == 0
    observer.records_expired(GROUP, 3, 5_000)
    assert value(meter, "fan_records_expired_total", group=GROUP) == 5_000
    for number, reason in enumerate(get_args(StopReason)):
        assert value(meter, "fan_stopped_partitions", group=GROUP, reason=reason) == 0
        observer.partition_stopped(GROUP, number, reason)
        assert value(meter, "fan_stopped_partitions", group=GROUP, reason=reason) == 1
