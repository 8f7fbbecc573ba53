"""The one reader of configuration files: whatever is written gives values, or lines with places."""

from __future__ import annotations

import json
import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from shared.config_file import (
    LARGEST_BYTES,
    MOST_FAULTS,
    ConfigFileError,
    load,
    parse,
    read_text,
)
from shared.config_yaml import DEEPEST, MOST_VALUES

EXAMPLES = Path(__file__).parents[3] / "deploy" / "local" / "config"
LINE = re.compile(r"f\.yaml:[1-9][0-9]*:[1-9][0-9]*: \S.*")


class Pair(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    count: int = 1


class Lists(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pairs: tuple[Pair, ...] = ()
    on: bool = False


def read(text: str, environment: dict[str, str] | None = None) -> Any:
    found = parse(text, environment, file="f.yaml")
    found.finish()
    return found.data


def faults(text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigFileError) as caught:
        read(text, environment)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, 'y', \"z\"]\nc: {d: }", {"a": 1, "b": ["x", "y", "z"], "c": {"d": None}}),
        ("a: yes\nb: off\nc: ~\nd: null", {"a": True, "b": False, "c": None, "d": None}),
        ("[1.5, -3, 1_000, 1e3, .5]", [1.5, -3, 1000, "1e3", 0.5]),
        # what YAML 1.1 makes of these surprises everybody, so they stay text
        ("[2026-01-31, 12:30, 010, 0x1F]", ["2026-01-31", "12:30", "010", "0x1F"]),
        ("2: x\nyes: y\n~: z", {"2": "x", "yes": "y", "~": "z"}),
        ("a: |\n  b\n  c\n", {"a": "b\nc\n"}),
        ("\ufeffa: 中文", {"a": "中文"}),
        ("a: ${X}", {"a": "${X}"}),
        ("", None),
        ("# nothing", None),
    ],
)  # fmt: skip
def test_what_people_write_is_read(text: str, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\nb:\n  a: 2\n  a: 3\n", "4:3: b.a: stands here a second time; the first is"),
        ("a: &x 1", "1:4: a: an anchor (&) is not taken"),
        ("a: &x [*x]", "1:8: a[0]: an alias (*) is not taken"),
        ("a: &x {b: *x}", "1:4: a: an anchor"),
        ("*x : 1", "1:1: an alias"),
        ("<<: *x", "1:5: <<: an alias"),
        ("a: !!timestamp nope", "1:4: a: a tag (!) is not taken"),
        ("a: !!timestamp 2026-02-30", "1:4: a: a tag"),
        ("a: !!int x", "1:4: a: a tag"),
        ("a: !!binary =", "1:4: a: a tag"),
        ("a: !!set {b}", "1:4: a: a tag"),
        ("a: !mine 1", "1:4: a: a tag"),
        ("a: !!python/object/apply:os.system ['true']", "1:4: a: a tag"),
        ("!!str a: 1", "1:1: a: a tag"),
        ("? [a, b]\n: 1", "1:3: a field's name must be text"),
        ("a: 1\n---\nb: 2", "2:1: a second document"),
        ("a: 1\n...\nb: 2", "3:1: what follows"),
        ("a: .inf", "1:4: a: must be a number that ends"),
        ("a: " + "9" * 5_000, "1:4: a: this number is too long"),
        ("a:\n\t- b", "2:1: a tab stands here"),
        ("a: @x", "1:4: a value can't begin with @"),
        ("a: b: c", "1:5: a : can't stand here"),
        ("a: 'x\nb: 1\nc: 2", "1:4: the quote that begins here has no end"),
        ("a: [1, 2\nb: 1", "1:4: the bracket that opens here"),
        ("a:\n  b: 1\n c: 2", "3:2: the line is indented"),
        ("- a\nb: 1", "2:1: the line is indented"),
        ('a: "\\q"', "1:"),
        ("a: x\x07y", "1:5: the character U+0007"),
        ("a: 中\n中: \x00", "2:4: the character U+0000"),
        ("[" * 100_000, "1:"),
        ("a: " * 100_000, "1:"),
        ("{a: " * 100_000, "1:"),
        ("- " * 100_000, "1:"),
    ],
)  # fmt: skip
def test_what_is_never_meant_is_refused_with_its_place(text: str, fault: str) -> None:
    told = faults(text)
    assert any(one.startswith(f"f.yaml:{fault}") for one in told), told
    assert all(LINE.fullmatch(one) for one in told)


def test_every_fault_is_told_at_once_in_the_order_of_the_file() -> None:
    text = "a: ${ONE}\nb: *x\nc: !!int 1\na: 2\nd: {env: TWO}\ne: x${THREE}\n"
    assert [one.split(": ")[1:] for one in faults(text, {})] == [
        ["a", "the environment variable ONE is not set"],
        ["b", "an alias (*) is not taken", "write the value out"],
        ["c", "a tag (!) is not taken", "remove it, and put the value in quotes if it is text"],
        ["a", "stands here a second time; the first is in line 1. Keep one of them"],
        ["d", "the environment variable TWO is not set"],
        ["e", "a reference must be the whole value, as ${NAME}"],
    ]


def test_references_are_taken_from_the_environment_and_their_places_are_known() -> None:
    found = parse("a: ${ONE}\nb: [{env: TWO}]\nc: plain", {"ONE": "1", "TWO": "2"})
    assert found.data == {"a": "1", "b": ["2"], "c": "plain"}
    assert found.references == {("a",), ("b", 0)}


def test_a_value_that_could_not_be_read_is_not_judged_once_more() -> None:
    found = parse("pairs:\n  - name: ${GONE}\n    count: *x\n    colour: red\n", {}, file="f.yaml")
    assert found.check(Lists) is None
    with pytest.raises(ConfigFileError) as caught:
        found.finish()
    assert [one.partition(": ")[2] for one in caught.value.problems] == [
        "pairs[0].name: the environment variable GONE is not set",
        "pairs[0].count: an alias (*) is not taken: write the value out",
        "pairs[0].colour: there is no such field; there are: name, count",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("pairs: 3", "1:1: pairs: must be a list: each entry"),
        ("pairs: [x]", "1:9: pairs[0]: must be fields"),
        ("pairs: [{}]", "1:9: pairs[0].name: is missing"),
        ("pairs:\n  - name: 7", "2:5: pairs[0].name: must be text; put the value in quotes"),
        ("pairs:\n  - {name: a, count: few}", "2:15: pairs[0].count: must be a whole number"),
        ("on: perhaps", "1:1: on: must be true or false"),
        ("pears: []", "1:1: pears: there is no such field; did you mean pairs?"),
        ("[]", "1:1: must be fields"),
    ],
)
def test_what_a_model_refuses_is_told_in_words(text: str, fault: str) -> None:
    found = parse(text, file="f.yaml")
    assert found.check(Lists) is None
    with pytest.raises(ConfigFileError) as caught:
        found.finish()
    assert caught.value.problems[0].startswith(f"f.yaml:{fault}")


def test_no_line_quotes_a_value_or_breaks_in_two() -> None:
    odd = '"a\\nb": 1\n' + "x" * 500 + ": 2\nname: hunter2\npairs: hunter2\non: hunter2\n"
    found = parse(odd, file="f.yaml")
    found.check(Lists)
    with pytest.raises(ConfigFileError) as caught:
        found.finish()
    assert "hunter2" not in str(caught.value)
    assert all(LINE.fullmatch(one) and len(one) < 300 for one in caught.value.problems)


def test_many_faults_are_counted() -> None:
    told = faults("".join(f"a{number}: *x\n" for number in range(MOST_FAULTS + 30)))
    assert len(told) == MOST_FAULTS + 1
    assert told[-1] == "f.yaml: and 30 more faults"


def test_faults_of_a_model_are_counted_without_wording_each() -> None:
    text = "".join(f"colour{number}: *x\nshade{number}: 1\n" for number in range(20_000))
    found = parse(text, file="f.yaml")
    assert found.check(Lists) is None
    with pytest.raises(ConfigFileError) as caught:
        found.finish()
    told = caught.value.problems
    assert len(told) == MOST_FAULTS + 1
    assert told[-1].endswith(" more faults")


@pytest.mark.parametrize("size", [9, 12])
def test_a_bomb_of_aliases_costs_no_more_than_its_text(size: int) -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    for number in range(1, size):
        inner = ",".join([f"*a{number - 1}"] * 9)
        lines.append(f"a{number}: &a{number} [{inner}]")
    tracemalloc.start()
    told = faults("\n".join(lines))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert told
    assert peak < 2_000_000


def test_depth_and_number_of_values_are_bounded() -> None:
    assert read("[" * DEEPEST + "]" * DEEPEST) is not None
    assert f"deeper than {DEEPEST} levels" in faults("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))[0]
    assert len(read("[" + "1," * (MOST_VALUES - 1) + "]")) == MOST_VALUES - 1
    assert "more than 100,000 values" in faults("[" + "1," * MOST_VALUES + "]")[0]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a: 1\nb: x\xffy", ":2:5: a byte here is not UTF-8"),
        ("a: 中\xff".encode("latin-1", "replace"), ":1:5: a byte here is not UTF-8"),
        ("a: 1".encode("utf-16"), ":1:1: a byte here is not UTF-8"),
        (b"#" * (LARGEST_BYTES + 1), ": the file is larger than 1,048,576 bytes"),
    ],
)
def test_a_file_that_is_no_text_is_refused_with_its_place(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigFileError) as caught:
        load(path)
    assert caught.value.problems[0].startswith(f"{path}{fault}")


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, fault in [
        (tmp_path / "none", "there is no such file"),
        (tmp_path, "this is a folder or a device; a file is needed"),
        (tmp_path / "pipe", "this is a folder or a device; a file is needed"),
        (Path("/dev/zero"), "this is a folder or a device; a file is needed"),
        (tmp_path / ("n" * 300), "the file can't be read: OSError"),
        (tmp_path / "a\0b", "the file can't be read: ValueError"),
    ]:
        with pytest.raises(ConfigFileError) as caught:
            read_text(path)
        assert caught.value.problems == (f"{path}: {fault}",)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert load(path).data == {"a": 1}


@pytest.mark.parametrize("name", ["tags.yaml", "alerts.yaml"])
def test_the_examples_mean_what_yaml_says(name: str) -> None:
    text = (EXAMPLES / name).read_text("utf-8")
    assert read(text) == yaml.safe_load(text)


PIECES = st.sampled_from(
    [*"[]{}'\"#\t\\=~_\n中\x00\u2028\ufeff", "a", "b: ", "- ", "\n  ", ", ", ": ", "? ", "&a ",
     "*a", "!x ", "!!int ", "|\n", ">\n", "---\n", "...\n", "%Y", "1", "-1.5", ".inf", "yes", "._",
     "2026-02-30", "${A}", "{env: A}", "<<: ", "0x_", "1:30"]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=40))
def test_whatever_is_written_gives_values_or_lines(text: str) -> None:
    told: tuple[str, ...] = ("f.yaml:1:1: nothing",)
    try:
        found = parse(text, {"A": "x"}, file="f.yaml")
        found.check(Lists)
        found.finish()
    except ConfigFileError as error:
        told = error.problems
    assert told
    assert all(LINE.fullmatch(one) for one in told), told


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("ab1-:# ~", max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner),
    max_leaves=10,
)


@given(PLAIN)
def test_plain_documents_mean_what_they_say(document: Any) -> None:
    assert read(json.dumps(document)) == document
