"""The ledger of one fan: what was sent or may have been, and what limits leave.

A debit carries its push's id, so it happens once. It is made before the call, and the platform may
charge the call at any instant between the debit and the call's end; so a debit counts for every
window and every period that its span touches. Nothing is counted in place: use is derived from the
debits, so that facts, debits and credits may come in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from services.notifier.domain.periods import DAY_MS, MINUTE_MS, day_start, month_start
from services.notifier.domain.windows import LONGEST_WINDOW_MS, WINDOW_RULES, Act

CALL_HORIZON_MS: Final = MINUTE_MS
"""After so long without news, a customer message's call is over on the platform too."""
WINDOW_MARGIN_MS: Final = 5_000
"""A window must stay open for so long: the call takes its time to arrive."""
MASS_SENDS_A_MONTH: Final = 4
"""To one fan of a WeChat service account. Source: WeChat "Batch sends"."""
MOST_DEBITS: Final = 512
"""More than any cap allows; a ledger that full takes no push."""
_SLACK_MS: Final = DAY_MS
"""Debits are kept longer than they count, in case a clock is set back."""


class DebitKind(StrEnum):
    """Which limits a debit is charged to."""

    MESSAGE = "message"
    MASS = "mass"


@dataclass(frozen=True, slots=True)
class Debit:
    """One push charged to the fan."""

    push: str
    kind: DebitKind
    at: int
    """Platform time of the debit."""
    until: int | None = None
    """Platform time by which the call had ended; None while nobody knows."""

    @property
    def end(self) -> int | None:
        """Last instant at which the platform may have charged it; None: it may still.

        A mass send is repeated until its outcome is known, so only knowledge ends it.
        """
        if self.until is not None:
            return self.until
        return self.at + CALL_HORIZON_MS if self.kind is DebitKind.MESSAGE else None

    def touches(self, start: int, stop: int | None = None) -> bool:
        """Whether the platform may have charged it in [start, stop)."""
        return (self.end is None or self.end >= start) and (stop is None or self.at < stop)


@dataclass(frozen=True, slots=True)
class Ledger:
    """A fan's debits, and what the platform said against our own count."""

    debits: tuple[Debit, ...] = ()
    refused_at: int = 0
    """The platform refused for window or count: windows opened up to here are spent."""
    gone_at: int = 0
    """The platform said that the fan does not follow."""

    def debit_of(self, push: str) -> Debit | None:
        """This push's debit."""
        return next((one for one in self.debits if one.push == push), None)

    def without(self, push: str) -> Ledger:
        """The ledger as if this push had not been debited: for a definite refusal, or no call."""
        return replace(self, debits=tuple(one for one in self.debits if one.push != push))

    def charge(self, push: str, kind: DebitKind, at: int) -> Ledger:
        """Debit a push; one that is debited already is debited as of now instead."""
        rest = prune(self.without(push), at)
        return replace(rest, debits=(*rest.debits, Debit(push, kind, at)))

    def settle(self, push: str, until: int) -> Ledger:
        """Note by when the push's call had ended."""
        return replace(
            self,
            debits=tuple(
                replace(one, until=max(until, one.at)) if one.push == push else one
                for one in self.debits
            ),
        )

    def refuse(self, push: str, at: int) -> Ledger:
        """Credit back; and believe the platform that no window has room."""
        return replace(self.without(push), refused_at=max(self.refused_at, at))

    def lose(self, push: str, at: int) -> Ledger:
        """Credit back; and believe the platform that the fan left."""
        return replace(self.without(push), gone_at=max(self.gone_at, at))

    def sent_on(self, day: int) -> int:
        """Debits that may have been charged on a Shanghai day."""
        return sum(one.touches(day_start(day), day_start(day + 1)) for one in self.debits)

    def mass_sent_since(self, start: int) -> int:
        """Mass sends that may have been charged since `start`."""
        return sum(one.kind is DebitKind.MASS and one.touches(start) for one in self.debits)

    def window_used(self, opened_at: int) -> int:
        """Customer messages that the platform may have charged to a window."""
        return sum(one.kind is DebitKind.MESSAGE and one.touches(opened_at) for one in self.debits)


class Room(StrEnum):
    """Whether a customer message may go."""

    FREE = "free"
    SPENT = "window_spent"
    CLOSED = "window_closed"


def find_room(ledger: Ledger, windows: Mapping[Act, int], platform: str, now: int) -> Room:
    """Room in the fan's windows: a send is charged to all that are open, one must have room."""
    found = Room.CLOSED
    for act, opened_at in windows.items():
        rule = WINDOW_RULES[platform][act]
        if now + WINDOW_MARGIN_MS >= opened_at + rule.length:
            continue
        if opened_at <= ledger.refused_at:
            found = Room.SPENT
            continue
        if rule.messages is None or ledger.window_used(opened_at) < rule.messages:
            return Room.FREE
        found = Room.SPENT
    return found


def prune(ledger: Ledger, now: int) -> Ledger:
    """Leave out the debits that no limit counts any more."""
    message_start = now - LONGEST_WINDOW_MS - _SLACK_MS
    mass_start = min(month_start(now - _SLACK_MS), message_start)
    return replace(
        ledger,
        debits=tuple(
            one
            for one in ledger.debits
            if one.touches(mass_start if one.kind is DebitKind.MASS else message_start)
        ),
    )
