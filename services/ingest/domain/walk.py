"""Reads a list that grows at its head while it is read: which page next, and when to stop.

Pages are asked for by how many items to leave out. New items push others down (a page repeats
some), deleted ones pull others up (a page would miss some). So pages overlap, and one that shares
nothing with the page before, or is empty, means that items may have slipped between: the walk
begins again.
It ends at a page whose ids are all known from earlier, finished walks, or at the list's end: a
page shorter than asked. What the platform says of the list's length is no help: live answers give
the size of the page, others count what they don't show. Only where it says that more comes after a
short page is one more page asked for, and that ends the walk unless it brings something new.
A walk that breaks off leaves nothing known, so the next one goes over the same ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

OVERLAP: Final = 5
MOST_RESTARTS: Final = 5
MOST_STALE: Final = 5
"""So often the same full page: the platform gives it whatever is asked for."""
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
    stale: int = 0
    """Full pages in a row that were the page before once more."""


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


def take_page(walk: Walk, ids: Sequence[str], *, listed: int, asked: int, total: int) -> Step:
    """Take a page into account.

    Args:
        walk: so far.
        ids: those of the page that could be read, the newest first.
        listed: how many items the page has, readable or not.
        asked: how many were asked for.
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
    ends = listed < asked and (walk.begin + listed >= total or not fresh)
    done = ends or page <= walk.known
    begin = walk.begin + max(0, listed - OVERLAP)
    stale = walk.stale + 1 if page == walk.page and listed >= asked else 0
    onward = replace(walk, begin=begin, seen=seen, page=page, stale=stale)
    return Step(onward, fresh, done=done, gave_up=not done and stale > MOST_STALE)


def finish_walk(walk: Walk, known: Sequence[str]) -> tuple[str, ...]:
    """Return the known ids after a finished walk, the newest first."""
    return tuple(dict.fromkeys((*walk.seen, *known)))[:MOST_KNOWN]
