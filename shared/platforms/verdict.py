"""What a signature check may find: one bounded word, fit for an answer and for a metric label."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

TOLERANCE_S: Final = 300
"""How far a signed timestamp may lie from our clock, in seconds, either way."""


SECOND_DIGITS: Final = 10


class Verdict(StrEnum):
    """The finding of a signature check; only `GENUINE` may be acted on."""

    GENUINE = "genuine"
    UNSIGNED = "unsigned"
    """A field that the signature needs is missing or isn't of its kind."""
    FORGED = "bad_signature"
    STALE = "stale_timestamp"
    """The signature is right and the timestamp too old, or too far ahead: perhaps a replay."""


def is_timestamp(text: str, digits: int = SECOND_DIGITS) -> bool:
    """Tell whether a signed timestamp has its one form: so many digits, no zero before them.

    A signature over joined parts does not say where one part ends: with leading zeros allowed, a
    digit could move from the nonce to the timestamp.
    """
    return len(text) == digits and text.isascii() and text.isdigit() and text[0] != "0"


def check_age(signed_at: float, now: float) -> Verdict:
    """Tell whether a genuine timestamp counts still; both are Unix seconds."""
    return Verdict.GENUINE if abs(now - signed_at) <= TOLERANCE_S else Verdict.STALE
