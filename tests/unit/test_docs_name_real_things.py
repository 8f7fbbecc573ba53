"""What the documents name exists: paths, links, make targets, modules, variables, metrics."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import yaml

from deploy.local.docs.metrics import service_metrics
from deploy.local.docs.settings import settings_classes
from deploy.local.stack import SERVICES
from shared.errors import DeadLetterReason
from shared.observe.metrics import SHARED_METRICS
from shared.observe.observer import PauseReason, StopReason
from shared.platforms.outcomes import Reason
from shared.settings import OWN_ONLY, ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = "docs/runbook.md"
DOCUMENTS = [
    "README.md",
    "README.zh-CN.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    RUNBOOK,
    "docs/field-reports.md",
    "docs/security.md",
    *sorted(str(file.relative_to(ROOT)) for file in (ROOT / "docs/adr").glob("*.md")),
]
OURS = ("shared", "services", "deploy", "tests", "docs", "bench", ".ci")
"""A path in code style that begins with one of these folders is a path of the repository."""
TOOL_VARIABLES = {"FAN_PARTS", "FAN_CACHE"}
"""Read by the laptop stack and the tests, not by a service."""
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
MODULE = re.compile(r"python -m ([a-z_]+(?:\.[a-z_]+)*)")
VARIABLE = re.compile(r"\bFAN_[A-Z_]*[A-Z]\b")
METRIC = re.compile(r"`(fan_[a-z_]+)`")


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def code_in(text: str) -> list[str]:
    """What stands in code style, each span or block."""
    return FENCE.findall(text) + CODE.findall(FENCE.sub("", text))


def paths_in(text: str) -> set[str]:
    """Paths of the repository in code style, without what stands behind a blank."""
    spans = {span.split()[0] for span in CODE.findall(FENCE.sub("", text)) if span.split()}
    return {span for span in spans if "/" in span and span.split("/")[0] in OURS}


def wrong_paths(text: str) -> list[str]:
    return sorted(path for path in paths_in(text) if not any(ROOT.glob(path)))


def wrong_links(text: str, document: str) -> list[str]:
    """Links to files or headings that are not there."""
    wrong = []
    for link in LINK.findall(text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            wrong.append(link)
    return wrong


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(FENCE.sub("", text))
    }


def targets_in(text: str) -> set[str]:
    return {target for code in code_in(text) for target in MAKE.findall(code)}


def wrong_targets(text: str) -> list[str]:
    return sorted(targets_in(text) - make_targets())


def wrong_modules(text: str) -> list[str]:
    named = {module for code in code_in(text) for module in MODULE.findall(code)}
    return sorted(name for name in named if importlib.util.find_spec(name) is None)


def wrong_variables(text: str) -> list[str]:
    return sorted(set(VARIABLE.findall(text)) - known_variables() - TOOL_VARIABLES)


def wrong_metrics(text: str) -> list[str]:
    reasons = {reason.value for reason in (*DeadLetterReason, *Reason)}
    return sorted(set(METRIC.findall(text)) - known_metrics() - reasons)


@cache
def make_targets() -> frozenset[str]:
    lines = (ROOT / "Makefile").read_text().splitlines()
    return frozenset(
        found[1] for line in lines if (found := re.match(r"([a-z][a-z-]*):(?!=)", line))
    )


@cache
def known_variables() -> frozenset[str]:
    names = {
        f"FAN_{field.upper()}" for field in ServiceSettings.model_fields if field not in OWN_ONLY
    }
    for service, settings in settings_classes().items():
        names |= {f"FAN_{service.upper()}_{field.upper()}" for field in settings.model_fields}
    return frozenset(names)


@cache
def known_metrics() -> frozenset[str]:
    own = [metric for service in SERVICES for metric in service_metrics(service)]
    return frozenset(metric.name for metric in (*SHARED_METRICS, *own))


CHECKS: list[Callable[[str], list[str]]] = [
    wrong_paths,
    wrong_targets,
    wrong_modules,
    wrong_variables,
    wrong_metrics,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_only_what_exists(
    document: str, check: Callable[[str], list[str]]
) -> None:
    assert check(text_of(document)) == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_of_a_document_leads_somewhere(document: str) -> None:
    assert wrong_links(text_of(document), document) == []


@pytest.mark.parametrize(
    ("check", "text", "wrong"),
    [
        (wrong_paths, "`shared/kafka/nowhere.py`, `shared/kafka`", "shared/kafka/nowhere.py"),
        (wrong_targets, "run `make demo`, `make tea`", "tea"),
        (wrong_targets, "```\nmake tea  # now\n```", "tea"),
        (wrong_modules, "`python -m shared.kafka.replay`, `python -m shared.kafka.play`",
         "shared.kafka.play"),
        (wrong_variables, "FAN_LOG_EPOCH, FAN_INGEST_HTTP_PORT, FAN_LOG_AGE", "FAN_LOG_AGE"),
        (wrong_metrics, "`fan_lag_seconds`, `fan_lag_hours`", "fan_lag_hours"),
    ],
)  # fmt: skip
def test_a_name_that_does_not_exist_is_found(
    check: Callable[[str], list[str]], text: str, wrong: str
) -> None:
    assert check(text) == [wrong]


def test_a_link_to_nowhere_is_found() -> None:
    text = "[a](docs/runbook.md#the-log-is-away) [b](docs/runbook.md#no) [c](docs/nowhere.md)"
    assert wrong_links(text, "README.md") == ["docs/runbook.md#no", "docs/nowhere.md"]


def test_the_runbook_has_a_section_for_every_alert() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert alerts - set(HEADING.findall(text_of(RUNBOOK))) == set()


def test_the_runbook_explains_every_reason_to_pause_stop_or_set_aside() -> None:
    named = set(CODE.findall(text_of(RUNBOOK)))
    reasons = {*get_args(PauseReason), *get_args(StopReason)}
    assert (reasons | {reason.value for reason in DeadLetterReason}) - named == set()


def test_both_readmes_name_the_same_files_and_targets() -> None:
    english, chinese = text_of("README.md"), text_of("README.zh-CN.md")
    assert paths_in(english) == paths_in(chinese)
    assert targets_in(english) == targets_in(chinese)


def test_every_decision_stands_in_the_list_of_decisions() -> None:
    listed = set(LINK.findall(text_of("docs/adr/README.md")))
    there = {file.name for file in (ROOT / "docs/adr").glob("[0-9]*.md")}
    assert listed == there
