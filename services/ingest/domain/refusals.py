"""Why a webhook was not taken: one bounded word for the answer, the counter and the log."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Refusal(StrEnum):
    """The reason of a refusal; those that a check in `shared.platforms` gave keep its word."""

    UNKNOWN_ACCOUNT = "unknown_account"
    METHOD = "method"
    CONTENT_TYPE = "content_type"
    TOO_LARGE = "body_too_large"

    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale_timestamp"
    NONCE_REUSED = "nonce_reused"
    """The signature came with another body before."""
    PLAIN_MODE = "plain_mode_off"
    NO_KEY = "no_encryption_key"
    WRONG_RECEIVER = "wrong_receiver"
    """Genuine, but meant for an account other than the one its address names."""

    DOCTYPE = "doctype"
    MALFORMED = "malformed_body"
    TOO_DEEP = "body_too_deep"
    TOO_MANY = "too_many_fields"
    TOO_LONG = "fields_too_long"
    EVENT_TOO_LARGE = "event_too_large"
    """The log takes no record of this size, however often it is tried."""
    CIPHER_BASE64 = "cipher_base64"
    CIPHER_LENGTH = "cipher_length"
    CIPHER_PADDING = "cipher_padding"
    CIPHER_FRAME = "cipher_frame"
    CIPHER_APP_ID = "cipher_app_id"

    NONCES_FULL = "nonces_full"
    """No room to bind another signature to its body: ours to solve, the sender may come again."""
    LOG_UNAVAILABLE = "log_unavailable"
    """The log did not acknowledge in time: the sender must come again."""


UNREADABLE: Final = "unreadable_push"
"""What the sender of a WeChat push is told instead of any of `AFTER_OPENING`."""
AFTER_OPENING: Final = frozenset(
    {
        Refusal.CIPHER_BASE64,
        Refusal.CIPHER_LENGTH,
        Refusal.CIPHER_PADDING,
        Refusal.CIPHER_FRAME,
        Refusal.CIPHER_APP_ID,
        Refusal.DOCTYPE,
        Refusal.MALFORMED,
        Refusal.TOO_DEEP,
        Refusal.TOO_MANY,
        Refusal.TOO_LONG,
        Refusal.WRONG_RECEIVER,
    }
)
"""Refusals that may depend on what a ciphertext holds. Told apart they would open it bit by bit
for one who has the account's token but not its key; the counter and the log tell them apart."""
