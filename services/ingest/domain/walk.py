"""Reads a list that grows at its head while it is read: which page next, and when to stop.

Pages are asked for by how many items to leave out. New items push others down (a page repeats
some), deleted ones pull others up (a page would miss some). So pages overlap, and one that shares
nothing with the page before, or is empty, means that items may have slipped between: the walk
begins again.
It ends at a page whose ids are all known from earlier, finished walks, or at the list's end. A
walk that breaks off leaves nothing known, so the next one goes over the same ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

OVERLAP: Final = 5
MOST_RESTARTS: Final = 5
MOST_KNOWN: Final = 5_000
"""Ids kept: about 100 KB of an article's document."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk under way."""

    known: frozenset[str]
    begin: int = 0
    """How many items to leave out of the next page."""
    seen: tuple[str, ...] = ()
    """New ids of this walk, in the order found."""
    page: frozenset[str] = frozenset()
    """The ids of the page before."""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What a page leads to."""

    walk: Walk
    fresh: tuple[str, ...]
    """Ids nobody has published yet, the newest first."""
    done: bool
    """Everything up to what was known has been seen."""
    gave_up: bool = False
    """The list changed too fast, too often; try again later."""


def take_page(walk: Walk, ids: Sequence[str], total: int) -> Step:
    """Take a page into account.

    Args:
        walk: so far.
        ids: the page's ids, the newest first.
        total: how many the platform says there are.
    """
    seen_before = set(walk.seen)
    fresh = tuple(
        one for one in dict.fromkeys(ids) if one not in walk.known and one not in seen_before
    )
    seen = walk.seen + fresh
    page = frozenset(ids)
    if walk.page and not page & walk.page:
        again = Walk(walk.known, seen=seen, restarts=walk.restarts + 1)
        return Step(again, fresh, done=False, gave_up=again.restarts > MOST_RESTARTS)
    done = not ids or page <= walk.known or walk.begin + len(ids) >= total
    begin = walk.begin + max(1, len(ids) - OVERLAP)
    return Step(replace(walk, begin=begin, seen=seen, page=page), fresh, done=done)


def finish_walk(walk: Walk, known: Sequence[str]) -> tuple[str, ...]:
    """Return the known ids after a finished walk, the newest first."""
    return tuple(dict.fromkeys((*walk.seen, *known)))[:MOST_KNOWN]
