"""The mutants of one module as mutmut left them: what each changes, and whether a test noticed.

mutmut writes each mutant beside the original, as a function of its own, and the tests' exit code
into `<module>.meta`.
"""

from __future__ import annotations

import ast
import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PASSED: Final = 0
_UNASKED: Final = frozenset({5, 33})
"""No test calls the function."""
_OUT_OF_TIME: Final = frozenset({36, 24, -24, 152, 255})
_MARK: Final = "__mutmut_"
_CLASS_MARK: Final = "ǁ"


@dataclass(frozen=True, slots=True)
class Change:
    """What a mutant changes; the same in every run, whatever stands before it in the module."""

    module: str
    function: str
    """`Class.method` for a method."""
    old: str
    new: str

    def __str__(self) -> str:
        """As a line of `tests/mutation.md` begins."""
        return f"`{self.module}` `{self.function}`: `{self.old}` → `{self.new}`"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted mistake, and what came of it."""

    name: str
    change: Change
    noticed: bool
    asked: bool
    """Whether any test calls the function; an unasked mutant is not noticed."""
    in_time: bool = True
    """Whether its tests came to their end. Else it counts as noticed: it may loop for ever."""


class UnfinishedError(Exception):
    """A mutant that no test was run for: the run was cut short."""


def read_mutants(folder: Path, module: str) -> list[Mutant]:
    """The mutants of a module.

    Args:
        folder: mutmut's own, `mutants`.
        module: its path from the project's root.

    Raises:
        UnfinishedError: the run did not come to its end.
    """
    found = json.loads((folder / f"{module}.meta").read_text("utf-8"))["exit_code_by_key"]
    functions = _functions((folder / module).read_text("utf-8"))
    mutants = []
    for name, exit_code in found.items():
        if exit_code is None:
            raise UnfinishedError(f"{name} was not tried")
        mangled = name.rpartition(".")[2]
        original = mangled.partition(_MARK)[0] + _MARK + "orig"
        old, new = _difference(functions[original], functions[mangled])
        mutants.append(
            Mutant(
                name=name,
                change=Change(module, _readable(mangled), old, new),
                noticed=exit_code != _PASSED and exit_code not in _UNASKED,
                asked=exit_code not in _UNASKED,
                in_time=exit_code not in _OUT_OF_TIME,
            )
        )
    return mutants


def forget_unsure(folder: Path, module: str) -> None:
    """Have mutmut try again what no test noticed, or what did not come to its end."""
    path = folder / f"{module}.meta"
    if not path.exists():
        return
    meta = json.loads(path.read_text("utf-8"))
    meta["exit_code_by_key"] = {
        name: None if exit_code in {_PASSED, *_UNASKED, *_OUT_OF_TIME} else exit_code
        for name, exit_code in meta["exit_code_by_key"].items()
    }
    path.write_text(json.dumps(meta), "utf-8")


def one_line(code: str) -> str:
    """Code on one line, its white space alike."""
    return " ".join(code.split())


def _functions(source: str) -> dict[str, list[str]]:
    """The lines of every function of a mutated module, without its first: its name differs."""
    lines = source.splitlines()
    return {
        node.name: [
            _without_name(node.name, line) for line in lines[node.lineno - 1 : node.end_lineno]
        ]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _MARK in node.name
    }


def _without_name(name: str, line: str) -> str:
    return line.replace(f"def {name}(", f"def {name.partition(_MARK)[0]}(")


def _difference(original: list[str], mutated: list[str]) -> tuple[str, str]:
    old, new = [], []
    for line in difflib.ndiff(original, mutated):
        if line.startswith("- "):
            old.append(line[2:])
        elif line.startswith("+ "):
            new.append(line[2:])
    return one_line(" ".join(old)), one_line(" ".join(new))


def _readable(mangled: str) -> str:
    name = mangled.partition(_MARK)[0]
    if _CLASS_MARK in name:
        _, owner, method = name.split(_CLASS_MARK)
        return f"{owner}.{method}"
    return name.removeprefix("x_")
