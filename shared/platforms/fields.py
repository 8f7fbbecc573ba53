"""A push's body as plain fields, the same whatever format carried it.

A leaf is text, also where JSON wrote a number, so that a push means the same in XML and in JSON.
Nested objects are mappings, repeated ones lists. Meaning is given elsewhere: a field that nobody
knows today is kept. What a fan typed never makes a body unreadable: a character that can't stand
in text becomes U+FFFD, and a number stays as it was written.

Whoever knows a signature may send 64 KiB of anything, so every body is bounded in elements before
anything is built of it, and read in time proportional to its length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias, Union
from urllib.parse import unquote

from shared.platforms.lenient import decode, replace_controls

Value: TypeAlias = Union[str, "Fields", Sequence["Value"]]
Fields: TypeAlias = Mapping[str, Value]

DEEPEST: Final = 8
"""How many levels of nesting a body may have below its fields."""
MOST_ELEMENTS: Final = 256
"""How many elements (XML) or values (JSON) a push may have; the longest that is documented, the
report of a mass send of eight articles, has about a hundred."""

MOST_ESCAPES: Final = 4_096
"""How many escapes are undone one by one, of XML's `&` outside CDATA and of `%` in a leaf."""

_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_DECODER: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
_QUOTED_BRACE: Final = "%7b"


class BodyFault(StrEnum):
    """Why a body was refused."""

    DOCTYPE = "doctype"
    MALFORMED = "malformed_body"
    TOO_DEEP = "body_too_deep"
    TOO_MANY = "too_many_fields"
    """It has more elements than any push of its kind needs."""
    TOO_LONG = "fields_too_long"
    """Its fields, named in full, would be many times its own length."""


class BodyError(ValueError):
    """A body isn't a push; `fault` says in what way."""

    def __init__(self, fault: BodyFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def read_json(body: bytes, *, most: int = MOST_ELEMENTS) -> dict[str, Value]:
    """Read a push's JSON.

    Args:
        body: the raw bytes; a byte order mark is no part of it.
        most: how many values it may have.

    Raises:
        BodyError: it isn't a JSON object, nests too deep or has too many values.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = decode(body)
    return _read_json_text(_without_controls(text), most)


def open_object(value: Value) -> Value:
    """Return the object that a leaf holds as JSON, URL-encoded or not; any other value as it is.

    For places where the documents say an object and a string comes.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text[:3].lower() == _QUOTED_BRACE and text.count("%") <= MOST_ESCAPES:
        text = unquote(text)
    if text[:1] != "{":
        return value
    try:
        return _read_json_text(_without_controls(text), MOST_ELEMENTS)
    except BodyError:
        return value


def text_of(fields: Fields, name: str) -> str:
    """Return a leaf's text; empty where it is missing or not a leaf."""
    found = fields.get(name, "")
    return found if isinstance(found, str) else ""


def mend_text(text: str) -> str:
    r"""Join surrogate halves that belong together and replace those that stand alone by U+FFFD.

    JSON may escape half a character ("\ud83d"); such text could not be written as UTF-8.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _read_json_text(text: str, most: int) -> dict[str, Value]:
    # Every value but the first stands behind one of these; they are counted before one is built.
    if _count_separators(text) > most and _count_separators(_STRING.sub("", text)) > most:
        raise BodyError(BodyFault.TOO_MANY)
    try:
        document = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise BodyError(BodyFault.MALFORMED) from error
    if not isinstance(document, dict):
        raise BodyError(BodyFault.MALFORMED)
    return {_mend_leaf(name): _read_json_value(item, DEEPEST) for name, item in document.items()}


def _without_controls(text: str) -> str:
    # Few bodies have anything that isn't printed; a byte order mark is of that kind.
    return text if text.isprintable() else replace_controls(text.removeprefix("\ufeff"))


def _count_separators(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _mend_leaf(text: str) -> str:
    # JSON may escape what can't stand in it; few texts have anything that isn't printed.
    return text if text.isprintable() else replace_controls(mend_text(text))


def _read_json_value(item: object, depth: int) -> Value:
    if isinstance(item, str):
        return _mend_leaf(item)
    if item is None:
        return ""
    if isinstance(item, bool):
        return "true" if item else "false"
    if depth == 0:
        raise BodyError(BodyFault.TOO_DEEP)
    if isinstance(item, dict):
        return {_mend_leaf(name): _read_json_value(one, depth - 1) for name, one in item.items()}
    if isinstance(item, list):
        return [_read_json_value(one, depth - 1) for one in item]
    return str(item)
