"""The sandbox's configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import deploy.sandbox
from deploy.sandbox.config import ConfigError, SandboxConfig, load_config

EXAMPLE = Path(deploy.sandbox.__file__).with_name("example.yaml")


def _example() -> dict[str, Any]:
    return load_config(EXAMPLE).model_dump(mode="json")


def test_the_example_is_valid_and_names_one_of_each() -> None:
    config = load_config(EXAMPLE)
    parts = (config.wechat, config.weibo, config.shops, config.robots, config.pagerduty)
    assert [len(part) for part in parts] == [1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("wechat", "encoding_aes_key", "short"),
        ("wechat", "account", "not-gh"),
        ("wechat", "kind", "personal"),
        ("wechat", "colour", "red"),
        ("shops", "secret", "no-prefix"),
        ("pagerduty", "routing_key", "short"),
    ],
)
def test_a_wrong_field_is_named(section: str, field: str, value: str) -> None:
    broken = _example()
    broken[section][0][field] = value
    with pytest.raises(ValidationError, match=field):
        SandboxConfig.model_validate(broken)


def test_accounts_and_sources_share_no_name() -> None:
    broken = _example()
    broken["shops"][0]["source"] = str(broken["weibo"][0]["uid"])
    with pytest.raises(ValidationError, match="share a name"):
        SandboxConfig.model_validate(broken)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("wechat: &a [*a]", ":1: anchors, aliases and tags"),
        ("a: 1\nb: !!python/name:os.system x", ":2: anchors, aliases and tags"),
        ("a: !!timestamp nope", ":1: anchors, aliases and tags"),
        ("a: 2026-02-30", ": a date or number"),
        ("a: " + "9" * 5_000, ": a date or number"),
        ("[" * 1_000, ":1: nested deeper"),
        ("a: [", ":1: this is not YAML"),
        ("a: \x00", ": can't be read"),
        ("#" * 1_100_000, ": larger than"),
    ],
)
def test_a_file_that_is_more_than_plain_fields_is_refused(
    tmp_path: Path, text: str, fault: str
) -> None:
    path = tmp_path / "sandbox.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}{fault}")


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")
    for path in (tmp_path / "none", tmp_path, tmp_path / "bytes"):
        with pytest.raises(ConfigError, match="can't be read"):
            load_config(path)
