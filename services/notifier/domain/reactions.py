"""What the outcome of a call means for the push, the fan's ledger and the account's channel.

The channel has classified the outcome already (`shared.platforms.outcomes`). Only a definite
refusal credits back; doubt counts as sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from services.notifier.domain import pushes
from services.notifier.domain.account import Stop
from services.notifier.domain.ledger import CALL_HORIZON_MS, Ledger
from services.notifier.domain.periods import HOUR_MS, MINUTE_MS, after_midnight
from services.notifier.domain.pushes import Push
from shared.kafka.handler import Change
from shared.platforms.outcomes import Accepted, Reaction, Refused, Unknown


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an accepted call answered."""

    message_id: str = ""
    article: str = ""


CallOutcome: TypeAlias = Accepted[Receipt] | Refused | Unknown

CRASHED: Final = "crashed_in_call"
"""The process ended between the commitment and the note of the outcome."""

_FINAL_REACTIONS: Final = frozenset({Reaction.DROP, Reaction.DROP_FAN, Reaction.FIX})
_CLOSING_REACTIONS: Final = frozenset({Reaction.WAIT_MINUTE, Reaction.WAIT_QUOTA, Reaction.STOP})
_RETRY_MS: Final = 5_000
_STOPPED_MS: Final = HOUR_MS
"""A channel that only a person can free is tried again after so long."""


def settle_push(push: Push, outcome: CallOutcome, now: int) -> Change[Push]:
    """The row after its call."""
    match outcome:
        case Accepted(value=receipt):
            return pushes.sent(push, now, receipt.message_id)
        case Unknown(reason=reason):
            return pushes.unknown(push, reason.value, now)
        case Refused(reason=reason, reaction=reaction) if reaction in _FINAL_REACTIONS:
            return pushes.refused(push, reason.value, now)
        case Refused(reason=reason, reaction=Reaction.WAIT_FAN):
            return pushes.hold(
                push,
                reason.value,
                now,
                not_before=None,
                look_at=now + HOUR_MS,
                waits_for_fan=True,
            )
        case Refused(reason=reason):
            stop = stop_after(outcome, push.account, now)
            free_at = stop.until if stop is not None else now + _RETRY_MS
            return pushes.hold(push, reason.value, now, not_before=free_at, look_at=free_at)


def settle_ledger(ledger: Ledger, push: str, outcome: CallOutcome, now: int) -> Ledger:
    """The fan's ledger after the call."""
    match outcome:
        case Accepted():
            return ledger.settle(push, now)
        case Unknown():
            return ledger.settle(push, now + CALL_HORIZON_MS)
        case Refused(reaction=Reaction.WAIT_FAN):
            return ledger.refuse(push, now)
        case Refused(reaction=Reaction.DROP_FAN):
            return ledger.lose(push, now)
        case Refused():
            return ledger.without(push)


def stop_after(outcome: CallOutcome, account: str, now: int) -> Stop | None:
    """Whether the whole channel of the account has to pause, and until when."""
    if not isinstance(outcome, Refused):
        return None
    reason = outcome.reason.value
    match outcome.reaction:
        case Reaction.WAIT_MINUTE:
            return Stop(reason, now + MINUTE_MS)
        case Reaction.WAIT_QUOTA:
            weibo = account.startswith("weibo:")
            return Stop(reason, now + HOUR_MS if weibo else after_midnight(now))
        case Reaction.STOP:
            return Stop(reason, now + _STOPPED_MS)
        case Reaction.RETRY | Reaction.REFRESH_TOKEN:
            return Stop(reason, now + _RETRY_MS)
        case _:
            return None


def closes_channel(outcome: CallOutcome) -> bool:
    """Whether the platform has closed the channel: no other call is worth making now."""
    return isinstance(outcome, Refused) and outcome.reaction in _CLOSING_REACTIONS


def name_outcome(outcome: CallOutcome) -> str:
    """The bounded word for a metric."""
    match outcome:
        case Accepted():
            return "accepted"
        case Refused():
            return "refused"
        case Unknown():
            return "unknown"
