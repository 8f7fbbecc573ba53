"""What a parser costs on hostile inputs: its growth, its time against a floor, its memory.

Times are CPU times of this thread, the best of several, and the bar in milliseconds is taken
relative to a fixed piece of work measured beside it, so that a slow or busy machine fails nothing.
"""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

SMALL: Final = 4 * 1024
LARGE: Final = 64 * 1024
MOST_GROWTH: Final = 24.0
"""For sixteen times the size; linear is 16."""
MOST_MS: Final = 20.0
MOST_MEMORY: Final = 2 * 1024 * 1024
"""Python's own; what libxml2 allocates is not seen, and is bounded by the number of elements."""

_FLOOR_MS: Final = 10.0
_FLOOR_STEPS: Final = 330_000
"""Of an empty loop: about `_FLOOR_MS` on the machine that the bar was set on."""
_TRIES: Final = 5
_LEAST_S: Final = 0.0004

Input = Callable[[int], bytes]
"""Makes an input of at most so many bytes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one parser costs on one kind of input."""

    growth: float
    """The time at `LARGE` over the time at `SMALL`."""
    ms: float
    """CPU milliseconds at `LARGE`, as a machine of the usual speed would need."""
    memory: int
    """Peak bytes at `LARGE`."""

    @property
    def is_fair(self) -> bool:
        return self.growth <= MOST_GROWTH and self.ms <= MOST_MS and self.memory <= MOST_MEMORY


def cost_of(parse: Callable[[bytes], object], make: Input) -> Cost:
    """Measure; a parser may refuse its input by raising ValueError."""
    small, large = make(SMALL), make(LARGE)
    assert SMALL - 64 <= len(small) <= SMALL
    assert LARGE - 64 <= len(large) <= LARGE
    best = Cost(float("inf"), float("inf"), _memory(parse, large))
    for _ in range(_TRIES):  # whoever is fair once is fair: noise only adds
        floor = _seconds(_floor) * 1000 / _FLOOR_MS
        of_large = _seconds(lambda: _call(parse, large))
        growth = of_large / max(_seconds(lambda: _call(parse, small)), 1e-6)
        best = Cost(min(best.growth, growth), min(best.ms, of_large * 1000 / floor), best.memory)
        if best.is_fair:
            break
    return best


def repeated(unit: str | bytes, *, before: str = "", after: str = "") -> Input:
    """Make inputs of one thing many times over."""
    head, tail = before.encode(), after.encode()
    one = unit if isinstance(unit, bytes) else unit.encode()
    return lambda size: head + one * ((size - len(head) - len(tail)) // len(one)) + tail


def numbered(pattern: str, *, before: str = "", after: str = "") -> Input:
    """Make inputs of many things that are all different; `pattern` has one `%d`."""

    def make(size: int) -> bytes:
        pieces, room = [before.encode()], size - len(before.encode()) - len(after.encode())
        for number in range(size):
            piece = (pattern % number).encode()
            room -= len(piece)
            if room < 0:
                break
            pieces.append(piece)
        return b"".join([*pieces, after.encode()])

    return make


def nested(opening: str, closing: str, *, before: str = "", after: str = "") -> Input:
    """Make inputs of one thing inside another."""

    def make(size: int) -> bytes:
        depth = (size - len(before) - len(after)) // len(opening + closing)
        return (before + opening * depth + closing * depth + after).encode()

    return make


XML_INPUTS: Final[Mapping[str, Input]] = {
    "empty elements": repeated("<a/>", before="<xml>", after="</xml>"),
    "pairs": repeated("<a></a>", before="<xml>", after="</xml>"),
    "pairs of two names": repeated("<a>1</a><b>2</b>", before="<xml>", after="</xml>"),
    "distinct names": numbered("<a%d>1</a%d>".replace("</a%d>", "</a>"), before="<xml>"),
    "distinct pairs": numbered("<a%d/>", before="<xml>", after="</xml>"),
    "nested": nested("<a>", "</a>", before="<xml>", after="</xml>"),
    "unclosed": repeated("<a>", before="<xml>"),
    "attributes": numbered(' a%d="1"', before="<xml><a", after="/></xml>"),
    "attributes behind a bracket": numbered(' a%d="1"', before='<xml><a x=">"', after="/></xml>"),
    "attributes with spaces": repeated("=    ", before="<xml><a x", after="/></xml>"),
    "namespaces": numbered(' xmlns:a%d="u"', before="<xml><a", after="/></xml>"),
    "long names": lambda size: (
        b"<xml>" + (b"<%b/>" % (b"n" * (size // 8 - 4))) * 7 + b"</xml>"
    ).ljust(size - 8, b"\n"),
    "one long name before many": lambda size: (
        b"<xml><%b>" % (b"n" * (size // 8))
        + b"<a>1</a>" * ((size - size // 4 - 32) // 8)
        + b"</%b></xml>" % (b"n" * (size // 8))
    ).ljust(size - 8, b"\n"),
    "one long name before few": lambda size: (
        b"<xml><%b>" % (b"n" * (size // 3))
        + b"<a>1</a>" * (size // 512)
        + b"</%b></xml>" % (b"n" * (size // 3))
    ).ljust(size - 8, b"\n"),
    "a long namespace": lambda size: (
        b'<xml xmlns="%b">' % (b"u" * (size // 2)) + b"<a/>" * (size // 512) + b"</xml>"
    ).ljust(size - 8, b"\n"),
    "references": repeated("&#1;", before="<xml><a>", after="</a></xml>"),
    "half references": repeated("&#xD83D;", before="<xml><a>", after="</a></xml>"),
    "entities": repeated("&amp;", before="<xml><a>", after="</a></xml>"),
    "bare ampersands": repeated("&", before="<xml><a>", after="</a></xml>"),
    "long references": repeated("&#" + "9" * 60, before="<xml><a>", after="</a></xml>"),
    "ends of CDATA": repeated("]]>", before="<xml><a>", after="</a></xml>"),
    "begins of CDATA": repeated("<![CDATA[", before="<xml><a>"),
    "pieces of CDATA": repeated("<![CDATA[x]]>", before="<xml><a>", after="</a></xml>"),
    "pieces of CDATA and ampersands": repeated("<![CDATA[]]>&", before="<xml><a>", after="</a>"),
    "brackets in CDATA": repeated("]", before="<xml><a><![CDATA[", after="]]></a></xml>"),
    "elements in CDATA": repeated("</a>", before="<xml><a><![CDATA[", after="]]></a></xml>"),
    "controls": repeated("\x14", before="<xml><a>", after="</a></xml>"),
    "broken bytes": repeated(b"\xff", before="<xml><a>", after="</a></xml>"),
    "half characters": repeated(b"\xed\xa0\xbd", before="<xml><a>", after="</a></xml>"),
    "combining marks": repeated("\u0301\u0323", before="<xml><a>e", after="</a></xml>"),
    "emoji": repeated("😀", before="<xml><a>", after="</a></xml>"),
    "digits": repeated("9", before="<xml><CreateTime>", after="</CreateTime></xml>"),
    "comments": repeated("<!-- -->", before="<xml>", after="</xml>"),
    "instructions": repeated("<?p i?>", before="<xml>", after="</xml>"),
    "declarations": repeated("<?xml ?>", after="<xml/>"),
    "an open declaration": repeated("<?xml ", after="<xml/>"),
    "spaces": repeated(" ", after="<xml/>"),
    "spaces between": repeated("<a>1</a>" + " " * 56, before="<xml>", after="</xml>"),
    "brackets": repeated("<", before="<xml>"),
    "doctypes": repeated("<!doctyp", before="<x"),
    "encrypted fields": repeated("<Encrypt>"),
    "encrypted fields and spaces": repeated("<Encrypt>" + " " * 55),
    "encrypted fields in CDATA": repeated("<Encrypt>x</Encrypt>", before="<xml><![CDATA["),
    "an open encrypted field": repeated("A", before="<xml><Encrypt><![CDATA["),
    "encrypted fields of CDATA": repeated("<Encrypt><![CDATA[x]]>"),
    "a byte order mark": repeated("\ufeff", after="<xml/>"),
}

JSON_INPUTS: Final[Mapping[str, Input]] = {
    "numbers": repeated("0,", before='{"a":[', after="0]}"),
    "long numbers": repeated("9", before='{"a":', after="}"),
    "many long numbers": repeated("9" * 60 + ",", before='{"a":[', after="0]}"),
    "exponents": repeated("1e9999999,", before='{"a":[', after="0]}"),
    "distinct names": numbered('"a%d":0,', before="{", after='"a":0}'),
    "one name": repeated('"a":0,', before="{", after='"a":0}'),
    "empty lists": repeated("[],", before='{"a":[', after="0]}"),
    "empty objects": repeated("{},", before='{"a":[', after="0]}"),
    "nested lists": nested("[", "]", before='{"a":', after="}"),
    "nested objects": nested('{"a":', "}", before='{"a":0,"b":', after="}"),
    "open lists": repeated("[", before='{"a":'),
    "commas in words": repeated(",", before='{"a":"', after='"}'),
    "escaped quotes": repeated('\\"', before='{"a":"', after='"}'),
    "escaped quotes without an end": repeated('\\"', before='{"a":"'),
    "backslashes": repeated("\\\\", before='{"a":"', after='"}'),
    "an odd backslash": repeated("\\\\", before='{"a":"', after="\\"),
    "quotes": repeated('"', before="{"),
    "strings": repeated('"",', before='{"a":[', after='""]}'),
    "escapes": repeated("\\n", before='{"a":"', after='"}'),
    "escaped marks": repeated("\\u0301", before='{"a":"e', after='"}'),
    "escaped halves": repeated("\\ud83d", before='{"a":"', after='"}'),
    "escaped controls": repeated("\\u0014", before='{"a":"', after='"}'),
    "controls": repeated("\x14", before='{"a":"', after='"}'),
    "broken bytes": repeated(b"\xff", before='{"a":"', after='"}'),
    "combining marks": repeated("\u0301\u0323", before='{"a":"e', after='"}'),
    "long names": lambda size: (
        b'{"%b":[%b0]}' % (b"n" * (size // 2), b"0," * (size // 512))
    ).ljust(size - 8, b" "),
    "an object in a string": repeated('\\"a\\":0,', before='{"data":"{', after='"}'),
    "a quoted object in a string": repeated("%7B", before='{"data":"', after='"}'),
    "a long date": repeated("1 ", before='{"created_at":"', after='"}'),
    "a date of long words": repeated("1" * 60 + ":", before='{"created_at":"a b 1 ', after='"}'),
    "spaces": repeated(" ", after="{}"),
    "encrypted fields": repeated('"Encrypt":', before="{"),
    "open encrypted fields": repeated('"Encrypt":"', before="{"),
    "an open encrypted field": repeated('\\"', before='{"Encrypt":"'),
}

TEXT_INPUTS: Final[Mapping[str, Input]] = {
    "letters": repeated("a"),
    "digits": repeated("9"),
    "combining marks": repeated("\u0301\u0323"),
    "emoji": repeated("😀"),
    "spaces": repeated(" "),
    "commas": repeated(","),
    "signatures": repeated("v1,x "),
    "percents": repeated("%7B"),
    "half percents": repeated("%"),
    "query fields": repeated("a=1&"),
    "ampersands": repeated("&"),
    "escaped query fields": repeated("a=%20&"),
    "pluses": repeated("+"),
    "colons": repeated("1:"),
    "backslashes": repeated("\\"),
    "escaped controls": repeated("\\u0014"),
    "controls": repeated("\x14"),
}


def _floor() -> None:
    for _ in range(_FLOOR_STEPS):
        pass


def _call(parse: Callable[[bytes], object], body: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse(body)


def _seconds(work: Callable[[], None]) -> float:
    """CPU seconds of one call; a short one is made often enough to be measured."""
    times, spent = 0, 0.0
    began = time.thread_time()
    while spent < _LEAST_S:
        work()
        times += 1
        spent = time.thread_time() - began
    return spent / times


def _memory(parse: Callable[[bytes], object], body: bytes) -> int:
    _call(parse, body)  # whatever is cached once
    tracemalloc.start()
    try:
        _call(parse, body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
