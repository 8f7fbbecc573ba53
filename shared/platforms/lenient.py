r"""Reads what others wrote, and loses no more than the character that is broken.

A comment that a fan pasted may hold a control character or half a UTF-8 sequence, and platforms
pass both on. One of them must not cost the other 48 comments of the page. So what can't stand in
text becomes U+FFFD, and everything else is kept. A document that is otherwise no JSON is refused.

All of it takes time in proportion to the input.
"""

from __future__ import annotations

import json
import re
from typing import Final

REPLACEMENT: Final = "\ufffd"
# Tab, line feed and carriage return are kept: they are white space in JSON and usual in texts.
_CONTROLS: Final = tuple(chr(code) for code in range(0x20) if chr(code) not in "\t\n\r")
_CONTROL: Final = re.compile(f"[{''.join(map(re.escape, _CONTROLS))}]")
_SUSPICIOUS: Final = re.compile(rf"\\[bfu]|{_CONTROL.pattern}")
"""What a text with a control character has, as it stands or escaped."""


def decode(raw: bytes) -> str:
    """Return the text of UTF-8 bytes, with or without a byte order mark; broken bytes: U+FFFD."""
    return raw.decode("utf-8-sig", "replace")


def replace_controls(text: str) -> str:
    """Return the text with U+FFFD for each control character but tab and the ends of lines."""
    if _CONTROL.search(text) is None:
        return text
    for control in _CONTROLS:
        text = text.replace(control, REPLACEMENT)
    return text


def loads(raw: bytes, *, numbers_as_written: bool = False) -> object:
    """Return what a JSON document says, its strings without control characters.

    Args:
        raw: the document, in UTF-8.
        numbers_as_written: return each number as the text that stood there.

    Raises:
        ValueError: it isn't JSON, or it nests deeper than the parser goes.
    """
    text = decode(raw)
    number = str if numbers_as_written else None
    try:
        found = json.loads(
            text, strict=False, parse_int=number, parse_float=number, parse_constant=number
        )
        return found if _SUSPICIOUS.search(text) is None else _mend(found)
    except RecursionError as error:
        raise ValueError("nests too deep") from error


def _mend(value: object) -> object:
    if isinstance(value, str):
        return replace_controls(value)
    if isinstance(value, list):
        return [_mend(one) for one in value]
    if isinstance(value, dict):
        return {replace_controls(name): _mend(one) for name, one in value.items()}
    return value
