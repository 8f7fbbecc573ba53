"""The file of alerts: what it says, and what is refused, with line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.sentiment.adapters.alerts_file import load_alerts, parse_alerts
from services.sentiment.channels import ALERT_CHANNELS
from services.sentiment.channels.wecom_robot import WecomRobotConfig
from services.sentiment.domain.paging.escalation import Step
from shared.settings import SettingsError

EXAMPLE = Path(__file__).resolve().parents[4] / "deploy/local/config/alerts.yaml"
KINDS = {name: kind.config for name, kind in ALERT_CHANNELS.items()}
ENVIRONMENT = {
    "WECOM_ROBOT_URL": "https://robot.example",
    "WECOM_ROBOT_KEY": "robot-key",
    "PAGERDUTY_URL": "https://pager.example",
    "PAGERDUTY_ROUTING_KEY": "routing-key",
}
SMALL = """\
channels:
  robot: {kind: wecom_robot, key: "${WECOM_ROBOT_KEY}"}
escalation:
  steps:
    - channels: [robot]
"""


def problems(text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_alerts(text, ENVIRONMENT if environment is None else environment, KINDS)
    return list(caught.value.problems)


def test_the_example_file_is_good() -> None:
    alerts = load_alerts(EXAMPLE, ENVIRONMENT, KINDS)
    assert alerts.policy.steps[0] == Step(0.0, ("oncall-robot",))
    assert alerts.policy.steps[1].mention == ("@all",)
    assert alerts.thresholds.least_people == {0: 8, 2: 4, 3: 3}
    kind, config = alerts.channels["oncall-robot"]
    assert kind == "wecom_robot"
    assert isinstance(config, WecomRobotConfig)
    assert config.key.get_secret_value() == "robot-key"


def test_what_is_left_out_has_a_default() -> None:
    alerts = parse_alerts(SMALL, ENVIRONMENT, KINDS)
    assert alerts.thresholds.quiet_ms == 30 * 60_000
    assert alerts.policy.repeat_s == 900


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            SMALL + "  repeat_seconds: -1\n",
            "alerts.yaml:6:3: escalation.repeat_seconds: must be greater",
        ),
        (SMALL + "typo: 1\n", "alerts.yaml:6:1: typo: there is no such field"),
        (
            SMALL.replace("wecom_robot", "fax"),
            "alerts.yaml:2:11: channels.robot.kind: must be one of",
        ),
        (
            SMALL.replace("[robot]", "[rob]"),
            (
                "alerts.yaml:5:18: escalation.steps[0].channels[0]: there is no channel"
                " of this name; there are: robot"
            ),
        ),
        (
            SMALL.replace("key:", "kee:"),
            "alerts.yaml:2:30: channels.robot.kee: there is no such field; did you mean key?",
        ),
        (SMALL + "    - {channels: [robot]}\n", "alerts.yaml:3:1: escalation: each step"),
        (
            SMALL + "    - {channels: [robot], after_seconds: 1e999}\n",
            "alerts.yaml:6:27: escalation.steps[1].after_seconds: ",
        ),
        (SMALL.replace("[robot]", "[robot"), "alerts.yaml:5:17: the bracket"),
        ("", "alerts.yaml:1:1: expected"),
        ("- 1", "alerts.yaml:1:1: expected"),
    ],
)
def test_a_mistake_is_named_with_line_and_field(text: str, problem: str) -> None:
    assert any(one.startswith(problem) for one in problems(text)), problems(text)


def test_a_secret_that_is_not_set_is_named() -> None:
    assert problems(SMALL, {}) == [
        "alerts.yaml:2:30: channels.robot.key: the environment variable WECOM_ROBOT_KEY is not set"
    ]


def test_a_secret_that_stands_in_the_file_is_refused_and_not_quoted() -> None:
    assert problems(SMALL.replace("${WECOM_ROBOT_KEY}", "my-secret")) == [
        "alerts.yaml:2:30: channels.robot.key: a secret must be a reference, as ${NAME}"
    ]


def test_no_problem_quotes_a_secret() -> None:
    wrong = SMALL.replace("kind:", "per_minute: 99, kind:")
    assert "robot-key" not in "".join(problems(wrong))


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        load_alerts(tmp_path / "none.yaml", {}, KINDS)


def test_the_faults_of_all_parts_are_told_at_once() -> None:
    wrong = SMALL.replace("kind:", "per_minute: 99, kind:").replace("[robot]", "[rob]")
    told = problems(wrong + "  repeat_seconds: -1\n", {})
    assert [one.split(": ")[1] for one in told] == [
        "channels.robot.per_minute",
        "channels.robot.key",
        "escalation.steps[0].channels[0]",
        "escalation.repeat_seconds",
    ]
