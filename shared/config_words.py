"""The words for what is wrong in a configuration file, and for what would be right.

They never quote a value, which may be a secret; a field's name and a single mark may stand in them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails

_SAID: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "string_type": "must be text; put the value in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number that ends",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list: each entry in a line of its own that begins with -",
    "list_type": "must be a list: each entry in a line of its own that begins with -",
    "dict_type": "must be fields, each in a line of its own: name: value",
    "model_type": "must be fields, each in a line of its own: name: value",
    "model_attributes_type": "must be fields, each in a line of its own: name: value",
}
_NEAR: Final = 0.6


def explain(details: ErrorDetails, model: type[BaseModel]) -> str:
    """Return what a value's check found.

    Args:
        details: as pydantic tells them.
        model: what the file was checked against; names the fields that there are.
    """
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _explain_unknown(details["loc"], model)
    if kind in _SAID:
        return _SAID[kind]
    if kind in {"literal_error", "enum"}:
        return f"must be {context.get('expected', 'another word')}"
    if kind == "string_pattern_mismatch":
        return f"has not the right form, which is {context.get('pattern')}"
    if kind in {"too_short", "string_too_short"} and context.get("min_length") == 1:
        return "must not be empty"
    said = details["msg"].removeprefix("Value error, ")
    return said.replace("Input should be", "must be", 1).replace("Input should", "must", 1)


def _explain_unknown(where: tuple[str | int, ...], model: type[BaseModel]) -> str:
    known = _fields_at(model, where[:-1])
    if not known:
        return "there is no such field"
    near = difflib.get_close_matches(str(where[-1])[:60], known, 1, _NEAR)
    if near:
        return f"there is no such field; did you mean {near[0]}?"
    return f"there is no such field; there are: {', '.join(known)}"


def _fields_at(model: type[BaseModel], where: tuple[str | int, ...]) -> list[str]:
    """Return the names of the fields that the model at a place has; none where it is unclear."""
    found: type[BaseModel] | None = model
    for part in where:
        if found is None:
            return []
        if isinstance(part, str) and part in found.model_fields:
            inner = list(_models_in(found.model_fields[part].annotation))
            found = inner[0] if len(inner) == 1 else None
        # any other part is an entry of a list or a name in a mapping: the same model's
    return [] if found is None else [one.alias or name for name, one in found.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation such as `tuple[Account, ...] | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for inner in get_args(annotation):
        yield from _models_in(inner)


def explain_syntax(error: yaml.YAMLError, text: str) -> tuple[int, int, str]:
    """Return line and column, from 1, and what is wrong with a text that is no YAML."""
    problem = str(getattr(error, "problem", None) or "")
    context = str(getattr(error, "context", None) or "")
    mark, opened = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if mark is None:
        return 1, 1, "this is not YAML"
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    letter = line[mark.column : mark.column + 1]
    said = f"this is not YAML: {problem}"
    if letter == "\t" or "tab character" in problem:
        said = "a tab stands here; indent with spaces"
    elif "cannot start any token" in problem:
        said = f"a value can't begin with {letter}; put it in quotes"
    elif "mapping values are not allowed" in problem:
        said = (
            "a : can't stand here; indent the line like its neighbours, or put the value in quotes"
        )
    elif "quoted scalar" in context and "end of stream" in problem:
        mark, said = opened or mark, "the quote that begins here has no end"
    elif "flow node" in context:
        said = "a value or a closing bracket is missing here"
    elif "flow" in context and opened is not None:
        mark, said = opened, "the bracket that opens here is not closed, or a comma is missing"
    elif "escape" in problem or "escape" in context:
        said = "a backslash in double quotes begins an escape; write two, or use single quotes"
    elif "document start" in problem:
        said = "what follows does not belong to the document; a file holds one"
    elif "could not find expected ':'" in problem:
        said = "a : is missing; a field is written as name: value"
    elif "block mapping" in context or "block collection" in context:
        said = "the line is indented in a way that fits none of the lines above"
    elif "tag" in context:
        said = "a tag (!) is not taken: remove it, and put the value in quotes if it is text"
    return mark.line + 1, mark.column + 1, said
