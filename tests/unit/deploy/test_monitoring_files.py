"""Every query of the alerts and the dashboard names metrics and labels that exist."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.stack import SERVICES
from shared.observe.metrics import SHARED_METRICS, Metric

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
ALERTS = DEPLOY / "prometheus/alerts.yml"
ALERT_TESTS = DEPLOY / "prometheus/alerts_test.yml"
# Set by Prometheus itself or by prometheus_client for every process.
FOREIGN_METRICS = {"up", "process_start_time_seconds", "process_resident_memory_bytes"}
FOREIGN_METRICS |= {"process_cpu_seconds_total"}
SCRAPE_LABELS = {"job", "service", "instance", "le"}
WORD = re.compile(r"(?<![\w:.])([a-z_][a-z0-9_:]*)\b")
SELECTOR = re.compile(r"(?P<metric>[a-z_][a-z0-9_]*)\s*\{(?P<labels>[^}]*)\}")
LABEL_NAME = re.compile(r"(?:^|,)\s*([a-z_]+)\s*(?:=~|!~|!=|=)")
STRING = re.compile(r"\"[^\"]*\"")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
NOT_METRICS = {
    *("sum", "max", "min", "avg", "count", "rate", "increase", "changes", "histogram_quantile"),
    *("by", "without", "on", "ignoring", "clamp_min", "and", "or", "unless", "time", "topk"),
    *("group_left", "label_replace", "m", "s", "h", "d", "absent", "delta"),
}


def declared_metrics() -> dict[str, Metric]:
    """Every metric of the shared code and of the services, by the names in which it is stored."""
    found = list(SHARED_METRICS)
    for service in SERVICES:
        if importlib.util.find_spec(f"services.{service}") is None:
            continue
        module = importlib.import_module(f"services.{service}.metrics")
        found += [value for value in vars(module).values() if isinstance(value, Metric)]
    return {name: metric for metric in found for name in metric.series_names}


def alert_rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
    return found


def queries() -> Iterator[tuple[str, str]]:
    for rule in alert_rules():
        yield f"alert {rule['alert']}", rule["expr"]
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]


def unknown_names(query: str, known: dict[str, Metric]) -> list[str]:
    """Metrics and labels in a query that nobody declares."""
    bare = STRING.sub('""', query).replace("$__rate_interval", "5m")
    wrong = [
        f"{found['metric']}: label {label}"
        for found in SELECTOR.finditer(bare)
        for label in LABEL_NAME.findall(found["labels"])
        if found["metric"] in known
        and label not in {*known[found["metric"]].labels, *SCRAPE_LABELS}
    ]
    words = set(WORD.findall(GROUPING.sub("", SELECTOR.sub(r"\g<metric>", bare))))
    metrics = words - NOT_METRICS
    wrong += sorted(metrics - set(known) - FOREIGN_METRICS)
    labels = {label for name in metrics & set(known) for label in known[name].labels}
    grouped = {name.strip() for part in GROUPING.findall(bare) for name in part.split(",")}
    return wrong + [f"by {name}" for name in sorted(grouped - labels - SCRAPE_LABELS)]


@pytest.mark.parametrize(("where", "query"), [pytest.param(*q, id=q[0]) for q in queries()])
def test_a_query_names_metrics_and_labels_that_exist(where: str, query: str) -> None:
    assert unknown_names(query, declared_metrics()) == [], where


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("rate(fan_nothing_total[5m])", ["fan_nothing_total"]),
        ('sum(fan_lag_seconds{team="a"}) > 0', ["fan_lag_seconds: label team"]),
        ("sum by (team) (fan_lag_seconds)", ["by team"]),
        ("sum by (group) (rate(fan_batch_seconds_sum[5m])) / 2", []),
        ("fan_batch_seconds > 1", ["fan_batch_seconds"]),
    ],
)
def test_a_query_with_an_unknown_name_is_found(query: str, wrong: list[str]) -> None:
    assert unknown_names(query, declared_metrics()) == wrong


def test_every_alert_has_a_severity_a_meaning_and_a_test() -> None:
    tested = {
        case["alertname"]
        for test in yaml.safe_load(ALERT_TESTS.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    for rule in alert_rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["alert"] in tested


def test_the_alert_rules_pass_their_own_tests() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    for command in (
        ["test", "rules", str(ALERT_TESTS)],
        ["check", "config", str(DEPLOY / "prometheus/prometheus.yml")],
    ):
        done = subprocess.run(
            [promtool, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_prometheus_scrapes_every_service_and_compose_runs_it() -> None:
    (job,) = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    scraped = {target["labels"]["service"] for target in job["static_configs"]}
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert scraped == set(SERVICES)
    for service in SERVICES:
        assert composed[service]["command"] == [service]
        database = f"FAN_{service.upper()}_MONGODB_DATABASE"
        assert composed[service]["environment"][database] == service


def test_the_image_installs_the_locked_versions_and_no_development_tools() -> None:
    image = _pins(DEPLOY / "requirements.lock")
    assert image.items() <= _pins(DEPLOY.parent / "requirements.lock").items()
    assert {"aiokafka", "motor", "uvicorn"} <= image.keys()
    assert not {"pytest", "secantusdb", "confluent-kafka", "ruff"} & image.keys()


def test_no_two_panels_of_the_dashboard_have_the_same_title_or_place() -> None:
    panels = dashboard()["panels"]
    titles = [panel["title"] for panel in panels]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(titles)) == len(titles)
    assert len(set(places)) == len(places)


def _pins(lock: Path) -> dict[str, tuple[str, ...]]:
    """Version and hashes by package."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in lock.read_text().replace("\\\n", " ").splitlines():
        name, _, rest = entry.partition("==")
        found[name.strip().lower()] = tuple(rest.split())
    return found
