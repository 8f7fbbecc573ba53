"""What counts: which comment is negative, who wrote it, and which texts are copies.

Hides how a fan becomes a pseudonym and how a text becomes a fingerprint. Pure.
"""

from __future__ import annotations

import hmac
import unicodedata
from dataclasses import dataclass
from hashlib import blake2b, sha256

from shared.text import cut_marks

SEVERE = 2
"""From this severity on a comment counts whatever its tone, and fewer people suffice."""

STAFF_TEXT_CHARS = 500
"""How much of a comment is kept for staff to read."""

_NEVER_NEGATIVE = frozenset({"spam", "praise"})


@dataclass(frozen=True, slots=True)
class NegativeComment:
    """One negative comment, as the judgement sees it; no words and no fan."""

    id: str
    at: int
    """When it was written, ms since the epoch, by the platform."""
    author: str
    """The author's pseudonym."""
    subject: str
    severity: int
    fingerprint: str
    """Equal for copies of one text."""
    trace: str = ""
    """The `traceparent` it came with."""


def is_negative(
    label: str, p_negative: float, severity: int, kind: str, *, threshold: float
) -> bool:
    """Whether a comment counts towards an incident.

    Severity is not tone: a calm report of an injury counts as much as an angry one.

    Args:
        label: the model's class, "neg", "neu" or "pos".
        p_negative: the calibrated probability of the negative class.
        severity: 0 to 3.
        kind: complaint, question, praise, spam or other.
        threshold: the smallest `p_negative` that counts.
    """
    if kind in _NEVER_NEGATIVE:
        return False
    if severity >= SEVERE and kind != "question":
        return True
    return label == "neg" and p_negative >= threshold


def pseudonym(secret: bytes, account: str, author: str) -> str:
    """A stable name for an author that can't be turned back without the secret."""
    return hmac.new(secret, f"{account}|{author}".encode(), sha256).hexdigest()[:24]


def left_id(author: str) -> str:
    """The id of what is kept of an author who left: the pseudonym and when."""
    return f"left|{author}"


def fingerprint(text: str) -> str:
    """Equal for texts that differ only in case, width, spaces, punctuation and pictures."""
    folded = unicodedata.normalize("NFKC", cut_marks(text[:2000])).casefold()
    kept = "".join(char for char in folded if char.isalnum())
    raw = (kept or folded).encode("utf-8", "surrogatepass")
    return blake2b(raw, digest_size=12).hexdigest()


def staff_text(text: str) -> str:
    """The beginning of a comment, for staff: storable as UTF-8, one line, without controls."""
    safe = text[: STAFF_TEXT_CHARS * 2].encode("utf-8", "replace").decode()
    plain = "".join(char if char.isprintable() else " " for char in safe)
    line = " ".join(plain.split())
    return line if len(line) <= STAFF_TEXT_CHARS else line[: STAFF_TEXT_CHARS - 1] + "…"
