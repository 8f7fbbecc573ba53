"""Mass sends: how many fans a wave names, when its call is repeated, and until when at most."""

from __future__ import annotations

from typing import Final

from services.notifier.domain.account import Wave
from services.notifier.domain.periods import HOUR_MS, MINUTE_MS

FEWEST_FANS: Final = 2
MOST_FANS: Final = 10_000
"""Source: WeChat "Batch sends", api_masssend."""
REPEAT_FOR_MS: Final = 23 * HOUR_MS
"""The platform checks a `clientmsgid` over 24 h; after that a repeat would be a second send."""
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


def may_repeat(wave: Wave, now: int) -> bool:
    """Whether the platform still remembers the key."""
    return now - wave.at < REPEAT_FOR_MS
