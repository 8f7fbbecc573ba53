"""What WeChat pushes, XML or JSON, as plain fields; and fields as WeChat's XML.

WeChat's usual push is flat, and read without a parser, which would cost the hot path a third of
its time; whatever else goes to the parser, and where both answer, they answer the same. The
parser is closed: WeChat's root element must come first (no DOCTYPE, so no entity can be
declared), nothing is fetched, and depth and the number of elements are bounded before it begins.
The caller bounds the body's size.

What a fan typed must not make a push unreadable: a character that XML can't carry, raw or as a
reference (`&#x14;`), becomes U+FFFD, and what stands outside CDATA without its escape (`&`, `]]>`)
is taken as it was meant.

Before its signature is checked a sealed push isn't read at all: `find_encrypted` looks for one
field, in time proportional to the body.
Source: WeChat "Receiving standard messages", "Receiving event pushes".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from lxml import etree

from shared.platforms.fields import (
    DEEPEST,
    MOST_ELEMENTS,
    MOST_ESCAPES,
    BodyError,
    BodyFault,
    Fields,
    Value,
    mend_text,
    read_json,
)
from shared.platforms.lenient import REPLACEMENT, decode

_ROOM_FOR_TOO_MANY: Final = MOST_ELEMENTS * len("<a></a>")
_MOST_ATTRIBUTES: Final = 1_024  # WeChat's XML has none; a fan's text may look like some
_PROLOG_BYTES: Final = 256
_BOM: Final = b"\xef\xbb\xbf"
_PROLOG: Final = re.compile(r"\s*+(?:<\?xml[^<>?]*+\?>\s*+)?(?=<xml[\s/>])")
_DOCTYPE: Final = re.compile(r"<!doctype", re.IGNORECASE)
_CDATA: Final = re.compile(r"(<!\[CDATA\[(?s:.*?)(?:\]\]>|\Z))")
_ATTRIBUTE: Final = re.compile(r"=\s*+[\"']")
_BARE_AMPERSAND: Final = re.compile(
    r"&(?!(?:amp|lt|gt|quot|apos);|#(?:x[0-9A-Fa-f]{1,6}|[0-9]{1,7});)"
)
_REFERENCE: Final = re.compile(r"&#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")
_LAST_CHARACTER: Final = 0x10FFFF
_ENCRYPT: Final = re.compile(
    rb"<!\[CDATA\[(?s:.*?)(?:\]\]>|\Z)"  # what a fan typed may look like the field
    rb"|<Encrypt>\s*+(?:<!\[CDATA\[([^\]]*+)\]\]>|([^<\]]*+))\s*+</Encrypt>"
)
_OPENED: Final = b"<Encrypt><![CDATA["
_CLOSED: Final = b"]]></Encrypt>"
_CDATA_OPENS: Final = b"<![CDATA["
_CDATA_ENDS: Final = b"]]>"
_JSON_ENCRYPT: Final = re.compile(
    rb'"Encrypt"\s*+:\s*+"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
    rb'|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)',
    re.DOTALL,
)
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
        BodyError: it's neither, or larger than a push.
    """
    if body[:1] == b"<" or not _is_json(body):
        return read_xml(body)
    return read_json(body)


def find_encrypted(body: bytes) -> str:
    """Return the `Encrypt` field of a push that isn't genuine yet; empty where there is none."""
    start = body.find(_OPENED)
    if start >= 0 and body.count(_CDATA_OPENS, 0, start) == body.count(_CDATA_ENDS, 0, start):
        start += len(_OPENED)  # as WeChat writes it, and not in the midst of a fan's words
        return body[start : max(body.find(_CLOSED, start), start)].decode("latin-1")
    pattern = _JSON_ENCRYPT if _is_json(body) else _ENCRYPT
    for match in pattern.finditer(body):
        found = match[match.lastindex] if match.lastindex else None
        if found is None:
            continue
        text = found.decode("latin-1").strip()
        return _unescape(text) if pattern is _JSON_ENCRYPT and "\\" in text else text
    return ""


def declares_doctype(body: bytes) -> bool:
    """Tell whether a body that is no push begins with a DOCTYPE, as an attack on a parser does."""
    return _DOCTYPE.search(body[:_PROLOG_BYTES].decode("latin-1")) is not None


def read_xml(body: bytes) -> dict[str, Value]:
    """Read a push's XML.

    Raises:
        BodyError: it declares a DOCTYPE, isn't well-formed XML, nests too deep or has too many
            elements.
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
    if (
        len(text) > _ROOM_FOR_TOO_MANY and text.count("</") > MOST_ELEMENTS
    ):  # the parser counts those that aren't a fan's words
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
    text = decode(body)
    prolog = _PROLOG.match(text)
    if prolog is None:
        fault = BodyFault.DOCTYPE if _DOCTYPE.search(text) else BodyFault.MALFORMED
        raise BodyError(fault)
    mended = _mend(_NOT_XML_CHARS.sub(REPLACEMENT, text[prolog.end() :]))
    try:
        root = etree.fromstring(mended.encode(), _XML_PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BodyError(BodyFault.MALFORMED) from error
    fields = _read_element(root, DEEPEST + 1)
    return fields if isinstance(fields, dict) else {}


def _mend(text: str) -> str:
    """Mend what stands outside CDATA, and count it.

    Raises:
        BodyError: there is more of it than a push has.
    """
    pieces = _CDATA.split(text)
    outside = "".join(pieces[::2])
    elements = outside.count("<") - outside.count("</") - 1  # the root is none
    escapes = outside.count("&")
    if elements > MOST_ELEMENTS or escapes > MOST_ESCAPES:
        raise BodyError(BodyFault.TOO_MANY)
    if len(_ATTRIBUTE.findall(outside)) > _MOST_ATTRIBUTES:
        raise BodyError(BodyFault.TOO_MANY)
    if not escapes and "]]>" not in outside:
        return text
    pieces[::2] = [_mend_markup(piece) for piece in pieces[::2]]
    return mend_text("".join(pieces))


def _mend_markup(text: str) -> str:
    if "&" in text:
        text = _REFERENCE.sub(_mend_reference, _BARE_AMPERSAND.sub("&amp;", text))
    return text.replace("]]>", "]]&gt;")


def _mend_reference(reference: re.Match[str]) -> str:
    in_hex, in_tens = reference.groups()
    code = int(in_hex, 16) if in_hex else int(in_tens)
    if 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - half a character; `mend_text` joins the halves
        return chr(code)
    if code > _LAST_CHARACTER or _NOT_XML_CHARS.match(chr(code)):
        return REPLACEMENT
    return reference[0]


def _read_element(element: etree._Element, depth: int) -> Value:
    if not len(element):
        return element.text or ""
    if depth == 0:
        raise BodyError(BodyFault.TOO_DEEP)
    fields: dict[str, Value] = {}
    for child in element:
        name = child.tag.rpartition("}")[2]  # a namespace means nothing here
        value = _read_element(child, depth - 1)
        earlier = fields.get(name)
        if earlier is None:
            fields[name] = value
        elif isinstance(earlier, list):
            earlier.append(value)
        else:
            fields[name] = [earlier, value]
    return fields


def _is_json(body: bytes) -> bool:
    return body.removeprefix(_BOM).lstrip()[:1] == b"{"


def _unescape(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


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
