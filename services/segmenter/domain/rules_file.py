"""Reads `tags.yaml`: every mistake is named with its place and field, all of them at once.

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

from pydantic import ValidationError

from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules import RULE_KINDS, RuleSpec
from shared.config_file import ConfigFileError, parse
from shared.config_words import explain
from shared.config_yaml import Where
from shared.errors import FanEngagementError
from shared.text import fold

MAX_RULES = 1_000


class RulesFileError(FanEngagementError):
    """The rule file can't be used.

    Args:
        problems: one line each: file, line, column, field, and what to do.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Problem(Exception):  # noqa: N818 it is collected, not raised to callers
    """One mistake, at a place in the document."""

    def __init__(self, path: Where, text: str) -> None:
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
    try:
        file = parse(text, file=name)
    except ConfigFileError as error:
        raise RulesFileError(list(error.problems)) from error
    problems: list[_Problem] = []
    specs: list[RuleSpec] = []
    try:
        entries = _entries(file.data)
    except _Problem as problem:
        problems.append(problem)
        entries = []
    first_use: dict[str, tuple[str, int]] = {}
    for index, entry in enumerate(entries):
        path: Where = ("tags", index)
        try:
            spec = _spec(entry, path)
        except _Problem as problem:
            problems.append(problem)
            continue
        except ValidationError as error:
            problems.extend(_validation_problems(error, path, RULE_KINDS[entry["kind"]]))
            continue
        specs.append(spec)
        other, at = first_use.setdefault(fold(spec.tag), (spec.tag, index))
        if at != index:
            line, _ = file.at(("tags", at, "tag"))
            said = f"line {line} already assigns this tag"
            if other != spec.tag:
                said = (
                    f"{spec.tag} looks the same as {other} of line {line}; "
                    "write a name that nobody can mistake"
                )
            problems.append(_Problem((*path, "tag"), said))
    for found in problems:
        file.add(found.path, found.text)
    try:
        file.finish()
    except ConfigFileError as error:
        raise RulesFileError(list(error.problems)) from error
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


def _spec(entry: Any, path: Where) -> RuleSpec:
    if not isinstance(entry, dict):
        raise _Problem(path, "write a rule: tag, kind and the kind's fields")
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in RULE_KINDS:
        raise _Problem((*path, "kind"), f"must be one of {', '.join(RULE_KINDS)}")
    return RULE_KINDS[kind].model_validate(entry)


def _validation_problems(
    error: ValidationError, path: Where, model: type[RuleSpec]
) -> Iterator[_Problem]:
    for detail in error.errors(include_url=False, include_input=False):
        field: Where = tuple(part for part in detail["loc"] if part != "Prefix")
        said = explain(detail, model)
        head, _, rest = said.partition(": ")
        if not field and rest and " " not in head:
            # A check over several fields names the one to change first.
            field, said = tuple(head.split(".")), rest
        yield _Problem((*path, *field), said)
