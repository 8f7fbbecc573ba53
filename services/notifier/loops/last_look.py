"""The last look before a call: campaign, account and fan are read again, and decided again.

One look serves calls that begin at the same moment, so that it costs three reads and not three a
call. A call that does not begin right after its look is not made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from services.notifier.domain.decide_push import Context, Send, decide_push
from services.notifier.domain.fan import Fan
from services.notifier.domain.pushes import Push
from services.notifier.loops.desk import Desk
from shared.documents.reader import Versioned

LOOK_LASTS_MS: Final = 1_500
"""A call begins within so long after the beginning of its look, or not at all: what staff were told
has happened holds for every call that begins two seconds later."""


@dataclass(frozen=True, slots=True)
class LastLook:
    """What a look saw."""

    wanted: frozenset[str]
    """Pushes that may go still."""
    contexts: dict[str, Context]
    fans: dict[str, Versioned[Fan]]
    ends_at: int
    """Until when it is good for a call to begin, by our monotonic clock."""


async def look_again(desk: Desk, rows: Sequence[Push]) -> LastLook:
    """Read again what decides about rows that are about to be called.

    Raises:
        TransientError: the store can't be reached; then nothing may be called.
    """
    began = desk.time.read().mono
    fans, contexts = await asyncio.gather(
        desk.find_fans(row.fan for row in rows),
        read_contexts(desk, {row.campaign for row in rows}),
    )
    wanted = frozenset(
        row.id
        for row in rows
        if isinstance(decide_push(fans[row.fan].state, row, contexts[row.campaign]), Send)
    )
    return LastLook(wanted, contexts, fans, began + LOOK_LASTS_MS)


async def read_contexts(desk: Desk, campaigns: Iterable[str]) -> dict[str, Context]:
    """The contexts of campaigns as they are now, with the account as it is now."""
    found, account = await asyncio.gather(desk.read_campaigns(campaigns), desk.read_account())
    moment = desk.time.moment()
    return {name: Context(one, account, moment, desk.rules) for name, one in found.items()}
