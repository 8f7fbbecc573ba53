"""Sliding windows over event time: how many different people, and in which window it is worst.

Works on the set of comments: their order of arrival and repeated copies of one comment make no
difference. Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from services.sentiment.domain.incidents.comments import NegativeComment
from services.sentiment.domain.incidents.usual import MINUTE_MS


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of event time, `(end - width, end]`, and who complained in it."""

    width: int
    """ms."""
    end: int
    people: int
    first: int
    """Index of its first comment."""
    last: int
    """Index of its last comment."""


@dataclass(frozen=True, slots=True)
class Volume:
    """How many comments that are not negative an account got, by minute."""

    minutes: tuple[int, ...] = ()
    """Starts of the minutes, ms, rising."""
    sums: tuple[int, ...] = field(default=(0,))
    """Running sums: `sums[i]` comments came before `minutes[i]`."""

    @classmethod
    def of(cls, by_minute: Mapping[int, int]) -> Volume:
        """From counts by the minute's start."""
        minutes = tuple(sorted(by_minute))
        return cls(minutes, (0, *accumulate(by_minute[minute] for minute in minutes)))

    def between(self, start: int, end: int) -> int:
        """Comments in `(start, end]`, whole minutes: a minute that is touched counts."""
        first = bisect_right(self.minutes, start - MINUTE_MS)
        last = bisect_right(self.minutes, end)
        return self.sums[last] - self.sums[min(first, last)]


def in_order(comments: Iterable[NegativeComment]) -> list[NegativeComment]:
    """Each comment once, by event time; the id settles ties."""
    unique = {comment.id: comment for comment in comments}
    return sorted(unique.values(), key=lambda comment: (comment.at, comment.id))


def windows(ordered: Sequence[NegativeComment], width: int) -> Iterator[Window]:
    """The window that ends with each comment.

    Args:
        ordered: comments as `in_order` gives them.
        width: ms.
    """
    authors: Counter[str] = Counter()
    first = 0
    for last, comment in enumerate(ordered):
        authors[comment.author] += 1
        while ordered[first].at <= comment.at - width:
            authors[ordered[first].author] -= 1
            if not authors[ordered[first].author]:
                del authors[ordered[first].author]
            first += 1
        yield Window(width, comment.at, len(authors), first, last)


def crossings(
    ordered: Sequence[NegativeComment], widths: Iterable[int], limit: Callable[[Window], int]
) -> Iterator[tuple[Window, int]]:
    """Windows with at least as many people as their limit, and the limit."""
    for width in widths:
        for window in windows(ordered, width):
            bound = limit(window)
            if window.people >= bound:
                yield window, bound


def people_since(ordered: Sequence[NegativeComment], start: int) -> int:
    """Different authors of the comments at or after `start`."""
    begin = bisect_left(ordered, start, key=lambda comment: comment.at)
    return len({comment.author for comment in ordered[begin:]})
