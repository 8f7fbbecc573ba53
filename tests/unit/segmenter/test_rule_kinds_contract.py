"""What every registered kind of rule must do, and that none is forgotten."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import bson
import pytest

from services.segmenter.domain import rules
from services.segmenter.domain.fan import NEVER, Fan
from services.segmenter.domain.record import dump_fan, load_fan
from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules import RULE_KINDS, RuleSpec
from services.segmenter.domain.tagging import advance, apply_event
from shared.events import Event, FanFollowed, LinkViewed, MenuClicked, MessageReceived
from tests.support.fan_histories import START, WHO

SECRET_WORDS = "我的手机号是13800000000"
Example = tuple[dict[str, Any], dict[str, Any], Event, Event]


def _at(seconds: int = 0) -> dict[str, Any]:
    return WHO | {"occurred_at": START + seconds * 1_000}


# A kind: a rule, another value for each deciding field, an event that earns it, one that doesn't.
EXAMPLES: dict[str, Example] = {
    "count": (
        {"tag": "t", "kind": "count", "event": "MenuClicked", "at_least": 1, "within": "1h"},
        {
            "tag": "u",
            "event": "QrScanned",
            "at_least": 2,
            "within": "2h",
            "where": {"menu_key": "a"},
            "for": "1d",
        },
        MenuClicked(menu_key=SECRET_WORDS, **_at()),
        LinkViewed(url="https://example.com", **_at()),
    ),
    "keywords": (
        {"tag": "t", "kind": "keywords", "any_of": ["手机号"]},
        {"tag": "u", "any_of": ["手机"], "for": "1d"},
        MessageReceived(message_type="text", text=SECRET_WORDS, **_at()),
        MessageReceived(message_type="text", text="你好", **_at()),
    ),
    "source_scene": (
        {"tag": "t", "kind": "source_scene", "scenes": ["expo"]},
        {"tag": "u", "scenes": ["expo", "expo2"], "for": "1d"},
        FanFollowed(scene="expo", **_at()),
        FanFollowed(scene="elsewhere", **_at()),
    ),
}


def _spec(kind: str, **changes: Any) -> RuleSpec:
    return RULE_KINDS[kind].model_validate(EXAMPLES[kind][0] | changes)


def test_every_module_of_the_folder_is_registered_and_has_an_example() -> None:
    found = {
        member
        for module in pkgutil.iter_modules(rules.__path__)
        for _, member in inspect.getmembers(
            importlib.import_module(f"{rules.__name__}.{module.name}"), inspect.isclass
        )
        if issubclass(member, RuleSpec) and member is not RuleSpec
    }
    assert found == set(RULE_KINDS.values())
    assert set(EXAMPLES) == set(RULE_KINDS)
    for kind, spec in RULE_KINDS.items():
        assert spec.model_fields["kind"].annotation.__args__ == (kind,)  # type: ignore[union-attr]  # a Literal


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_the_event_that_earns_the_tag_gives_it_and_another_does_not(kind: str) -> None:
    _, _, earning, other = EXAMPLES[kind]
    book = RuleBook([_spec(kind)])
    who = ("wechat", "gh_1", "openid-1")
    assert set(apply_event(book, Fan(), who, earning, "id")[0].tags) == {"t"}
    assert set(apply_event(book, Fan(), who, other, "id")[0].tags) == set()
    assert type(earning) in book.rules[0].events


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_for_ends_the_tag_that_long_after_it_was_earned(kind: str) -> None:
    book = RuleBook([_spec(kind, **{"for": "10s"})])
    fan, _ = apply_event(book, Fan(), ("wechat", "gh_1", "o"), EXAMPLES[kind][2], "id")
    assert fan.tags["t"].until == START + 10_000


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_a_late_event_never_brings_the_end_nearer(kind: str) -> None:
    book = RuleBook([_spec(kind, **{"for": "10s"})])
    earning = EXAMPLES[kind][2]
    late = earning.model_copy(update={"occurred_at": START - 5_000})
    fan, _ = apply_event(book, Fan(), ("wechat", "gh_1", "o"), earning, "id")
    fan, _ = apply_event(book, fan, ("wechat", "gh_1", "o"), late, "id2")
    assert fan.tags["t"].until == START + 10_000


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_what_a_removed_rule_remembered_is_forgotten(kind: str) -> None:
    book = RuleBook([_spec(kind)])
    fan, _ = apply_event(book, Fan(), ("wechat", "gh_1", "o"), EXAMPLES[kind][2], "id")
    who = ("wechat", "gh_1", "o")
    moved = advance(RuleBook([]), fan, who, START)
    assert moved is not None
    assert (moved[0].memory, moved[0].tags) == ({}, {})
    kept = moved[0].due  # for a day, should the line be put back
    if kept != NEVER:
        assert advance(RuleBook([]), moved[0], who, kept - 1) is None
        moved = advance(RuleBook([]), moved[0], who, kept)
    assert moved is not None
    assert (moved[0].retired, moved[0].due) == ({}, NEVER)


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_a_rule_that_is_put_back_within_a_day_gives_the_tag_as_it_was(kind: str) -> None:
    book, who = RuleBook([_spec(kind)]), ("wechat", "gh_1", "o")
    fan, _ = apply_event(book, Fan(), who, EXAMPLES[kind][2], "id")
    removed = advance(RuleBook([]), fan, who, START)
    assert removed is not None
    back = advance(book, load_fan(dump_fan(removed[0])), who, START + 1)
    assert back is not None
    assert back[0].tags["t"].until == fan.tags["t"].until
    assert (back[0].memory, back[0].retired) == (fan.memory, {})


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_a_longer_for_moves_the_end_and_a_shorter_one_too(kind: str) -> None:
    who = ("wechat", "gh_1", "o")
    fan, _ = apply_event(
        RuleBook([_spec(kind, **{"for": "1d"})]), Fan(), who, EXAMPLES[kind][2], "id"
    )
    for seconds in (172_800, 60):
        moved = advance(RuleBook([_spec(kind, **{"for": f"{seconds}s"})]), fan, who, START)
        assert moved is not None
        assert (moved[0].tags["t"].until, moved[1]) == (START + seconds * 1_000, [])


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_what_an_unchanged_rule_remembers_is_left_alone(kind: str) -> None:
    book, who = RuleBook([_spec(kind)]), ("wechat", "gh_1", "o")
    fan, _ = apply_event(book, Fan(), who, EXAMPLES[kind][2], "id")
    before = dump_fan(fan)
    assert book.rules[0].adopt(fan, who, START) == 0
    assert dump_fan(fan) == before


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_what_is_remembered_stays_small_is_plain_and_holds_no_words_of_the_fan(kind: str) -> None:
    _, _, earning, _ = EXAMPLES[kind]
    book = RuleBook([_spec(kind)])
    fan = Fan()
    for second in range(1_000):
        again = earning.model_copy(update={"occurred_at": START + second * 1_000})
        fan, _ = apply_event(book, fan, ("wechat", "gh_1", "o"), again, "id")
    stored = bson.encode(dict(fan.memory))
    assert len(stored) < 4_096
    assert SECRET_WORDS.encode() not in stored
    assert b"1380" not in stored


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_the_version_changes_with_every_field_that_decides_and_no_other(kind: str) -> None:
    spec = _spec(kind)
    changes = EXAMPLES[kind][1]
    if kind == "count":
        changes = {name: value for name, value in changes.items() if name != "event"}
    versions = {_spec(kind, **{name: value}).version for name, value in changes.items()}
    assert len(versions) == len(changes)
    assert spec.version not in versions
    assert _spec(kind, description="说明").version == spec.version


def test_versions_are_the_same_on_every_machine() -> None:
    assert {kind: _spec(kind).version for kind in RULE_KINDS} == {
        "count": "eb42750a9c88c555",
        "keywords": "205a729b8be72688",
        "source_scene": "44b708a345d07e22",
    }
