"""The two kinds of failure a consumer knows: one that passes, one that stays.

FanEngagementError
├── TransientError    try the same work again later (store or log away, lease lost)
└── PermanentError    this record can never be processed; it carries a bounded reason
"""

from __future__ import annotations

from enum import StrEnum


class DeadLetterReason(StrEnum):
    """Why a record was set aside. Bounded, since it is a metric label and a header."""

    INVALID_ENVELOPE = "invalid_envelope"
    INVALID_EVENT = "invalid_event"
    HANDLER_RAISED = "handler_raised"
    REJECTED = "rejected"
    TOO_OLD_TO_TELL = "too_old_to_tell"
    DOCUMENT_FULL = "fan_document_full"


class FanEngagementError(Exception):
    """Base of every error this project raises on purpose."""


class TransientError(FanEngagementError):
    """The work may succeed when it is tried again; nothing was lost."""


class PermanentError(FanEngagementError):
    """This record can't be processed, however often it is tried.

    Args:
        reason: the bounded reason that goes into the dead letter's header and the metric.
        detail: a short text for staff; it must not quote the record.
    """

    def __init__(self, reason: DeadLetterReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
