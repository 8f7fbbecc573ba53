"""What stands between one account and its fans: incidents, stopped channels, mass-send slots.

The incidents loop owns the incidents, the sender's loop the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from services.notifier.domain.periods import DAY_MS, MINUTE_MS, day_of, day_start
from shared.events import IncidentEvent

AccountKind = Literal["service", "subscription"]

MOST_INCIDENTS: Final = 256
MASS_CALLS_A_MINUTE: Final = 60
"""Source: WeChat "Batch sends"."""
MASS_CALLS_A_DAY: Final = 100
"""Source: WeChat "API call limits"."""
_SPARE_CALLS: Final = 5
"""Left for people who use the platform's own console."""
_MOST_CALLS: Final = 128
_MOST_SLOTS: Final = 256


@dataclass(frozen=True, slots=True)
class Incident:
    """The last known state of an incident."""

    number: int
    pausing: bool
    """Promotions stay paused because of it."""
    at: int


@dataclass(frozen=True, slots=True)
class Stop:
    """A channel that the platform has closed for a while."""

    reason: str
    until: int


@dataclass(frozen=True, slots=True)
class Wave:
    """A mass send whose outcome is not yet settled everywhere. There is at most one an account."""

    id: str
    """Its `clientmsgid`."""
    campaign: str
    fans: int
    at: int
    """Platform time of the commitment to call."""
    try_at: int
    """Not to be repeated before this platform time."""
    tries: int = 1
    outcome: str = ""
    """Empty until known: accepted, refused or unknown."""
    reason: str = ""
    reaction: str = ""
    message_id: str = ""
    article: str = ""
    known_at: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """A mass send that took, or may have taken, one of the account's slots."""

    wave: str
    at: int
    until: int


@dataclass(frozen=True, slots=True)
class Account:
    """All that a decision about an account needs."""

    incidents: Mapping[str, Incident] = field(default_factory=dict)
    tenure: int = 0
    """Raised by each new holder of the sender's lease; an older one can commit no wave."""
    wave: Wave | None = None
    slots: tuple[Slot, ...] = ()
    calls: tuple[int, ...] = ()
    """Platform times of the last mass-send calls."""
    stops: Mapping[str, Stop] = field(default_factory=dict)

    @property
    def paused(self) -> bool:
        """Whether promotions wait for an incident."""
        return any(one.pausing for one in self.incidents.values())

    def stop_of(self, channel: str, now: int) -> Stop | None:
        """The stop that a channel is under now."""
        stop = self.stops.get(channel)
        return stop if stop is not None and now < stop.until else None


def apply_incident(account: Account, event: IncidentEvent) -> Account:
    """The account after news of an incident; the highest number wins."""
    known = account.incidents.get(event.incident)
    if known is not None and known.number >= event.number:
        return account
    news = Incident(event.number, event.pause_promotions, event.occurred_at)
    incidents = {**account.incidents, event.incident: news}
    surplus = len(incidents) - MOST_INCIDENTS
    if surplus > 0:
        over = sorted(
            (name for name, one in incidents.items() if not one.pausing),
            key=lambda name: incidents[name].at,
        )
        incidents = {name: one for name, one in incidents.items() if name not in over[:surplus]}
    return replace(account, incidents=incidents)


def mass_free_at(account: Account, kind: AccountKind, now: int) -> int:
    """When the account may make its next mass send; `now` if at once.

    A slot counts for each day that its span touches, since the platform may have accepted the call
    at any instant of it.
    """
    free = now
    if kind == "subscription":
        start, stop = day_start(day_of(now)), day_start(day_of(now) + 1)
        if any(one.at < stop and one.until >= start for one in account.slots):
            free = stop + 2 * MINUTE_MS
    return max(free, call_free_at(account, now))


def call_free_at(account: Account, now: int) -> int:
    """When the platform's limits on calls (a minute, a day) allow another mass-send call."""
    free = now
    for length, most in ((MINUTE_MS, MASS_CALLS_A_MINUTE), (DAY_MS, MASS_CALLS_A_DAY)):
        recent = sorted(at for at in account.calls if at > now - length)
        allowed = most - _SPARE_CALLS
        if len(recent) >= allowed:
            free = max(free, recent[len(recent) - allowed] + length)
    return free


def open_wave(account: Account, wave: Wave) -> Account:
    """Commit to a mass send: from here on its outcome must be found out."""
    return replace(account, wave=wave, calls=_add_call(account, wave.at))


def repeat_wave(account: Account, wave: Wave, now: int, try_at: int) -> Account:
    """Note another call under the same key before it is made."""
    again = replace(wave, tries=wave.tries + 1, try_at=try_at)
    return replace(account, wave=again, calls=_add_call(account, now))


def close_wave(account: Account, wave: Wave) -> Account:
    """The wave is settled everywhere. A refusal gives its slot back; doubt does not."""
    slots = account.slots
    if wave.outcome != "refused":
        kept = tuple(one for one in slots if one.wave != wave.id)
        slots = (*kept, Slot(wave.id, wave.at, wave.known_at))[-_MOST_SLOTS:]
    return replace(account, wave=None, slots=slots)


def stop_channel(account: Account, channel: str, stop: Stop, now: int) -> Account:
    """Close a channel; stops that are over are forgotten."""
    running = {name: one for name, one in account.stops.items() if now < one.until}
    return replace(account, stops={**running, channel: stop})


def _add_call(account: Account, at: int) -> tuple[int, ...]:
    return (*account.calls, at)[-_MOST_CALLS:]
