"""Does a changed event still fit? Compares two JSON Schemas, as pydantic writes them. Pure.

A change is refused if a new consumer could not read old records (topics keep them for days), or if
a consumer of yesterday would miss a field. So a field is never removed, its values never become
fewer, no field becomes required or stops being so. What may change: a new field with a default, a
wider range, another word in an enumeration (then deploy consumers before producers), descriptions.
A keyword that this module does not know counts as a change, so that it can't overlook one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

SILENT = frozenset({"description", "title", "default", "examples", "$schema", "$defs"})
LOWER_BOUNDS = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems"})
UPPER_BOUNDS = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems"})
NESTED = frozenset({"items", "additionalProperties"})
KNOWN = (
    SILENT | LOWER_BOUNDS | UPPER_BOUNDS | NESTED | {"type", "enum", "const", "anyOf", "pattern"}
)


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What of `new` breaks a reader, each as `.field: what`; empty when it fits.

    Args:
        old: an event's schema, as records in the log were written by it.
        new: the event's schema now.
    """
    found: list[str] = []
    if old.get("x-topic") != new.get("x-topic"):
        found.append(f": moved from topic {old.get('x-topic')} to {new.get('x-topic')}")
    old_fields, new_fields = old["properties"], new["properties"]
    required, was_required = set(new.get("required", ())), set(old.get("required", ()))
    found += [f".{name}: removed" for name in old_fields if name not in new_fields]
    for name, schema in new_fields.items():
        if name not in old_fields:
            if name in required:
                found.append(f".{name}: new and required; old records lack it")
            continue
        if name in required - was_required:
            found.append(f".{name}: required now; old records may lack it")
        if name in was_required - required:
            found.append(f".{name}: no longer required; yesterday's consumers need it")
        narrowed = _narrowed(_resolved(old_fields[name], old), _resolved(schema, new))
        found += [f".{name}{change}" for change in narrowed]
    return found


def _narrowed(old: Schema, new: Schema) -> Iterator[str]:
    """Why some value that `old` accepts may be refused by `new`."""
    if "anyOf" in old or "anyOf" in new:
        yield from _narrowed_union(old, new)
        return
    yield from _narrowed_type(old, new)
    yield from _narrowed_values(old, new)
    for key in sorted(LOWER_BOUNDS):
        if key in new and (key not in old or new[key] > old[key]):
            yield f": {key} went from {old.get(key, 'none')} to {new[key]}"
    for key in sorted(UPPER_BOUNDS):
        if key in new and (key not in old or new[key] < old[key]):
            yield f": {key} went from {old.get(key, 'none')} to {new[key]}"
    yield from _narrowed_inside(old, new)
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield ": has another pattern"
    for key in sorted((old.keys() | new.keys()) - KNOWN):
        if old.get(key) != new.get(key):
            yield f": {key} changed"


def _narrowed_inside(old: Schema, new: Schema) -> Iterator[str]:
    for key in sorted(NESTED & new.keys()):
        before, after = old.get(key, True), new[key]
        if isinstance(before, dict) and isinstance(after, dict):
            yield from (f".{key}{change}" for change in _narrowed(before, after))
        elif after is not True and before != after:
            yield f": {key} changed"


def _narrowed_type(old: Schema, new: Schema) -> Iterator[str]:
    before, after = old.get("type"), new.get("type")
    if after is not None and before != after and (before, after) != ("integer", "number"):
        yield f": was {before or 'of any type'}, is {after}"


def _narrowed_values(old: Schema, new: Schema) -> Iterator[str]:
    after = _values(new)
    if after is None:
        return
    before = _values(old)
    if before is None:
        yield f": only {', '.join(map(str, after))} now"
        return
    lost = [str(value) for value in before if value not in after]
    if lost:
        yield f": {', '.join(lost)} no longer accepted"


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values


def _narrowed_union(old: Schema, new: Schema) -> Iterator[str]:
    """Every alternative of before must fit one of now, as a whole."""
    choices = new.get("anyOf", [new])
    for before in old.get("anyOf", [old]):
        if not any(not list(_narrowed(before, choice)) for choice in choices):
            yield f": {before.get('type', 'one alternative')} no longer accepted"


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema with what its references name in their place."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _resolved(root["$defs"][name] | rest, root)
    out = dict(schema)
    for key in NESTED & schema.keys():
        if isinstance(schema[key], dict):
            out[key] = _resolved(schema[key], root)
    if "anyOf" in schema:
        out["anyOf"] = [_resolved(choice, root) for choice in schema["anyOf"]]
    return out
