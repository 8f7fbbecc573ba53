from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.platforms import lenient

CONTROLS = [chr(code) for code in range(0x20) if chr(code) not in "\t\n\r"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
DOCUMENTS = st.recursive(
    TEXTS | st.integers(-(10**20), 10**20) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc\x01", max_size=3), inner)
    ),
    max_leaves=12,
)


def mended(value: Any) -> Any:
    """What a document should say after reading, found another way: value by value."""
    match value:
        case str():
            return "".join("\ufffd" if one in CONTROLS else one for one in value)
        case list():
            return [mended(one) for one in value]
        case dict():
            return {mended(name): mended(one) for name, one in value.items()}
        case _:
            return value


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_character_costs_itself_alone(control: str) -> None:
    assert lenient.loads(f'{{"a":"x{control}y","b":"好"}}'.encode()) == {"a": "x\ufffdy", "b": "好"}


@pytest.mark.parametrize("control", CONTROLS)
def test_an_escaped_control_character_costs_itself_alone(control: str) -> None:
    for escape in (f"\\u{ord(control):04x}", f"\\u{ord(control):04X}"):
        assert lenient.loads(f'["x{escape}{escape}y"]'.encode()) == ["x\ufffd\ufffdy"]


def test_a_backslash_that_stands_for_itself_makes_no_escape() -> None:
    written = r'["\\u0014", "\\\u0014", "\\\\b", "\\b\\f\b\f"]'
    assert lenient.loads(written.encode()) == [
        r"\u0014",
        "\\\ufffd",
        r"\\b",
        "\\b\\f\ufffd\ufffd",
    ]


def test_tab_and_line_ends_are_kept_as_they_stand() -> None:
    assert lenient.loads(b'["a\tb\nc\rd\\u0009\\n"]') == ["a\tb\nc\rd\t\n"]


@pytest.mark.parametrize(
    ("broken", "read"),
    [
        (b"x\xffy", "x\ufffdy"),
        (b"x\xe5\xa5", "x\ufffd"),  # half a character before the quote
        (b"\xc0\xafy", "\ufffd\ufffdy"),  # too long a form
        (b"\xe5\xa5\xbd", "好"),
    ],
)
def test_broken_utf8_costs_its_bytes_alone(broken: bytes, read: str) -> None:
    assert lenient.loads(b'{"a":"' + broken + b'","b":1}') == {"a": read, "b": 1}


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert lenient.loads(b"\xef\xbb\xbf[1]") == [1]
    assert lenient.decode(b"\xef\xbb\xbf<xml/>") == "<xml/>"


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1]]", b"\x01[1]", b'{"a":}', b"[" * 200_000, b"9" * 5_000]
)
def test_what_is_no_json_is_refused_with_one_kind_of_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        lenient.loads(raw)


def test_numbers_can_be_kept_as_written() -> None:
    raw = b'{"id":184467440737095516150,"price":12.50,"small":1E-7,"yes":true}'
    assert lenient.loads(raw, numbers_as_written=True) == {
        "id": "184467440737095516150",
        "price": "12.50",
        "small": "1E-7",
        "yes": True,
    }


@given(document=DOCUMENTS, ascii_only=st.booleans())
def test_everything_else_is_read_as_it_was_written(document: Any, *, ascii_only: bool) -> None:
    raw = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert lenient.loads(raw) == mended(document)
