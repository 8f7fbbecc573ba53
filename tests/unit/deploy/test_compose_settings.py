"""Whoever fills in the example environment of compose has told every service what it must know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from deploy.local.docs.settings import settings_classes
from shared.settings import ServiceSettings

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
ASSIGNED = re.compile(r"^([A-Z_]+)=", re.MULTILINE)


def example() -> set[str]:
    return set(ASSIGNED.findall((DEPLOY / "compose.env.example").read_text()))


def accepted(service: str, field: str) -> set[str]:
    """The variables that give a field its value."""
    own = f"FAN_{service.upper()}_{field.upper()}"
    return {own, f"FAN_{field.upper()}"} if field in ServiceSettings.model_fields else {own}


@pytest.mark.parametrize("service", sorted(settings_classes()))
def test_every_required_variable_stands_in_compose_or_in_its_example(service: str) -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"][service]
    told = example() | set(composed["environment"])
    for name, field in settings_classes()[service].model_fields.items():
        if field.is_required():
            assert accepted(service, name) & told, f"{service} is not told {name}"


def test_the_example_sets_no_variable_that_nothing_reads() -> None:
    known = {
        variable
        for service, settings in settings_classes().items()
        for name in settings.model_fields
        for variable in accepted(service, name)
    }
    assert {name for name in example() if name.startswith("FAN_")} - known == set()
