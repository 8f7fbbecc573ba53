"""Happenings on a line of time: how many lie in a window, and which of them can still matter. Pure.

Happenings are kept in the order of their moments, the oldest first. Counted ones are moments alone,
each for itself. Amounts, and counts too large for that, are gathered in slots: the moment of a slot
is its last millisecond, so what happened counts at most one slot's width too long, never too short.
A window that ends at a moment reaches back to, but not including, the moment one window earlier.

All of this is called for each event of a fan, so happenings are two bare tuples.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

MAX_AMOUNT = 10**15
"""Of one slot: more does not fit into what is stored."""

Moments = tuple[int, ...]
"""In ms."""
Amounts = tuple[int, ...]
"""Of each moment; empty where each moment is one happening."""


def with_one(
    moments: Moments, amounts: Amounts, moment: int, amount: int, *, slots: bool
) -> tuple[Moments, Amounts, int]:
    """The happenings with one more, and its place among them; usually it is the newest."""
    amount = min(amount, MAX_AMOUNT)
    if not moments or moment > moments[-1]:
        return (*moments, moment), (*amounts, amount) if slots else (), len(moments)
    if not slots:
        place = bisect_right(moments, moment)
        return (*moments[:place], moment, *moments[place:]), (), place
    place = bisect_left(moments, moment)
    if moments[place] == moment:
        grown = min(amounts[place] + amount, MAX_AMOUNT)
        return moments, (*amounts[:place], grown, *amounts[place + 1 :]), place
    return (
        (*moments[:place], moment, *moments[place:]),
        (*amounts[:place], amount, *amounts[place:]),
        place,
    )


def enough_until(moments: Moments, amounts: Amounts, enough: int, within: int) -> int:
    """Until when a window that goes on with time holds enough; 0 if there never was enough."""
    if not amounts:
        return moments[-enough] + within if len(moments) >= enough else 0
    total = 0
    for place in range(len(moments) - 1, -1, -1):
        total += amounts[place]
        if total >= enough:
            return moments[place] + within
    return 0


def newest_full(
    moments: Moments, amounts: Amounts, enough: int, within: int, *, place: int = 0, after: int = 0
) -> int:
    """The newest moment whose window held enough.

    Args:
        moments: the happenings.
        amounts: of each.
        enough: the threshold.
        within: the window.
        place: only moments from here on are looked at.
        after: only moments after this one.

    Returns:
        0 if there is none.
    """
    if not amounts:
        for last in range(len(moments) - 1, max(place, enough - 1) - 1, -1):
            if moments[last] <= after:
                break
            if moments[last - enough + 1] > moments[last] - within:
                return moments[last]
        return 0
    total, first = 0, len(moments)
    for last in range(len(moments) - 1, place - 1, -1):
        if moments[last] <= after:
            break
        while first and moments[first - 1] > moments[last] - within:
            first -= 1
            total += amounts[first]
        if total >= enough:
            return moments[last]
        total -= amounts[last]
    return 0


def amount_after(moments: Moments, amounts: Amounts, moment: int) -> int:
    """How much happened after a moment."""
    first = bisect_right(moments, moment)
    return sum(amounts[first:]) if amounts else len(moments) - first


def in_slots(moments: Moments, amounts: Amounts, width: int) -> tuple[Moments, Amounts]:
    """The happenings gathered in slots of another width; none becomes older by it."""
    gathered: dict[int, int] = {}
    for place, moment in enumerate(moments):
        end = slot_end(moment, width)
        amount = amounts[place] if amounts else 1
        gathered[end] = min(gathered.get(end, 0) + amount, MAX_AMOUNT)
    return tuple(gathered), tuple(gathered.values())


def one_by_one(moments: Moments, amounts: Amounts, limit: int) -> Moments:
    """The newest happenings, each for itself; those of a slot at the slot's moment."""
    single: list[int] = []
    for moment, amount in zip(reversed(moments), reversed(amounts), strict=True):
        single += [moment] * min(amount, limit - len(single))
    return tuple(reversed(single))


def slot_end(moment: int, width: int) -> int:
    """The moment of the slot that a moment lies in."""
    return moment - moment % width + width - 1
