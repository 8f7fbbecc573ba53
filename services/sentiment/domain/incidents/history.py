"""Folds hours of comments into the usual. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from services.sentiment.domain.incidents.comments import SEVERE, NegativeComment
from services.sentiment.domain.incidents.subjects import GENERAL
from services.sentiment.domain.incidents.usual import (
    HOUR_MS,
    HourCounts,
    Prior,
    Usual,
    fold_hour,
    stream_name,
)

GRACE_MS = 15 * 60_000
"""An hour is folded in so long after it ended: pollers bring comments late."""
MOST_HOURS = 24
"""Folded in at once."""
LONGEST_GAP_MS = 28 * 24 * HOUR_MS
"""History begins at most so long before now."""


def hours_to_fold(usual: Usual, first_at: int | None, now: int) -> tuple[int, int]:
    """The span of whole hours to fold in next, `[start, end)` in ms; empty if none is due.

    Args:
        usual: the history so far.
        first_at: event time of the account's first comment.
        now: ms.
    """
    if first_at is None:
        return 0, 0
    start = usual.folded_upto or _hour(first_at)
    start = max(start, _hour(now - LONGEST_GAP_MS))
    end = min(_hour(now - GRACE_MS), start + MOST_HOURS * HOUR_MS)
    return start, max(start, end)


def next_fold_at(now: int) -> int:
    """When the next hour may be folded in, ms."""
    return _hour(now - GRACE_MS) + HOUR_MS + GRACE_MS


def fold_span(
    usual: Usual,
    prior: Prior,
    span: tuple[int, int],
    negatives: Iterable[NegativeComment],
    others: Mapping[int, int],
) -> Usual:
    """The history with the hours of a span.

    Args:
        usual: the history so far.
        prior: stands in where there is none.
        span: from `hours_to_fold`.
        negatives: the negative comments of the span.
        others: how many others, by minute.
    """
    people: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    negative: dict[int, int] = defaultdict(int)
    calm: dict[int, int] = defaultdict(int)
    for comment in negatives:
        hour = _hour(comment.at)
        negative[hour] += 1
        for subject in {comment.subject, GENERAL}:
            people[hour][stream_name(subject, severe=False)].add(comment.author)
            if comment.severity >= SEVERE:
                people[hour][stream_name(subject, severe=True)].add(comment.author)
    for minute, comments in others.items():
        calm[_hour(minute)] += comments
    for hour in range(*span, HOUR_MS):
        counts = HourCounts(
            {stream: len(authors) for stream, authors in people[hour].items()},
            negative[hour],
            negative[hour] + calm[hour],
        )
        usual = fold_hour(usual, prior, hour, counts)
    return usual


def _hour(at: int) -> int:
    return at // HOUR_MS * HOUR_MS
