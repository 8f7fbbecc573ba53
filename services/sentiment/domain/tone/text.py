"""How a raw comment becomes the text that everything else looks at.

Hides full-width and mathematical look-alikes, traditional characters, control and zero-width
characters, letter case, links, names, long numbers, floods of one character, emoticons in words or
pictures, and repost chains, of which only the last comment counts. The work is done on one array of
code points for a whole batch, so its cost is linear and a text's outcome never depends on its
neighbours. `normalise` is idempotent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.tone.emoticons import PICTURE_FOLDS, PICTURE_OF_WORD
from shared.characters import SIMPLIFIED, TRADITIONAL

MAX_CHARACTERS: Final = 2_000  # of a raw text that are looked at: its first 1,500 and last 500
HEAD_CHARACTERS: Final = 1_500
LONGEST_RUN: Final = 3  # 6, 66 and 666 differ; 6666 is 666
REPOST: Final = "//@"  # before each older link of a repost chain
SEPARATOR: Final = "\n"  # between the texts of a batch; never inside a normalised text

_SEPARATOR_CODE: Final = 10
_SPACE_CODE: Final = 32
_FOLDED_RANGES: Final = (
    (0x00A0, 0x0180),  # Latin-1
    (0x2000, 0x2070),  # spaces and punctuation
    (0x2100, 0x2150),  # letter-like symbols
    (0x2460, 0x2500),  # circled letters and digits
    (0x2E80, 0x3100),  # radicals, CJK punctuation
    (0x3200, 0x3400),  # squared words
    (0xF900, 0xFB00),  # CJK compatibility ideographs
    (0xFE10, 0x10000),  # full width, half width, vertical forms
    (0x1D400, 0x1D800),  # mathematical alphabets
    (0x1F100, 0x1F200),  # squared and circled Latin
)
_DROPPED_RANGES: Final = (
    (0x0000, 0x0009), (0x000B, 0x000D), (0x000E, 0x0020), (0x007F, 0x00A0), (0x00AD, 0x00AE),
    (0x0300, 0x0370), (0x200B, 0x2010), (0x202A, 0x202F), (0x2060, 0x2070), (0x20D0, 0x2100),
    (0xD800, 0xF900),  # lone surrogates, private use
    (0xFE00, 0xFE10), (0xFE20, 0xFE30), (0xFEFF, 0xFF00), (0xFFF0, 0x10000),
    (0x1F3FB, 0x1F400),  # skin tones
    (0xE0000, 0x110000),  # tags, supplementary private use
)  # fmt: skip

_LINK = re.compile(r"(?:https?://|www\.)[!-~]*")
_NAME = re.compile(r"@[\w·-]{1,30}:?")
_REPOST_TAIL = re.compile(r"//@[^\n]*")
_WHOLE_REPOST = re.compile(r"^ *//@[\w·-]{0,30}:?", re.MULTILINE)
_EMOTICON = re.compile(r"\[([^\[\]\n ]{1,8})\]")
# Hotlines, 1314, the laugh 2333… and floods of one digit are words; other long numbers are not.
_LONG_NUMBER = re.compile(
    r"(?<![0-9])(?!(?:12315|12345|1314|10086|23{2,}|([0-9])\1+)(?![0-9]))[0-9]{4,}"
)


def echo_of(text: str) -> str | None:
    """What a comment in a repost chain was added to, all links of it; None outside a chain."""
    first = text.find(REPOST, 1)
    return None if first < 0 else text[first + 2 :].replace(REPOST, " @")


def normalise(text: str) -> str:
    """The text as the model sees it; doing it twice changes nothing more."""
    return normalise_batch([text])[1:-1]


def normalise_batch(texts: Sequence[str]) -> str:
    """All texts normalised and joined, with a separator before, between and after them."""
    joined = _fold(texts)
    if "www." in joined or "http" in joined:
        joined = _LINK.sub(" ", joined)
    if "//@" in joined:
        joined = _REPOST_TAIL.sub(" ", _WHOLE_REPOST.sub(" ", joined))
    if "@" in joined:
        joined = _NAME.sub("@ ", joined)
    if "[" in joined:
        joined = _EMOTICON.sub(_picture, joined)
    joined = _LONG_NUMBER.sub("0", joined)
    return _squeeze(joined)


def codes_of(joined: str) -> npt.NDArray[np.uint32]:
    """The code points of a joined batch."""
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


@cache
def folding_table() -> npt.NDArray[np.uint32]:
    """What each code point becomes; 0 stands for «dropped»."""
    table = np.arange(0x110000, dtype=np.uint32)
    for code in range(0x250):
        lower = chr(code).lower()
        table[code] = ord(lower) if len(lower) == 1 else code
    for first, end in _FOLDED_RANGES:
        for code in range(first, end):
            folded = unicodedata.normalize("NFKC", chr(code)).lower()
            if len(folded) == 1:
                table[code] = ord(folded)
    for source, target in zip(TRADITIONAL, SIMPLIFIED, strict=True):
        table[ord(source)] = ord(target)
    for source, target in PICTURE_FOLDS.items():
        table[ord(source)] = ord(target)
    for source, target in zip("【】〔〕。！？，；：～“”‘’", "[][].!?,;:~\"\"''", strict=True):
        table[ord(source)] = ord(target)
    for first, end in _DROPPED_RANGES:
        table[first:end] = 0
    for code in (0x09, 0x0A, 0x0D, 0x85, 0xA0, 0x2028, 0x2029, 0x3000):
        table[code] = _SPACE_CODE
    while not np.array_equal(settled := table[table], table):  # folding twice is folding once
        table = settled
    table.flags.writeable = False
    return table


def _fold(texts: Sequence[str]) -> str:
    if any(len(text) > MAX_CHARACTERS for text in texts):
        texts = [_ends_of(text) for text in texts]
    codes = codes_of(SEPARATOR + SEPARATOR.join(texts) + SEPARATOR)
    ends = np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + 1)
    codes = folding_table()[codes]
    codes[0] = _SEPARATOR_CODE
    codes[ends] = _SEPARATOR_CODE
    return _text_of(codes[codes != 0])


def _ends_of(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    tail = MAX_CHARACTERS - HEAD_CHARACTERS
    return text[:HEAD_CHARACTERS] + text[-tail:]


def _squeeze(joined: str) -> str:
    """Cut runs to LONGEST_RUN, white space to one, and none at a text's ends."""
    codes = codes_of(joined)
    space = codes == _SPACE_CODE
    keep = np.ones(len(codes), dtype=bool)
    same = codes[1:] == codes[:-1]
    run = same[2:] & same[1:-1] & same[:-2]
    keep[3:] = ~(run & (codes[3:] != _SEPARATOR_CODE))
    gap = space | (codes == _SEPARATOR_CODE)
    keep[1:] &= ~(space[1:] & gap[:-1])
    codes = codes[keep]
    ending = (codes[:-1] == _SPACE_CODE) & (codes[1:] == _SEPARATOR_CODE)
    if ending.any():
        codes = codes[np.append(~ending, True)]
    return _text_of(codes)


def _picture(match: re.Match[str]) -> str:
    return PICTURE_OF_WORD.get(match[1], match[0])


def _text_of(codes: npt.NDArray[np.uint32]) -> str:
    return codes.tobytes().decode("utf-32-le", "surrogatepass")
