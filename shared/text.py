"""The form in which texts are compared: what a person takes for the same text becomes the same.

`fold` hides full-width letters and other compatible forms (NFKC), letter case, characters that draw
nothing, and traditional Chinese characters. Whoever sends a text chooses its length, and
normalising takes quadratic time in a run of combining marks (62 KB of them: 1.7 s), so both are
bounded before anything else is done. Folding what is folded changes nothing more.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category, normalize

from shared.characters import SIMPLIFIED, TRADITIONAL

MAX_CHARACTERS: Final = 4_096
"""Of a text, unless the caller says otherwise; what comes after is not looked at."""
MAX_MARKS: Final = 8
"""Combining marks in a row; no script that is written needs more."""
_UNSEEN_RANGES: Final = (
    (0x0000, 0x0008), (0x000E, 0x001B), (0x007F, 0x0084), (0x0086, 0x009F),  # controls
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F),  # zero width; left to right and back
    (0x2800, 0x2800),  # the blank of Braille
    (0x3164, 0x3164), (0xFFA0, 0xFFA0),  # fillers of Hangul
    (0xD800, 0xDFFF),  # halves of characters
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFF0, 0xFFFB),  # variation selectors, byte order mark
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""First and last of the characters that draw nothing: controls, what Unicode calls
Default_Ignorable_Code_Point, and what is no character at all. White space is seen."""

_UNSEEN = re.compile(
    "[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _UNSEEN_RANGES) + "]+"
)
# The half-width sound marks become combining marks only by NFKC; here they are told from letters.
_SOUND_MARKS = str.maketrans("\uff9e\uff9f", "\u3099\u309a")
_HAS_SOUND_MARKS = re.compile("[\uff9e\uff9f]")
# A run of marks is always one of these; most of these are none (！！！！！！！！！).
_MAYBE_MARKS = re.compile(rf"[^\w\s]{{{MAX_MARKS + 1},}}")
_HAS_TRADITIONAL = re.compile(f"[{TRADITIONAL}]")
_SIMPLER = str.maketrans(TRADITIONAL, SIMPLIFIED)


def fold(text: str, limit: int = MAX_CHARACTERS) -> str:
    """The form in which texts are compared.

    Args:
        text: what somebody wrote.
        limit: how many of its characters are looked at, from the first.
    """
    # Each step looks first whether it has anything to do: most texts need none of them.
    text = text[:limit]
    if _UNSEEN.search(text) is not None:
        text = _UNSEEN.sub("", text)
    if text.isascii():
        return text.lower()
    if _HAS_SOUND_MARKS.search(text) is not None:
        text = text.translate(_SOUND_MARKS)
    text = cut_marks(text)
    folded = normalize("NFKC", text).casefold()
    if folded != text:  # folding case can undo the normal form, and that lengthen a run of marks
        folded = cut_marks(normalize("NFKC", folded))
    return folded.translate(_SIMPLER) if _HAS_TRADITIONAL.search(folded) is not None else folded


def cut_marks(text: str) -> str:
    """The text with no more than `MAX_MARKS` combining marks in a row, as normalising needs."""
    if _MAYBE_MARKS.search(text) is None:
        return text
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if category(character)[0] == "M" else 0
        if marks <= MAX_MARKS:
            kept.append(character)
    return "".join(kept)


def unseen_in(text: str) -> list[int]:
    """The places, from 0, of the characters of a text that draw nothing."""
    return [place for found in _UNSEEN.finditer(text) for place in range(*found.span())]
