"""The mutants that no test can notice, as `tests/mutation.md` lists them, each with its reason.

One line each, by what the mutant changes and not by its number, so that a line lives as long as
the code it names::

    - `shared/kafka/limits.py` `f`: `a < b` → `a <= b`: they are never equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tools.mutate.mutants import Change, one_line

_BEGINS: Final = re.compile(r"^- `[^`]+\.py` ")
_LINE: Final = re.compile(r"^- `([^`]+)` `([^`]+)`: `([^`]*)` → `([^`]*)`: (\S.*)$")


class UnreadableLineError(Exception):
    """A line that begins like an equivalent mutant and isn't one, or gives no reason."""


def read_equivalents(text: str) -> Mapping[Change, str]:
    """The listed mutants and their reasons.

    Raises:
        UnreadableLineError: a line lacks a part, or stands there twice.
    """
    found: dict[Change, str] = {}
    for line in text.splitlines():
        if not _BEGINS.match(line):
            continue
        parts = _LINE.match(line)
        if parts is None:
            raise UnreadableLineError(
                f"write `module` `function`: `old` → `new`: reason. Not: {line}"
            )
        module, function, old, new, reason = parts.groups()
        change = Change(module, function, one_line(old), one_line(new))
        if change in found:
            raise UnreadableLineError(f"twice in the list: {line}")
        found[change] = reason
    return found
