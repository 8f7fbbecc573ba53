"""`docs/metrics.md`: every metric on the services' `/metrics`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from deploy.local.docs.markdown import code, page, table
from deploy.local.stack import SERVICES
from shared.observe.metrics import SHARED_METRICS, Metric

HEAD = ("metric", "kind", "labels", "meaning")


def service_metrics(service: str) -> list[Metric]:
    """The metrics that a service declares itself, in the order of declaration."""
    module = importlib.import_module(f"services.{service}.metrics")
    return [value for value in vars(module).values() if isinstance(value, Metric)]


def render() -> str:
    """The page."""
    parts = [
        "# Metrics",
        (
            "Each process serves its own `/metrics`. Units are base units and stand in the name;"
            " a histogram has `_bucket`, `_count` and `_sum`. These counters begin at 0 with the"
            " process: they serve rates and alerts. Whether every record is accounted for is told"
            " by durable numbers instead (guarantee 8, `shared/kafka/balance.py`). The process's"
            " own figures (`process_…`, `python_gc_…`) are there too."
        ),
        "## Every service",
        _table(SHARED_METRICS),
    ]
    for service in SERVICES:
        parts += [f"## {service}", _table(service_metrics(service))]
    return page(*parts)


def _table(metrics: Iterable[Metric]) -> str:
    return table(HEAD, ((code(m.name), m.kind, _labels(m), m.help) for m in metrics))


def _labels(metric: Metric) -> str:
    return ", ".join(code(label) for label in metric.labels)
