"""How settings are read, and what staff see when they are wrong."""

import json
import os
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

from shared.settings import (
    EXIT_BAD_SETTINGS,
    ServiceSettings,
    SettingsError,
    exit_on_bad_settings,
    load_settings,
    unknown_variables,
    variables,
)
from shared.testing.settings import settings_for_tests

TOKEN = "a-token-that-nobody-guesses"
COMPLETE = {
    "FAN_KAFKA_BOOTSTRAP_SERVERS": "log:9092",
    "FAN_LOG_EPOCH": "2026a",
    "FAN_MONGODB_URL": "mongodb://user:pa55word@store/",
    "FAN_STAFF_TOKENS": json.dumps({"campaigns": [TOKEN], "viewer": []}),
    "FAN_ACCOUNTS_FILE": "accounts.yaml",
}


class PollerSettings(ServiceSettings):
    service: ClassVar[str] = "poller"

    mongodb_database: str = "fan_poller"
    interval_s: Annotated[float, Field(gt=0, description="seconds between polls")] = 60.0
    names: tuple[str, ...] = ()
    api_key: SecretStr | None = None


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in tuple(os.environ):
        if name.startswith("FAN_"):
            monkeypatch.delenv(name)
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def problems_of(settings_class: type[ServiceSettings]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(settings_class)
    return caught.value.problems


def test_shared_fields_are_read_without_the_name_of_the_service() -> None:
    settings = load_settings(PollerSettings)
    assert settings.kafka_bootstrap_servers == "log:9092"
    assert settings.store_driver == "motor"
    assert settings.language == "zh"
    assert settings.staff_tokens["campaigns"][0].get_secret_value() == TOKEN


def test_a_variable_with_the_name_of_the_service_wins(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FAN_HTTP_PORT", "8000")
    assert load_settings(PollerSettings).http_port == 8000
    environment.setenv("FAN_POLLER_HTTP_PORT", "8001")
    assert load_settings(PollerSettings).http_port == 8001


def test_an_own_field_is_read_only_with_the_name_of_the_service(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("FAN_INTERVAL_S", "1")
    assert load_settings(PollerSettings).interval_s == 60.0
    environment.setenv("FAN_POLLER_INTERVAL_S", "2.5")
    environment.setenv("FAN_POLLER_NAMES", '["a", "b"]')
    settings = load_settings(PollerSettings)
    assert (settings.interval_s, settings.names) == (2.5, ("a", "b"))


def test_a_database_is_never_shared_by_a_common_variable(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FAN_MONGODB_DATABASE", "one_for_all")
    assert load_settings(PollerSettings).mongodb_database == "fan_poller"


def test_a_secret_may_come_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("s3cr3t\n", encoding="utf-8")
    environment.setenv("FAN_POLLER_API_KEY_FILE", str(secret))
    key = load_settings(PollerSettings).api_key
    assert key is not None
    assert key.get_secret_value() == "s3cr3t"


def test_an_unreadable_file_is_named_by_its_variable(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FAN_POLLER_API_KEY_FILE", "/nowhere/at/all")
    assert problems_of(PollerSettings) == (
        "FAN_POLLER_API_KEY_FILE: the file can't be read: FileNotFoundError",
    )


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_nothing_that_is_secret_or_names_a_place_has_a_default(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    environment.delenv(name)
    (problem,) = problems_of(PollerSettings)
    assert problem.startswith(f"{name} is not set (")


def test_the_message_names_the_variable_that_was_set(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FAN_POLLER_HTTP_PORT", "many")
    environment.setenv("FAN_POLLER_INTERVAL_S", "0")
    first, second = problems_of(PollerSettings)
    assert first.startswith("FAN_POLLER_HTTP_PORT: ")
    assert second.startswith("FAN_POLLER_INTERVAL_S: ")
    assert second.endswith("(seconds between polls)")


@pytest.mark.parametrize(
    "tokens",
    [
        "CANARY",
        '["CANARY"]',
        '{"CANARY": ["CANARY"]}',
        '{"viewer": ["CANARY"]}',
        '{"viewer": "CANARY"}',
        '{"viewer": ["CANARY-with-a-space in-it-and-long"]}',
        '{"viewer": ["CANARY-中文-long-enough-in-characters"]}',
        '{"viewer": [["CANARY"]]}',
    ],
)
def test_no_message_repeats_a_secret(
    environment: pytest.MonkeyPatch, tokens: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("FAN_STAFF_TOKENS", tokens)
    environment.setenv("FAN_POLLER_HTTP_PORT", "CANARY")
    with pytest.raises(SystemExit) as ended, exit_on_bad_settings():
        load_settings(PollerSettings)
    told = capsys.readouterr()
    assert ended.value.code == EXIT_BAD_SETTINGS
    assert "FAN_STAFF_TOKENS" in told.err
    assert "CANARY" not in told.err + told.out
    assert "Traceback" not in told.err
    assert ended.value.__cause__ is None


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(load_settings(PollerSettings))
    assert TOKEN not in shown
    assert "pa55word" not in shown


def test_settings_do_not_change() -> None:
    settings = load_settings(PollerSettings)
    with pytest.raises(ValidationError, match="frozen"):
        settings.http_port = 1  # type: ignore[misc]  # what is tested


@given(role=st.sampled_from(["campaigns", "oncall"]), length=st.integers(0, 19))
def test_a_token_that_can_be_guessed_is_refused(role: str, length: int) -> None:
    with pytest.raises(ValidationError, match="too short"):
        settings_for_tests(PollerSettings, staff_tokens={role: ["x" * length]})


def test_misspelt_variables_of_a_service_are_found() -> None:
    environment = {
        "FAN_POLLER_INTERVALL_S": "1",
        "FAN_POLLER_INTERVAL_S": "1",
        "FAN_POLLER_API_KEY_FILE": "x",
        "FAN_OTHER_THING": "not ours",
    }
    assert unknown_variables(PollerSettings, environment) == ("FAN_POLLER_INTERVALL_S",)


def test_the_documentation_lists_every_variable_with_a_description() -> None:
    listed = {variable.name: variable for variable in variables(PollerSettings)}
    assert listed["FAN_LOG_EPOCH"].required
    assert listed["FAN_STORE_DRIVER"].default == "motor"
    assert "FAN_POLLER_MONGODB_DATABASE" in listed
    assert "FAN_POLLER_INTERVAL_S" in listed
    shared = {f"FAN_{name.upper()}" for name in ServiceSettings.model_fields}
    assert all(listed[name].description for name in shared & listed.keys())
