"""Rows in numbers: by id, one a fan, in parts; and what a verdict does to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from services.notifier.domain import pushes
from services.notifier.domain.decide_push import Drop, Hold, Send, Verdict
from services.notifier.domain.pushes import OPEN_STATES, Push
from shared.documents.reader import Versioned
from shared.kafka.handler import Change

CHUNK: Final = 1_000
"""Documents changed at once."""

S = TypeVar("S")


def by_id(found: Iterable[Versioned[Push]]) -> dict[str, Versioned[Push]]:
    """Rows as a query found them, by id."""
    return {one.state.id: one for one in found}


def states(read: Mapping[str, Versioned[S]]) -> dict[str, S]:
    """The states alone."""
    return {name: one.state for name, one in read.items()}


def chunks(items: Sequence[S]) -> list[Sequence[S]]:
    """Parts of at most `CHUNK`."""
    return [items[first : first + CHUNK] for first in range(0, len(items), CHUNK)]


def one_a_fan(rows: Sequence[Push]) -> list[Push]:
    """The first row of each fan; a fan's pushes are decided one after the other."""
    first: dict[str, Push] = {}
    for row in rows:
        first.setdefault(row.fan, row)
    return list(first.values())


def write_down(row: Push, verdict: Verdict, now: int) -> Change[Push] | None:
    """The row after a verdict; None where there is nothing to write."""
    if row.state not in OPEN_STATES:
        return None
    match verdict:
        case Hold(reason, not_before, look_at, waits_for_fan):
            return pushes.hold(
                row,
                reason,
                now,
                not_before=not_before,
                look_at=look_at,
                waits_for_fan=waits_for_fan,
            )
        case Drop(reason):
            return pushes.drop(row, reason, now)
        case Send():
            return None


def name_verdict(verdict: Verdict) -> tuple[str, str]:
    """What the verdict does, and its reason: bounded words, for metrics."""
    match verdict:
        case Hold(reason=reason):
            return "held", reason
        case Drop(reason=reason):
            return "dropped", reason
        case _:
            return "going", ""
