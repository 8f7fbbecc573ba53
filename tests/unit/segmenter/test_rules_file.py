"""Every mistake in `tags.yaml` is named with file, line and field."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.segmenter.domain.rules_file import RulesFileError, parse_rules

EXAMPLE = Path(__file__).parents[3] / "deploy" / "local" / "config" / "tags.yaml"


def _problems(text: str) -> list[str]:
    with pytest.raises(RulesFileError) as caught:
        parse_rules(dedent(text), "tags.yaml")
    return caught.value.problems


def test_the_shipped_example_is_valid_and_uses_every_kind() -> None:
    book = parse_rules(EXAMPLE.read_text("utf-8"), "tags.yaml")
    assert {spec.kind for spec in book.specs} == {"count", "keywords", "source_scene"}
    assert "活跃" in book.tags


def test_a_wrong_value_is_named_with_its_line_and_field() -> None:
    problems = _problems("""\
        tags:
          - tag: a
            kind: count
            event: MenuClicked
            at_least: 3
            within: a week
        """)
    advice = "write a duration between 1s and 400d, like 90s, 30m, 12h or 7d"
    assert problems == [f"tags.yaml:6:5: tags[0].within: {advice}"]


def test_all_mistakes_are_named_at_once_in_the_order_of_the_lines() -> None:
    problems = _problems("""\
        tags:
          - tag: a
            kind: count
            event: MenuClicked
            at_least: none
            within: 7d
          - tag: b
            kind: magic
          - kind: keywords
            any_of: []
          - tag: c
            kind: count
            event: MenuClicked
            at_least: 1
            within: 7d
            where:
              menu: x
        """)
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["tags.yaml:5:5", "tags[0].at_least"],
        ["tags.yaml:8:5", "tags[1].kind"],
        ["tags.yaml:9:5", "tags[2].tag"],
        ["tags.yaml:10:5", "tags[2].any_of"],
        ["tags.yaml:17:7", "tags[3].where.menu"],
    ]


def test_an_unknown_field_is_named_at_its_own_line() -> None:
    problems = _problems("""\
        tags:
          - tag: a
            kind: keywords
            any_of: [x]
            colour: red
        """)
    assert len(problems) == 1
    assert problems[0].startswith("tags.yaml:5:5: tags[0].colour: there is no such field; ")


def test_the_wrong_place_of_a_list_of_words_is_named() -> None:
    problems = _problems("""\
        tags:
          - tag: a
            kind: keywords
            any_of:
              - 退款
              - 5
        """)
    assert problems == ["tags.yaml:6:9: tags[0].any_of[1]: must be text; put the value in quotes"]


def test_a_tag_of_two_rules_is_refused_and_both_lines_are_named() -> None:
    problems = _problems("""\
        tags:
          - {tag: a, kind: keywords, any_of: [x]}
          - {tag: a, kind: keywords, any_of: [y]}
        """)
    assert problems == ["tags.yaml:3:6: tags[1].tag: line 2 already assigns this tag"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("发票", "發票"), ("VIP", "vip"), ("ＶＩＰ", "VIP"), ("优惠", "優惠"), ("❤", "❤\ufe0f")],
)
def test_two_tags_that_look_the_same_are_refused_and_both_are_named(one: str, other: str) -> None:
    problems = _problems(f"""\
        tags:
          - {{tag: {one}, kind: keywords, any_of: [x]}}
          - {{tag: other, kind: keywords, any_of: [x]}}
          - {{tag: {other}, kind: keywords, any_of: [y]}}
        """)
    said = f"{other} looks the same as {one} of line 2; write a name that nobody can mistake"
    assert problems == [f"tags.yaml:4:6: tags[2].tag: {said}"]


@pytest.mark.parametrize(
    ("tag", "code", "place"),
    [
        ("VI\u200bP", "200B", 3),
        ("\ufeffVIP", "FEFF", 1),
        ("VIP\u2060", "2060", 4),
        ("a\u200db", "200D", 2),
    ],
)
def test_a_tag_with_a_character_that_nobody_can_see_is_refused(
    tag: str, code: str, place: int
) -> None:
    problems = _problems(f'tags: [{{tag: "{tag}", kind: keywords, any_of: [x]}}]')
    said = f"has a character that nobody can see, U+{code}, at place {place}"
    assert problems == [f"tags.yaml:1:9: tags[0].tag: {said}; write the name anew without it"]


def test_a_tag_may_be_an_emoji_of_several_characters() -> None:
    for tag in ("❤\ufe0f粉丝", "👨\u200d👩\u200d👧", "❤\ufe0f\u200d🔥"):
        text = f"tags: [{{tag: {tag}, kind: keywords, any_of: [x]}}]"
        assert parse_rules(text, "tags.yaml").tags == (tag,)


def test_a_field_written_twice_is_refused() -> None:
    problems = _problems("""\
        tags:
          - tag: a
            kind: keywords
            any_of: [x]
            tag: b
        """)
    said = "stands here a second time; the first is in line 2. Keep one of them"
    assert problems == [f"tags.yaml:5:5: tags[0].tag: {said}"]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "tags.yaml:1:1: tags: write"),
        ("- a", "tags.yaml:1:1: tags: write"),
        ("tags: 3", "tags.yaml:1:1: tags: write"),
        ("rules: []\ntags: []", "tags.yaml:1:1: rules: unknown field"),
        ("tags:\n  - just text", "tags.yaml:2:5: tags[0]: write a rule"),
        ("tags:\n\t- a", "tags.yaml:2:1: a tab"),
        ("tags: [\n", "tags.yaml:2:1: a value or a closing bracket is missing"),
        ("tags: !!python/object:os.system []", "tags.yaml:1:7: tags: a tag (!) is not taken"),
        ("tags: *missing", "tags.yaml:1:7: tags: an alias (*) is not taken"),
        ("\x00", "tags.yaml:1:1: the character U+0000"),
    ],
)
def test_a_file_of_another_shape_is_refused_with_its_line(text: str, start: str) -> None:
    assert _problems(text)[0].startswith(start)


def test_a_file_without_rules_is_allowed() -> None:
    assert parse_rules("tags: []", "tags.yaml").tags == ()


def test_order_and_descriptions_do_not_change_the_digest() -> None:
    one = "{tag: a, kind: keywords, any_of: [x]}"
    two = "{tag: b, kind: source_scene, prefix: s}"
    described = "{tag: b, kind: source_scene, prefix: s, description: 门店}"
    digest = parse_rules(f"tags: [{one}, {two}]", "x").digest
    assert parse_rules(f"tags: [{described}, {one}]", "y").digest == digest
    assert parse_rules(f"tags: [{one}]", "x").digest != digest


_FIELDS = st.sampled_from(
    ["tag", "kind", "event", "at_least", "within", "for", "where", "any_of", "scenes", "prefix"]
)
_WORDS = st.sampled_from(["count", "keywords", "source_scene", "MenuClicked", "7d"])
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), _WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_FIELDS, inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(_FIELDS, _VALUES, max_size=8), max_size=4))
@settings(max_examples=200, deadline=None)
def test_whatever_is_written_gives_a_book_or_located_problems(entries: list[object]) -> None:
    text = json.dumps({"tags": entries})
    problems: list[str] = []
    tags: tuple[str, ...] = ()
    try:
        tags = parse_rules(text, "tags.yaml").tags
    except RulesFileError as error:
        problems = error.problems
    assert all(problem.startswith("tags.yaml:") for problem in problems)
    assert len(tags) == (0 if problems else len(entries))
