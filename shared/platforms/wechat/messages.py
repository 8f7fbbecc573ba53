"""What WeChat pushes, XML or JSON, as plain fields; and fields as WeChat's XML.

WeChat's usual push is flat, and read without a parser, which would cost the hot path a third of
its time; whatever else goes to the parser, and where both answer, they answer the same. The
parser is closed: WeChat's root element must come first (no DOCTYPE, so no entity can be
declared), nothing is fetched, and depth is bounded. The caller bounds the body's size.
Source: WeChat "Receiving standard messages", "Receiving event pushes".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lxml import etree

from shared.platforms.fields import DEEPEST, BodyError, BodyFault, Fields, Value, read_json

_PROLOG: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^<>]*\?>\s*)?<xml[\s/>]")
_DOCTYPE: Final = re.compile(rb"<!doctype", re.IGNORECASE)
_CONTROLS: Final = bytes(set(range(0x20)) - set(b"\t\n"))
_FIELD = (
    r"<([A-Za-z_]\w*+)>(?:<!\[CDATA\[([^\]]*+)\]\]>|([^<&\]]*+))</\%d>[ \t\n]*+"  # its name's group
)
_FLAT_FIELD: Final = re.compile(_FIELD % 1, re.ASCII)
_FLAT: Final = re.compile(rf"[ \t\n]*+<xml>[ \t\n]*+((?:{_FIELD % 2})*+)</xml>[ \t\n]*+", re.ASCII)
_NOT_XML_CHARS: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_XML_PARSER: Final = etree.XMLParser(
    encoding="utf-8",  # whatever the declaration says: another encoding could hide a DOCTYPE
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    dtd_validation=False,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)


def read(body: bytes) -> dict[str, Value]:
    """Read a push in either format: a JSON object starts with a brace, everything else is XML.

    Raises:
        BodyError: it's neither.
    """
    return read_json(body) if body.lstrip()[:1] == b"{" else read_xml(body)


def read_xml(body: bytes) -> dict[str, Value]:
    """Read a push's XML.

    Raises:
        BodyError: it declares a DOCTYPE, isn't well-formed UTF-8 XML, or nests too deep.
    """
    flat = _read_flat(body)
    return _parse(body) if flat is None else flat


def build_xml(fields: Fields) -> bytes:
    """Write fields as WeChat's XML; `read_xml` gives them back.

    Characters that XML can't carry are left out.
    """
    root = etree.Element("xml")
    _write(root, fields)
    return etree.tostring(root, encoding="utf-8", xml_declaration=False)


def _read_flat(body: bytes) -> dict[str, Value] | None:
    """Read a push without nesting, repetition, entities or a prolog; None for any other."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if len(body.translate(None, _CONTROLS)) < len(body) or "\ufffe" in text or "\uffff" in text:
        return None  # the parser judges these; one look is cheaper than one in each field
    flat = _FLAT.fullmatch(text)  # nothing is tried twice: a hostile body costs its length
    if flat is None:
        return None
    found = _FLAT_FIELD.findall(flat[1])
    fields: dict[str, Value] = {name: in_cdata or plain for name, in_cdata, plain in found}
    return fields if len(fields) == len(found) else None


def _parse(body: bytes) -> dict[str, Value]:
    if _PROLOG.match(body) is None:
        fault = BodyFault.DOCTYPE if _DOCTYPE.search(body) else BodyFault.MALFORMED
        raise BodyError(fault)
    try:
        root = etree.fromstring(body, _XML_PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BodyError(BodyFault.MALFORMED) from error
    fields: dict[str, Value] = {}
    for child in root:
        if len(child):
            _put(fields, child.tag, _read_element(child, DEEPEST))
        elif child.tag in fields:
            _put(fields, child.tag, child.text or "")
        else:
            fields[child.tag] = child.text or ""
    return fields


def _put(fields: dict[str, Value], name: str, value: Value) -> None:
    if name not in fields:
        fields[name] = value
        return
    earlier = fields[name]
    fields[name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]


def _read_element(element: etree._Element, depth: int) -> Value:
    if not len(element):
        return element.text or ""
    if depth == 0:
        raise BodyError(BodyFault.TOO_DEEP)
    fields: dict[str, Value] = {}
    for child in element:
        _put(fields, child.tag, _read_element(child, depth - 1))
    return fields


def _write(parent: etree._Element, fields: Fields) -> None:
    for name, value in fields.items():
        for one in _each(value):
            child = etree.SubElement(parent, name)
            if isinstance(one, Mapping):
                _write(child, one)
            else:
                child.text = _write_text(_NOT_XML_CHARS.sub("", str(one)))


def _write_text(text: str) -> str | etree.CDATA:
    return text if "\r" in text else etree.CDATA(text)  # a reader takes \r out of CDATA


def _each(value: Value) -> Iterator[Value]:
    if isinstance(value, str | Mapping):
        yield value
    else:
        yield from value
