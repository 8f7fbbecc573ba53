"""The demo's words: both languages say the same, and everything that may be shown has words."""

from __future__ import annotations

import ast
import io
import re
import string
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local.demo.__main__ import AFTER_MIDNIGHT, BEFORE_MIDNIGHT, seconds_to_wait
from deploy.local.demo.reasons import Language, in_words, knows
from deploy.local.demo.screen import SHANGHAI, Terminal
from deploy.local.demo.texts import EN, TEXTS, ZH
from deploy.local.stack import SERVICES
from deploy.sandbox.actions import Counts
from services.notifier.domain.ledger import Room
from shared.platforms.outcomes import Reason
from tests.unit.deploy.test_demo_summary import GOOD

NOTIFIER = Path(__file__).parents[3] / "services" / "notifier"


def screen_language(name: str) -> Language:
    return "zh" if name == "zh" else "en"


def placeholders(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def shown(language: str, what: str, **facts: object) -> str:
    console = Console(record=True, width=200, file=io.StringIO())
    terminal = Terminal("zh" if language == "zh" else "en", console)
    terminal.say(what, **facts)
    return console.export_text()


def test_both_languages_have_the_same_words_with_the_same_facts() -> None:
    assert ZH.keys() == EN.keys()
    different = [key for key in ZH if placeholders(ZH[key]) != placeholders(EN[key])]
    assert different == []


@pytest.mark.parametrize("language", TEXTS)
def test_a_campaign_is_shown_with_the_reasons_and_times_of_what_is_held(language: str) -> None:
    reasons = [
        {"state": "held", "reason": "fan_cap", "pushes": 2, "next_at": "2026-11-23T16:00:00Z"},
        {"state": "held", "reason": "window_closed", "pushes": 3, "next_at": None},
        {"state": "dropped", "reason": "opted_out", "pushes": 1, "next_at": None},
        {"state": "held", "reason": "a_new_reason", "pushes": 1, "next_at": None},
    ]
    text = shown(language, "campaign", name="A", pushes={"sent": 7, "held": 6}, reasons=reasons)
    words = TEXTS[language]
    assert in_words("fan_cap", screen_language(language)) in text
    assert "11-24 00:00" in text
    assert words["no_time"] in text
    assert in_words("opted_out", screen_language(language)) in text
    assert "a_new_reason" not in text, "nobody but us knows this name"


def reasons_in_the_notifier() -> set[str]:
    """Every reason that its source names."""
    found = {reason.value for reason in Reason} | {
        room.value for room in Room if room is not Room.FREE
    }
    for path in NOTIFIER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id="Hold" | "Drop" | "_dated" | "_undated"),
                    args=[ast.Constant(value=str(reason)), *_],
                ):
                    found.add(reason)
                case ast.AnnAssign(
                    target=ast.Name(id=name), value=ast.Constant(value=str(reason))
                ) if re.fullmatch(r"[A-Z_]+", name) and "_" in reason and not name.startswith("_"):
                    found.add(reason)
    return found


def test_every_reason_for_a_push_has_words_in_both_languages() -> None:
    reasons = reasons_in_the_notifier()
    assert {"waiting_for_a_second_fan", "fan_cap", "window_closed", "crashed_in_call"} <= reasons
    assert {reason for reason in reasons if not knows(reason)} == set()


def test_parts_are_named_in_the_language_of_the_screen() -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    Terminal("zh", console).starting("sandbox, " + ", ".join(SERVICES))
    assert not re.search("[a-z]", console.export_text())


@pytest.mark.parametrize("language", TEXTS)
def test_a_stopped_channel_is_told_with_the_platforms_reason(language: str) -> None:
    words = in_words("channel_stopped_credentials_refused", screen_language(language))
    assert in_words("credentials_refused", screen_language(language)) in words
    assert "_" not in words


def test_an_act_is_shown_with_the_counts_of_its_pushes() -> None:
    text = shown("en", "act_done", act="follow", counts=Counts(sent=12, forged=3))
    assert "Fans follow by QR code: 12 requests" in text
    assert "3 forged" in text


def test_a_page_is_shown_as_it_is_even_if_it_looks_like_markup() -> None:
    text = shown("en", "page", text="[bold]【负面舆情】[/nothing]", seconds=1.25)
    assert "[bold]【负面舆情】[/nothing]" in text


@pytest.mark.parametrize("language", TEXTS)
def test_the_account_ends_with_the_verdict(language: str) -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    terminal = Terminal("zh" if language == "zh" else "en", console)
    terminal.account(GOOD, [])
    assert TEXTS[language]["all_well"].format(seconds=GOOD.seconds) in console.export_text()
    terminal.account(GOOD, ["no push was sent"])
    text = console.export_text()
    assert TEXTS[language]["failed"] in text
    assert "no push was sent" in text


@pytest.mark.parametrize(
    ("clock", "waits"),
    [("12:00", False), ("23:54", False), ("23:56", True), ("00:01", True), ("00:03", False)],
)
def test_the_story_does_not_meet_midnight_in_shanghai(clock: str, *, waits: bool) -> None:
    now = datetime.fromisoformat(f"2026-11-22T{clock}").replace(tzinfo=SHANGHAI)
    seconds = seconds_to_wait(now)
    assert bool(seconds) == waits
    assert seconds <= (BEFORE_MIDNIGHT + AFTER_MIDNIGHT).total_seconds() + 1
