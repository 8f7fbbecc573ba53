"""Turns a configuration file's text into plain values, and knows where each of them stands.

Only what a person writes on purpose is read: fields, lists and values, in one document. Aliases and
anchors, tags, fields written twice and fields that are no text are faults. Nothing here is
recursive, and depth and number of values are bounded, so no text costs more than its size.

Values mean what YAML 1.1 says, but for what surprises: dates, `12:30`, `0x1F` and `010` stay text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml
from yaml.resolver import Resolver

from shared.config_words import explain_syntax

DEEPEST: Final = 20
MOST_VALUES: Final = 100_000

Where: TypeAlias = tuple[str | int, ...]
"""A place in the document: names of fields and, from 0, numbers of entries."""
Place: TypeAlias = tuple[int, int]
"""Line and column, from 1."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the first is twenty times faster
_RESOLVER: Final = Resolver()
_TAG: Final = "tag:yaml.org,2002:"
_UNPRINTABLE: Final = yaml.reader.Reader.NON_PRINTABLE
_TRUE: Final = frozenset({"yes", "true", "on"})
_INT: Final = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_FLOAT: Final = re.compile(r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?")


@dataclass(slots=True)
class Document:
    """A text's values, where they stand, and what is wrong with it."""

    data: Any = None
    places: dict[Where, Place] = field(default_factory=lambda: {(): (1, 1)})
    faults: list[tuple[Place, Where, str]] = field(default_factory=list)
    complete: bool = False
    """It was read to its end: what is missing from `data` is missing from the file."""


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    where: Where
    into: dict[str, Any] | list[Any]
    key: str | None = None
    """Of a mapping: the field whose value comes next."""
    repeated: bool = False
    """That field was written before; its value is read and forgotten."""
    lines: dict[str, int] = field(default_factory=dict)
    """The lines of a mapping's fields."""


class _Stop(Exception):  # noqa: N818 - the end of reading, never seen by callers
    """What follows can't be told apart any more."""


def read_document(text: str) -> Document:
    """Read a file's text; what is wrong stands in the answer's `faults`."""
    document = Document()
    odd = _UNPRINTABLE.search(text)
    if odd is not None:
        line = text.count("\n", 0, odd.start()) + 1
        place = (line, odd.start() - text.rfind("\n", 0, odd.start()))
        said = f"the character U+{ord(odd.group()):04X} can't stand in a file; remove it"
        document.faults.append((place, (), said))
        return document
    try:
        _Builder(document).build(yaml.parse(text, Loader=_LOADER))
        document.complete = True
    except _Stop:
        pass
    except yaml.YAMLError as error:
        line, column, said = explain_syntax(error, text)
        document.faults.append(((line, column), (), said))
    except (ValueError, RecursionError):
        document.faults.append(((1, 1), (), "this can't be read as YAML"))
    return document


class _Builder:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: list[_Open] = []
        self._values = 0
        self._documents = 0

    def build(self, events: Iterable[yaml.Event]) -> None:
        for event in events:
            match event:
                case yaml.DocumentStartEvent():
                    self._documents += 1
                    if self._documents > 1:
                        self._stop(event, "a second document begins here; a file holds one")
                case yaml.AliasEvent():
                    said = "an alias (*) is not taken: write the value out"
                    if self._is_key():
                        self._stop(event, said)
                    self._put(event, None, fault=said)
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.SequenceStartEvent():
                    self._begin(event, [])
                case yaml.MappingStartEvent():
                    self._begin(event, {})
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self._open.pop()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if self._is_key():
            self._field(event)
            return
        tag = None if event.tag == "!" else event.tag
        if tag is not None or event.anchor is not None:
            self._put(event, None, fault=_superfluous(event))
            return
        value, fault = _resolve(event.value) if event.implicit[0] else (event.value, "")
        self._put(event, value, fault=fault)

    def _begin(self, event: yaml.CollectionStartEvent, into: dict[str, Any] | list[Any]) -> None:
        if self._is_key():
            self._stop(event, "a field's name must be text")
        fault = _superfluous(event) if event.tag is not None or event.anchor is not None else ""
        where = self._put(event, into, fault=fault)
        if len(self._open) >= DEEPEST:
            self._stop(event, f"this is nested deeper than {DEEPEST} levels")
        self._open.append(_Open(where, into))

    def _is_key(self) -> bool:
        if not self._open:
            return False
        around = self._open[-1]
        return isinstance(around.into, dict) and around.key is None

    def _field(self, event: yaml.ScalarEvent) -> None:
        """Take the name of a field; its value comes next."""
        around, name, place = self._open[-1], event.value, _place(event)
        where = (*around.where, name)
        self._count(event)
        if event.anchor is not None or (event.tag is not None and event.tag != "!"):
            self._document.faults.append((place, where, _superfluous(event)))
        around.key, around.repeated = name, name in around.lines
        if around.repeated:
            first = around.lines[name]
            said = f"stands here a second time; the first is in line {first}. Keep one of them"
            self._document.faults.append((place, where, said))
        around.lines.setdefault(name, place[0])
        self._document.places.setdefault(where, place)

    def _put(self, event: yaml.Event, value: Any, *, fault: str) -> Where:
        """Put a value where it belongs; returns its place in the document."""
        self._count(event)
        where: Where = ()
        if not self._open:
            self._document.data = value
            self._document.places[()] = _place(event)
        else:
            around = self._open[-1]
            if isinstance(around.into, list):
                where = (*around.where, len(around.into))
                around.into.append(value)
            else:
                name = around.key or ""
                where = (*around.where, name)
                if not around.repeated:
                    around.into[name] = value
                around.key = None
            self._document.places.setdefault(where, _place(event))
        if fault:
            self._document.faults.append((_place(event), where, fault))
        return where

    def _count(self, event: yaml.Event) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            self._stop(event, f"the file has more than {MOST_VALUES:,} values")

    def _stop(self, event: yaml.Event, said: str) -> None:
        where = self._open[-1].where if self._open else ()
        self._document.faults.append((_place(event), where, said))
        raise _Stop


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _superfluous(event: Any) -> str:
    if event.anchor is not None:
        return "an anchor (&) is not taken, since aliases aren't: remove it"
    return "a tag (!) is not taken: remove it, and put the value in quotes if it is text"


def _resolve(text: str) -> tuple[Any, str]:
    """Return what an unquoted value means, and what is wrong with it."""
    tag: str = _RESOLVER.resolve(  # type: ignore[no-untyped-call] # PyYAML's types lack it
        yaml.ScalarNode, text, (True, False)
    )
    match tag.removeprefix(_TAG):
        case "null":
            return None, ""
        case "bool":
            return text.lower() in _TRUE, ""
        case "int" if _INT.fullmatch(text):
            digits = text.replace("_", "")
            # Python refuses to convert more than 4,300 digits; nothing here needs as many as 40
            return (int(digits), "") if len(digits) < _LONGEST_INT else (None, _TOO_LONG)
        case "float" if _FLOAT.fullmatch(text):
            number = float(text.replace("_", ""))
            return (number, "") if math.isfinite(number) else (None, _ENDLESS)
        case "float" if text.lower().endswith((".inf", ".nan")):
            return None, _ENDLESS
        case _:
            return text, ""


_LONGEST_INT: Final = 40
_TOO_LONG: Final = "this number is too long; put it in quotes if it is text"
_ENDLESS: Final = "must be a number that ends"
