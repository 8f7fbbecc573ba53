"""Reads `tags.yaml`: every mistake is named with file, line and field, all of them at once.

```yaml
tags:
  - tag: buyer                # the tag's name; no other in the file looks the same
    kind: count               # one of RULE_KINDS
    event: PurchaseMade
    at_least: 1
    within: 30d
```
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError

from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules import RULE_KINDS, RuleSpec
from shared.errors import FanEngagementError
from shared.text import fold

MAX_RULES = 1_000
MAX_FILE_CHARS = 1_048_576

Path = tuple[str | int, ...]


class RulesFileError(FanEngagementError):
    """The rule file can't be used.

    Args:
        problems: one line each: file, line, field, and what to do.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Problem(Exception):  # noqa: N818 it is collected, not raised to callers
    """One mistake, at a place in the document."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(text)
        self.path = path
        self.text = text


def parse_rules(text: str, name: str) -> RuleBook:
    """The rule book that a file's text describes.

    Args:
        text: the file's content.
        name: the file's name, for the messages.

    Raises:
        RulesFileError: it names each mistake.
    """
    if len(text) > MAX_FILE_CHARS:
        raise RulesFileError([f"{name}: larger than {MAX_FILE_CHARS} characters"])
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RulesFileError([f"{name}:{line}: not YAML: {error.problem}"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RulesFileError([f"{name}: not readable as YAML"]) from error
    lines: dict[Path, int] = {(): 1}
    problems: list[_Problem] = []
    if root is not None:
        problems.extend(_note_lines(root, (), lines))
    specs: list[RuleSpec] = []
    try:
        entries = _entries(data)
    except _Problem as problem:
        problems.append(problem)
        entries = []
    first_use: dict[str, tuple[str, int]] = {}
    for index, entry in enumerate(entries):
        path: Path = ("tags", index)
        try:
            spec = _spec(entry, path)
        except _Problem as problem:
            problems.append(problem)
            continue
        except ValidationError as error:
            problems.extend(_validation_problems(error, path))
            continue
        specs.append(spec)
        other, at = first_use.setdefault(fold(spec.tag), (spec.tag, index))
        if at != index:
            line = _line(lines, ("tags", at, "tag"))
            said = f"line {line} already assigns this tag"
            if other != spec.tag:
                said = (
                    f"{spec.tag} looks the same as {other} of line {line}; "
                    "write a name that nobody can mistake"
                )
            problems.append(_Problem((*path, "tag"), said))
    if problems:
        located = sorted(
            (_line(lines, problem.path), _dotted(problem.path), problem.text)
            for problem in problems
        )
        raise RulesFileError([f"{name}:{line}: {field}: {said}" for line, field, said in located])
    return RuleBook(specs)


def _entries(data: Any) -> list[Any]:
    if not isinstance(data, dict) or not isinstance(data.get("tags"), list):
        raise _Problem(("tags",), "write `tags:` and under it a list of rules")
    if unknown := sorted(str(key) for key in data if key != "tags"):
        raise _Problem((unknown[0],), "unknown field; only `tags` is known here")
    entries: list[Any] = data["tags"]
    if len(entries) > MAX_RULES:
        raise _Problem(("tags",), f"more than {MAX_RULES} rules")
    return entries


def _spec(entry: Any, path: Path) -> RuleSpec:
    if not isinstance(entry, dict):
        raise _Problem(path, "write a rule: tag, kind and the kind's fields")
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in RULE_KINDS:
        raise _Problem((*path, "kind"), f"must be one of {', '.join(RULE_KINDS)}")
    return RULE_KINDS[kind].model_validate(entry)


def _validation_problems(error: ValidationError, path: Path) -> Iterator[_Problem]:
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        field: Path = tuple(part for part in detail["loc"] if part != "Prefix")
        said = detail["msg"].removeprefix("Value error, ")
        head, _, rest = said.partition(": ")
        if not field and rest and " " not in head:
            # A check over several fields names the one to change first.
            field, said = tuple(head.split(".")), rest
        yield _Problem((*path, *field), said)


def _note_lines(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Iterator[_Problem]:
    """Note the line of every field and entry, and find keys written twice."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            field = str(key.value)
            below = (*path, field)
            if field in seen:
                yield _Problem(below, f"written twice, again in line {key.start_mark.line + 1}")
                continue
            seen.add(field)
            lines[below] = key.start_mark.line + 1
            yield from _note_lines(value, below, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _note_lines(item, (*path, index), lines)


def _line(lines: dict[Path, int], path: Path) -> int:
    """The line of the field, or of the nearest thing around it that is written."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def _dotted(path: Path) -> str:
    """`tags[3].within`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
