"""Compose opens one door, knows no password by itself, and tells each service its own secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.docs.settings import settings_classes
from shared.settings import ServiceSettings

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
ASSIGNED = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)
INTERPOLATED = re.compile(r"(?<!\$)\$\{?([A-Z_]+)(:\?[^}]*)?")
SERVICES = sorted(settings_classes())
PASSWORDS = re.compile(r"PASSWORD|SECRET|TOKEN|KEY")


def composed(file: str = "compose.yaml") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / file).read_text())["services"]
    return found


def assigned(file: str) -> dict[str, str]:
    return dict(ASSIGNED.findall((DEPLOY / file).read_text()))


def told(service: str) -> set[str]:
    """Every variable of a service's container."""
    return set(composed()[service]["environment"]) | set(assigned(f"secrets.example/{service}.env"))


def accepted(service: str, field: str) -> set[str]:
    """The variables that give a field its value."""
    own = f"FAN_{service.upper()}_{field.upper()}"
    return {own, f"FAN_{field.upper()}"} if field in ServiceSettings.model_fields else {own}


@pytest.mark.parametrize("service", SERVICES)
def test_every_required_variable_stands_in_compose_or_in_its_example(service: str) -> None:
    for name, field in settings_classes()[service].model_fields.items():
        if field.is_required():
            assert accepted(service, name) & told(service), f"{service} is not told {name}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_no_variable_that_it_does_not_read(service: str) -> None:
    known = {
        variable
        for name in settings_classes()[service].model_fields
        for variable in accepted(service, name)
    }
    assert {name for name in told(service) if name.startswith("FAN_")} - known == set()


def test_a_service_reads_its_own_file_of_secrets_and_no_other() -> None:
    for service in SERVICES:
        assert composed()[service]["env_file"] == [f"secrets/{service}.env"]
    others = set(composed()) - set(SERVICES)
    assert not any("env_file" in composed()[name] for name in others)


def test_the_segmenter_and_the_pagers_service_know_no_secret_of_a_platform() -> None:
    for service in ("segmenter", "sentiment"):
        assert not any(name.startswith(("WECHAT_", "WEIBO_", "SHOP_")) for name in told(service)), (
            service
        )
    for service in ("segmenter", "notifier", "ingest"):
        assert not any(
            name.startswith(("WECOM_", "PAGERDUTY_", "FAN_SENTIMENT_")) for name in told(service)
        ), service


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_a_user_of_its_own_in_the_log_and_in_the_store(service: str) -> None:
    environment = composed()[service]["environment"]
    assert environment["FAN_KAFKA_SECURITY_PROTOCOL"].startswith("SASL_")
    assert environment["FAN_KAFKA_USERNAME"] == service
    own = service.upper()
    assert INTERPOLATED.findall(environment["FAN_KAFKA_PASSWORD"])[0][0] == f"{own}_KAFKA_PASSWORD"
    url = environment["FAN_MONGODB_URL"]
    assert url.startswith(f"mongodb://{service}:${{{own}_MONGODB_PASSWORD:?")
    assert f"authSource={service}" in url
    others = "|".join(other.upper() for other in SERVICES if other != service)
    assert not re.search(rf"\b({others})_", str(environment))


def test_only_the_front_is_reached_from_other_machines() -> None:
    published = {name: part["ports"] for name, part in composed().items() if "ports" in part}
    assert published == {"front": ["443:8443", "80:8080"]}
    staff = composed("compose.staff.yaml")
    assert all(port.startswith("127.0.0.1:") for part in staff.values() for port in part["ports"])


def test_log_store_and_metrics_have_no_way_out() -> None:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert document["networks"]["inside"]["internal"] is True
    for name in ("kafka", "mongodb", "prometheus", "grafana", "segmenter"):
        assert composed()[name]["networks"] == ["inside"], name


def test_no_password_has_a_default() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    assert ":-" not in text
    used: dict[str, str] = dict(INTERPOLATED.findall(text))
    assert all(demanded for demanded in used.values()), used
    example = assigned("compose.env.example")
    assert set(used) == set(example)
    assert not any(example.values()), "an example that is filled in becomes a default"
    for part in composed().values():
        for name, value in (part.get("environment") or {}).items():
            if PASSWORDS.search(name):
                assert str(value).startswith("${"), name


def test_every_secret_of_the_examples_must_be_replaced() -> None:
    for service in SERVICES:
        for name, value in assigned(f"secrets.example/{service}.env").items():
            assert "<" in value or name.endswith("_URL"), name


def test_the_brokers_and_the_stores_users_are_the_services() -> None:
    script = (DEPLOY / "kafka/start.sh").read_text()
    users = (DEPLOY / "mongodb/create-users.js").read_text()
    for service in SERVICES:
        own = f"{service.upper()}_KAFKA_PASSWORD"
        assert f"name={service},password=${{{own}:?}}" in script
        assert own in composed()["kafka"]["environment"]
        assert f'"{service}"' in users
        assert f"{service.upper()}_MONGODB_PASSWORD" in composed()["mongodb"]["environment"]


def test_whoever_comes_to_the_broker_from_outside_needs_a_password() -> None:
    lines = (DEPLOY / "kafka/server.properties").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    kinds = dict(kind.split(":") for kind in settings["listener.security.protocol.map"].split(","))
    for listener in settings["listeners"].split(","):
        name, _, address = listener.partition("://")
        assert kinds[name].startswith("SASL_") or address.startswith("127.0.0.1:"), listener
