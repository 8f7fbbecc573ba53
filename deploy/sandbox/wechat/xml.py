"""WeChat's XML: the bodies of pushes, and the reading of passive replies.

Source: WeChat "Receiving standard messages", "Receiving event pushes", "Passive user reply".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

# Not allowed in XML 1.0, and WeChat drops them.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class ReplyError(ValueError):
    """An answer to a push that WeChat would not understand; the message says why."""


def build_xml(fields: Mapping[str, Any]) -> str:
    """Return `<xml>` with the fields: text in CDATA, numbers bare, mappings nested.

    A sequence repeats its element, as `item` does in result lists.
    """
    return f"<xml>{_inner(fields)}</xml>"


def parse_xml(body: bytes) -> dict[str, str]:
    """Return the child elements of a flat `<xml>` document; a nested one counts as empty.

    Raises:
        ReplyError: no XML, a DOCTYPE, or another root.
    """
    if b"<!DOCTYPE" in body:
        raise ReplyError("a DOCTYPE is refused")
    try:
        root = ET.fromstring(body)  # noqa: S314 - DOCTYPE is refused above
    except ET.ParseError as error:
        raise ReplyError("no XML") from error
    if root.tag != "xml":
        raise ReplyError("the root is not <xml>")
    return {child.tag: child.text or "" for child in root}


def _inner(fields: Mapping[str, Any]) -> str:
    return "".join(_element(name, value) for name, value in fields.items())


def _element(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return f"<{name}>{_inner(value)}</{name}>"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, int | float):
        return f"<{name}>{value}</{name}>"
    text = _FORBIDDEN.sub("", str(value)).replace("]]>", "]]]]><![CDATA[>")
    return f"<{name}><![CDATA[{text}]]></{name}>"
