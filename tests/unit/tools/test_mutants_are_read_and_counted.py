"""What mutmut leaves is read by what each mutant changes; the list of equivalents by the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.mutate.__main__ import LIST, ROOT, summarise
from tools.mutate.core import GROUPS
from tools.mutate.equivalents import UnreadableLineError, read_equivalents
from tools.mutate.mutants import (
    Change,
    Mutant,
    UnfinishedError,
    forget_unsure,
    read_mutants,
)

MODULE = "shared/limits.py"
MUTATED = '''
def is_over(count: int, most: int) -> bool:
    return count > most


def x_is_over__mutmut_orig(count: int, most: int) -> bool:
    return count > most


def x_is_over__mutmut_1(count: int, most: int) -> bool:
    return count >= most


class Limit:
    async def xǁLimitǁtake__mutmut_orig(
        self, count: int
    ) -> bool:
        """Take some."""
        return await self.ask(
            count,
            wait=True,
        )

    async def xǁLimitǁtake__mutmut_1(
        self, count: int
    ) -> bool:
        """Take some."""
        return await self.ask(
            count,
            )

    async def xǁLimitǁtake__mutmut_2(
        self, count: int
    ) -> bool:
        """Take some."""
        return await self.ask(
            None,
            wait=True,
        )
'''
NAMES = (
    "shared.limits.x_is_over__mutmut_1",
    "shared.limits.xǁLimitǁtake__mutmut_1",
    "shared.limits.xǁLimitǁtake__mutmut_2",
)
CHANGES = (
    Change(MODULE, "is_over", "return count > most", "return count >= most"),
    Change(MODULE, "Limit.take", "wait=True, )", ")"),
    Change(MODULE, "Limit.take", "count,", "None,"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    (tmp_path / MODULE).write_text(MUTATED, "utf-8")
    return tmp_path


def leave(folder: Path, *exit_codes: int | None) -> None:
    meta = {"exit_code_by_key": dict(zip(NAMES, exit_codes, strict=True)), "other": 1}
    (folder / f"{MODULE}.meta").write_text(json.dumps(meta), "utf-8")


@pytest.mark.parametrize(
    ("exit_code", "noticed", "asked", "in_time"),
    [
        (1, True, True, True),
        (3, True, True, True),
        (36, True, True, False),
        (-24, True, True, False),
        (0, False, True, True),
        (33, False, False, True),
        (5, False, False, True),
    ],
)
def test_a_mutant_is_noticed_if_a_test_failed_or_never_came_to_its_end(
    folder: Path, exit_code: int, *, noticed: bool, asked: bool, in_time: bool
) -> None:
    leave(folder, exit_code, 0, 1)
    assert read_mutants(folder, MODULE) == [
        Mutant(NAMES[0], CHANGES[0], noticed=noticed, asked=asked, in_time=in_time),
        Mutant(NAMES[1], CHANGES[1], noticed=False, asked=True),
        Mutant(NAMES[2], CHANGES[2], noticed=True, asked=True),
    ]


def test_a_run_that_was_cut_short_is_no_result(folder: Path) -> None:
    leave(folder, 1, None, 1)
    with pytest.raises(UnfinishedError, match="take__mutmut_1 was not tried"):
        read_mutants(folder, MODULE)


def test_only_what_was_not_noticed_in_time_is_tried_again(folder: Path) -> None:
    leave(folder, 1, 0, 36)
    forget_unsure(folder, MODULE)
    meta = json.loads((folder / f"{MODULE}.meta").read_text("utf-8"))
    assert list(meta["exit_code_by_key"].values()) == [1, None, None]
    assert meta["other"] == 1
    forget_unsure(folder, "shared/never_run.py")


def test_a_listed_mutant_is_found_by_what_it_changes(folder: Path) -> None:
    leave(folder, 0, 0, 1)
    text = f"""
Words before, and `code`.

- {CHANGES[0]}: they are never equal.
- {CHANGES[2]}: `nobody` asks; see there: here.
"""
    found = read_equivalents(text)
    assert found == {
        CHANGES[0]: "they are never equal.",
        CHANGES[2]: "`nobody` asks; see there: here.",
    }
    summary, survivors = summarise({MODULE: read_mutants(folder, MODULE)}, found)
    assert summary == {MODULE: {"mutants": 3, "noticed": 1, "equivalent": 1}}
    assert [one.change for one in survivors] == [CHANGES[1]]


@pytest.mark.parametrize(
    "line",
    [
        "- `shared/limits.py` `is_over`: `a` → `b`",
        "- `shared/limits.py` `is_over`: `a` → `b`: ",
        "- `shared/limits.py` `is_over`: `a` -> `b`: a reason",
        "- `shared/limits.py` is_over: `a` → `b`: a reason",
    ],
)
def test_an_equivalent_without_a_reason_or_part_is_refused(line: str) -> None:
    with pytest.raises(UnreadableLineError, match="reason"):
        read_equivalents(line)


def test_an_equivalent_stands_in_the_list_once() -> None:
    line = f"- {CHANGES[0]}: never."
    with pytest.raises(UnreadableLineError, match="twice"):
        read_equivalents(f"{line}\n{line}\n")


def test_what_is_mutated_exists_and_so_do_the_tests_that_are_asked() -> None:
    for group in GROUPS:
        paths = [*group.modules, *(one.removeprefix("--ignore=") for one in group.tests)]
        assert [path for path in paths if not (ROOT / path).exists()] == []


def test_each_equivalent_of_the_list_names_a_mutated_module() -> None:
    modules = {module for group in GROUPS for module in group.modules}
    assert {one.module for one in read_equivalents(LIST.read_text("utf-8"))} <= modules
