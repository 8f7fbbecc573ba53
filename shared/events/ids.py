"""Deterministic event ids: what is produced again has the same id.

An id is a 128-bit BLAKE2b digest in hex of its parts, each part prefixed with its
length so that ("ab", "c") and ("a", "bc") differ.
"""

from __future__ import annotations

from hashlib import blake2b


def stable_id(*parts: str | int) -> str:
    """Hash the parts, in order, into 32 hexadecimal characters."""
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = str(part).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()


def effect_id(cause: str, event_type: str, subject: str, ordinal: int) -> str:
    """Id of an event that another event, or an instant, caused.

    Args:
        cause: the `ce_id` of the cause, or a stable id of what time caused.
        event_type: the effect's `ce_type`.
        subject: the effect's record key.
        ordinal: its place among the effects of this cause, from 0.
    """
    return stable_id("effect", cause, event_type, subject, ordinal)
