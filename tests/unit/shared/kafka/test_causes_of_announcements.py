"""An announcement's id follows from what caused it, not from who noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.events import TagAssigned, effect_id
from shared.kafka.bookkeeping import Bookkeeping
from shared.kafka.fold import Held, change, fold
from shared.kafka.handler import Announcement, Change, Decision, Fact
from tests.support.counting_handler import click


def _tag(name: str) -> TagAssigned:
    return TagAssigned(
        occurred_at=1,
        platform="wechat",
        account="gh_1",
        fan="a",
        tag=name,
        rule_version="1",
        because="time",
        cause="instant",
        tags=(),
        number=1,
    )


class _Handler:
    collection = "fans"
    loop = "events"
    types = frozenset({type(click())})

    def document_id(self, event: Any) -> str | None:
        return str(event.key)

    def load(self, fields: Mapping[str, Any]) -> int:
        return len(fields)

    def dump(self, state: int) -> dict[str, Any]:
        return {"state": state}

    def decide(self, state: int, fact: Fact) -> Decision[int]:
        del fact
        fallen = Announcement(_tag("fallen"), "instant")
        return Decision(state + 1, (fallen, _tag("new"), _tag("newer")))

    async def before(self, facts: Sequence[Fact]) -> None: ...

    async def after(self, facts: Sequence[Fact]) -> None: ...


def test_what_time_caused_has_one_id_whether_an_event_or_the_clock_notices() -> None:
    by_event = Held(0, Bookkeeping(), 0)
    fact = Fact(click(), "event-1", "/test", "fan-events.v1", 0, 0)
    fold(by_event, [fact], _Handler(), epoch="1", source="/test")
    by_clock = Held(0, Bookkeeping(), 0)
    change(by_clock, Change(1, (Announcement(_tag("fallen"), "instant"),)), source="/test")
    key = _tag("x").key
    assert by_event.book.outbox[0].id == by_clock.book.outbox[0].id
    assert [entry.id for entry in by_event.book.outbox] == [
        effect_id("instant", "TagAssigned", key, 0),
        effect_id("event-1", "TagAssigned", key, 0),
        effect_id("event-1", "TagAssigned", key, 1),
    ]
