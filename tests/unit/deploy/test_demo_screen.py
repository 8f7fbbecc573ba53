"""The demo's words: both languages say the same, and everything that may be shown has words."""

from __future__ import annotations

import io
import string
from datetime import datetime

import pytest
from rich.console import Console

from deploy.local.demo.__main__ import AFTER_MIDNIGHT, BEFORE_MIDNIGHT, seconds_to_wait
from deploy.local.demo.screen import SHANGHAI, Terminal
from deploy.local.demo.texts import EN, TEXTS, ZH
from deploy.sandbox.actions import Counts
from tests.unit.deploy.test_demo_summary import GOOD


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
    assert words["why_fan_cap"] in text
    assert "11-24 00:00" in text
    assert words["no_time"] in text
    assert words["why_opted_out"] in text
    assert "a_new_reason" in text


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
