"""Mass sends: how many fans a wave names, when its call is repeated, and until when at most."""

from __future__ import annotations

from typing import Final

from services.notifier.domain.account import Account, Wave
from services.notifier.domain.campaigns import Campaign, period_of
from services.notifier.domain.periods import HOUR_MS, MINUTE_MS, QuietHours

FEWEST_FANS: Final = 2
MOST_FANS: Final = 10_000
"""Source: WeChat "Batch sends", api_masssend."""
REPEAT_FOR_MS: Final = 23 * HOUR_MS
"""The platform checks a `clientmsgid` over 24 h; after that a repeat would be a second send."""
TOO_LONG_UNKNOWN: Final = "key_expired"
"""A mass send's key is checked for 24 h only; what is unknown by then stays so."""
CANCELLED: Final = "cancelled_in_call"
"""The campaign was cancelled before anybody knew whether the wave had gone."""
TOO_FEW_LEFT: Final = "too_few_left"
"""So many opted out or left meanwhile that the wave can't be asked for again."""
PERIOD_OVER: Final = "period_over_in_call"
"""The campaign's next period began before anybody knew: it has a wave of its own."""
_FIRST_REPEAT_MS: Final = 61_000
"""Source: WeChat code 45066, wait a minute before the same key is used again."""
_LONGEST_REPEAT_MS: Final = 10 * MINUTE_MS


def wave_size(waiting: int) -> int:
    """How many of the waiting fans the next wave takes; 0 where there is no wave to be made.

    The last wave never names a single fan: one stays behind in the wave before it.
    """
    if waiting < FEWEST_FANS:
        return 0
    if waiting == MOST_FANS + 1:
        return MOST_FANS - 1
    return min(waiting, MOST_FANS)


def next_try(wave: Wave, now: int) -> int:
    """When a call whose outcome is unknown is repeated with its key."""
    doubled: int = _FIRST_REPEAT_MS * 2 ** min(wave.tries - 1, 5)
    return now + min(doubled, _LONGEST_REPEAT_MS)


def why_ended(wave: Wave, campaign: Campaign, now: int) -> str | None:
    """Why the call is never repeated again; None while it may be, now or later."""
    if now - wave.at >= REPEAT_FOR_MS:
        return TOO_LONG_UNKNOWN
    period = period_of(campaign, wave.at)
    if period is not None and now >= period[1]:
        return PERIOD_OVER
    return CANCELLED if campaign.cancelled else None


def must_wait(campaign: Campaign, account: Account, quiet: QuietHours, now: int) -> bool:
    """Whether the call may not be repeated now.

    No call may have arrived yet, so a repeated one is a send like any other.
    """
    paused = campaign.promotion and account.paused
    return paused or quiet.ends_at(now) is not None
