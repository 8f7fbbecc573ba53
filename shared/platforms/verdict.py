"""What a signature check may find: one bounded word, fit for an answer and for a metric label."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

TOLERANCE_S: Final = 300
"""How far a signed timestamp may lie from our clock, in seconds, either way."""


class Verdict(StrEnum):
    """The finding of a signature check; only `GENUINE` may be acted on."""

    GENUINE = "genuine"
    UNSIGNED = "unsigned"
    """A field that the signature needs is missing or isn't of its kind."""
    FORGED = "bad_signature"
    STALE = "stale_timestamp"
    """The signature is right and the timestamp too old, or too far ahead: perhaps a replay."""
