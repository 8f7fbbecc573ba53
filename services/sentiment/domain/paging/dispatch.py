"""Which calls a channel gets next: alarms before words, with room kept for them. Pure.

A channel takes so many calls a minute. The gravest and newest alarms may use all of them, repeated
and milder ones three quarters, words of acknowledgements and endings half. So whatever else waits,
a new grave page finds room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.sentiment.domain.incidents.comments import SEVERE
from services.sentiment.domain.incidents.incident import Incident
from services.sentiment.domain.paging.digest import MOST_WORDS
from services.sentiment.domain.paging.pages import Page

MINUTE_MS = 60_000
WORDS_APART_MS = 10_000
"""Between two messages of folded words to one channel; the first goes at once."""
SHARE_OF_WORDS = 0.5
SHARE_OF_REPEATED = 0.75


@dataclass(frozen=True, slots=True)
class Limits:
    """What a kind of channel takes."""

    per_minute: int | None = None
    """Calls in any minute; None where the platform names no number."""
    folds: bool = False
    """Several words fit into one message, since people read them and no machine does."""


@dataclass(frozen=True, slots=True)
class Due:
    """A row to call, and its incident as it is now."""

    page: Page
    incident: Incident

    @property
    def key(self) -> tuple[str, str]:
        """One call at a time for each, so that they arrive in order."""
        return self.page.wanted.incident, self.page.wanted.channel

    @property
    def alarm(self) -> bool:
        """Whether somebody is to be alarmed, not only told."""
        return self.page.wanted.action == "trigger"

    @property
    def first(self) -> bool:
        """Whether it is the first page of a round, or its severity rose: news, no repetition."""
        return self.page.wanted.why in ("", "worse", "severity_rose")


@dataclass(slots=True)
class Used:
    """What of its minute a channel has used, in this process; times in ms."""

    called_at: list[int] = field(default_factory=list)
    words_at: int | None = None
    """When words were sent last."""
    words_rest_until: int = 0
    """The channel asked for rest; words keep it."""

    def note(self, call: Sequence[Due], now: int) -> None:
        """A call begins."""
        self.called_at.append(now)
        if not call[0].alarm:
            self.words_at = now

    def in_minute(self, now: int) -> int:
        """Calls that began in the minute that ends now; a clock that was set back forgets some."""
        self.called_at = [at for at in self.called_at if now - MINUTE_MS < at <= now]
        return len(self.called_at)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The calls to begin now; one has several rows where words were folded."""

    calls: tuple[tuple[Due, ...], ...]
    again_at: int | None
    """When there may be room for what was left, ms; None where nothing was."""


def choose(due: Iterable[Due], limits: Limits, used: Used, now: int) -> Chosen:
    """The next calls of one channel.

    Args:
        due: rows of this channel that are due and needed, none of them being called.
        limits: of the channel.
        used: what was called already; not changed.
        now: ms.
    """
    spent = used.in_minute(now)
    calls: list[tuple[Due, ...]] = []
    left = False
    ordered = _one_for_each(sorted(due, key=_urgency))
    for one in ordered:
        if not one.alarm:
            continue
        if spent + len(calls) < _room(limits, one):
            calls.append((one,))
        else:
            left = True
    words = [one for one in ordered if not one.alarm]
    wait_until = _words_wait_until(limits, used)
    sheets = _sheets(words, limits) if now >= wait_until else []
    for sheet in sheets:
        if spent + len(calls) < _room(limits, sheet[0]):
            calls.append(sheet)
    told = sum(len(call) for call in calls if not call[0].alarm)
    room_at = (used.called_at[0] if used.called_at else now) + MINUTE_MS
    again = [room_at] if left else []
    if told < len(words):
        if now < wait_until:
            again.append(wait_until)
        else:
            again.append(now + WORDS_APART_MS if told and limits.folds else room_at)
    return Chosen(tuple(calls), min(again, default=None))


def _urgency(due: Due) -> tuple[bool, bool, int, int, int]:
    """Alarms, of them new and grave ones, the gravest; then the longest due, and by step."""
    wanted = due.page.wanted
    grave = due.first and due.incident.severity >= SEVERE
    return (not due.alarm, not grave, -due.incident.severity, wanted.due_at, wanted.step)


def _one_for_each(due: Iterable[Due]) -> list[Due]:
    """One row for each incident at a time: the rest follows when it was called."""
    first: dict[tuple[str, str], Due] = {}
    for one in due:
        known = first.get(one.key)
        if known is None or (one.alarm and one.page.wanted.step < known.page.wanted.step):
            first[one.key] = one
    return list(first.values())


def _room(limits: Limits, due: Due) -> float:
    """How many calls a minute may have when this one begins."""
    if limits.per_minute is None:
        return float("inf")
    if due.alarm and due.first and due.incident.severity >= SEVERE:
        return limits.per_minute
    share = SHARE_OF_REPEATED if due.alarm else SHARE_OF_WORDS
    return max(limits.per_minute * share, 1)


def _words_wait_until(limits: Limits, used: Used) -> int:
    apart = 0
    if limits.folds and used.words_at is not None:
        apart = used.words_at + WORDS_APART_MS
    return max(used.words_rest_until, apart)


def _sheets(words: Sequence[Due], limits: Limits) -> list[tuple[Due, ...]]:
    """Words as they go together: one message where they fold, else one each."""
    if limits.folds:
        return [tuple(words[:MOST_WORDS])] if words else []
    return [(one,) for one in words]
