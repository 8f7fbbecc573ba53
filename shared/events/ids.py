"""Deterministic event ids: what is produced again has the same id.

An id is a 128-bit BLAKE2b digest in hex of its parts, each part prefixed with its
length so that ("ab", "c") and ("a", "bc") differ.
"""

from __future__ import annotations

from hashlib import blake2b


def stable_id(*parts: str | int) -> str:
    """Hash the parts, in order, into 32 hexadecimal characters."""
    texts = [str(part) for part in parts]
    framed = "".join([f"{len(text)}:{text}" for text in texts])
    if framed.isascii():  # as nearly all are: characters are bytes
        raw = framed.encode()
    else:
        raws = [text.encode("utf-8", "surrogatepass") for text in texts]
        raw = b"".join([b"%d:%b" % (len(one), one) for one in raws])
    return blake2b(raw, digest_size=16).hexdigest()


def effect_id(cause: str, event_type: str, subject: str, ordinal: int) -> str:
    """Id of an event that another event, or an instant, caused.

    Args:
        cause: the `ce_id` of the cause, or a stable id of what time caused.
        event_type: the effect's `ce_type`.
        subject: the effect's record key.
        ordinal: its place among the effects of this cause, from 0.
    """
    return stable_id("effect", cause, event_type, subject, ordinal)
