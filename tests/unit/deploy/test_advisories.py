"""What could not be checked is never told as safe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.local.advisories import SOURCES, audit, describe

CLEAN = {"name": "aiokafka", "version": "0.14.0", "vulns": []}
BAD = {
    "name": "starlette",
    "version": "1.0.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.0.1"]}, {"id": "PYSEC-2026-2"}],
}


def skipped(name: str) -> dict[str, Any]:
    return {"name": name, "skip_reason": "Dependency not found on PyPI and could not be audited"}


def found(**reports: list[dict[str, Any]]) -> list[str]:
    texts = {s: json.dumps({"dependencies": told}) for s, told in reports.items()}
    return describe(audit(lambda source: texts.get(source, "")))


def test_an_advisory_is_named_with_the_version_that_mends_it() -> None:
    assert found(pypi=[CLEAN, BAD]) == [
        "starlette 1.0.0: PYSEC-2026-1, mended in 1.0.1",
        "starlette 1.0.0: PYSEC-2026-2, mended in no version yet",
        "2 packages checked, 1 with known advisories",
    ]


@pytest.mark.parametrize(
    "reports",
    [{}, {"pypi": [skipped("aiokafka"), skipped("starlette")]}, {"pypi": [], "osv": []}],
)
def test_a_source_that_knows_nothing_is_no_good_news(
    reports: dict[str, list[dict[str, Any]]],
) -> None:
    (line,) = found(**reports)
    assert line.startswith("COULD NOT BE CHECKED")
    assert all(source in line for source in SOURCES)


def test_what_one_source_does_not_know_the_next_one_is_asked() -> None:
    assert found(pypi=[CLEAN, skipped("starlette")], osv=[BAD])[-1] == (
        "2 packages checked, 1 with known advisories"
    )
    assert found(pypi=[CLEAN, skipped("starlette")])[-1] == "could not be checked: starlette"
