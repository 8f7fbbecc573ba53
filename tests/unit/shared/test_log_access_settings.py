"""The way to the log: what must be set together, said in words."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import ClassVar

import pytest

from shared.kafka.security import LogSecurity
from shared.settings import LogSettings, ServiceSettings, SettingsError, load_settings
from shared.testing.settings import settings_for_tests

CANARY = "CANARY-of-the-log"


class AccessSettings(ServiceSettings):
    service: ClassVar[str] = "accesstest"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"FAN_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "needs FAN_KAFKA_USERNAME and"),
        (
            {"FAN_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "FAN_KAFKA_USERNAME": "ingest"},
            "needs FAN_KAFKA_USERNAME and FAN_KAFKA_PASSWORD",
        ),
        ({"FAN_KAFKA_PASSWORD": CANARY}, "not used with FAN_KAFKA_SECURITY_PROTOCOL=PLAINTEXT"),
        ({"FAN_KAFKA_SECURITY_PROTOCOL": "SASL"}, "SASL_PLAINTEXT or SASL_SSL"),
        ({"FAN_KAFKA_SECURITY_PROTOCOL": "SSL", "FAN_KAFKA_SASL_MECHANISM": "X"}, "SCRAM-SHA-512"),
    ],
)
def test_what_does_not_fit_together_is_refused_without_its_secret(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(LogSettings, kafka_bootstrap_servers="log:9092")
    (problem,) = caught.value.problems
    assert words in problem
    assert CANARY not in problem


def test_both_clients_are_told_the_same() -> None:
    settings = settings_for_tests(
        AccessSettings,
        kafka_security_protocol="SASL_SSL",
        kafka_username="ingest",
        kafka_password=CANARY,
    )
    security = LogSecurity.of(settings)
    assert CANARY not in repr(security)
    assert security.options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert security.options["sasl_plain_password"] == CANARY
    assert isinstance(security.options["ssl_context"], ssl.SSLContext)
    assert security.options["ssl_context"].check_hostname
    assert security.faststream is not None
    assert security.faststream.ssl_context is security.options["ssl_context"]
    assert LogSecurity.of(settings_for_tests(AccessSettings)) == LogSecurity()


def test_a_file_that_holds_no_certificates_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("no certificate")
    for path in (wrong, tmp_path / "missing.pem"):
        settings = settings_for_tests(
            AccessSettings, kafka_security_protocol="SSL", kafka_ca_file=path
        )
        with pytest.raises(SettingsError, match="FAN_KAFKA_CA_FILE"):
            LogSecurity.of(settings)
