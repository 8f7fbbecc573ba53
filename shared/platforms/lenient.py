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
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
# The same characters as JSON escapes them. Pairs of backslashes before one stand for themselves.
# A match begins only where a run of backslashes does and gives nothing back: no run is read twice.
_ESCAPED_CONTROL: Final = re.compile(
    r"(?<!\\)((?:\\\\)*+)\\(?:u00(?:0[0-8bcefBCEF]|1[0-9a-fA-F])|[bf])"
)


def decode(raw: bytes) -> str:
    """Return the text of UTF-8 bytes, with or without a byte order mark; broken bytes: U+FFFD."""
    return raw.decode("utf-8-sig", "replace")


def replace_controls(text: str) -> str:
    """Return the text with U+FFFD for each control character but tab and the ends of lines."""
    return _CONTROL.sub(REPLACEMENT, text)


def loads(raw: bytes, *, numbers_as_written: bool = False) -> object:
    """Return what a JSON document says, its strings without control characters.

    Args:
        raw: the document, in UTF-8.
        numbers_as_written: return each number as the text that stood there.

    Raises:
        ValueError: it isn't JSON, or it nests deeper than the parser goes.
    """
    text = _ESCAPED_CONTROL.sub(r"\1\\ufffd", replace_controls(decode(raw)))
    number = str if numbers_as_written else None
    try:
        return json.loads(
            text, strict=False, parse_int=number, parse_float=number, parse_constant=number
        )
    except RecursionError as error:
        raise ValueError("nests too deep") from error
