"""A push's body as plain fields, the same whatever format carried it.

A leaf is text, also where JSON wrote a number, so that a push means the same in XML and in JSON.
Nested objects are mappings, repeated ones lists. Meaning is given elsewhere: a field that nobody
knows today is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias, Union

Value: TypeAlias = Union[str, "Fields", Sequence["Value"]]
Fields: TypeAlias = Mapping[str, Value]

DEEPEST: Final = 8
"""How many levels of nesting a body may have below its fields."""


class BodyFault(StrEnum):
    """Why a body was refused."""

    DOCTYPE = "doctype"
    MALFORMED = "malformed_body"
    TOO_DEEP = "body_too_deep"


class BodyError(ValueError):
    """A body isn't a push; `fault` says in what way."""

    def __init__(self, fault: BodyFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def read_json(body: bytes) -> dict[str, Value]:
    """Read a push's JSON.

    Raises:
        BodyError: it isn't a JSON object in UTF-8, or nests too deep.
    """
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise BodyError(BodyFault.MALFORMED) from error
    if not isinstance(document, dict):
        raise BodyError(BodyFault.MALFORMED)
    return {mend_text(name): _read_json_value(item, DEEPEST) for name, item in document.items()}


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


def _read_json_value(item: object, depth: int) -> Value:
    if isinstance(item, str):
        return mend_text(item)
    if item is None:
        return ""
    if isinstance(item, bool):
        return "true" if item else "false"
    if depth == 0:
        raise BodyError(BodyFault.TOO_DEEP)
    if isinstance(item, dict):
        return {mend_text(name): _read_json_value(one, depth - 1) for name, one in item.items()}
    if isinstance(item, list):
        return [_read_json_value(one, depth - 1) for one in item]
    return str(item)
