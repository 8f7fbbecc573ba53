"""A small handler for tests of the runner: counts a fan's clicks and announces each third."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import DeadLetterReason, PermanentError
from shared.events import Event, MenuClicked, TagAssigned
from shared.kafka.handler import Decision, Fact

POISON = "poison"
REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Clicks:
    clicks: int = 0
    number: int = 0
    blob: str = ""


class CountingHandler:
    collection = "fans"
    loop = "events"
    types: frozenset[type[Event]] = frozenset({MenuClicked})

    def __init__(self) -> None:
        self.poison = POISON
        self.before_calls: list[int] = []
        self.after_ids: list[str] = []
        self.raise_in_before: list[Exception] = []
        self.raise_in_after: list[Exception] = []

    def document_id(self, event: Event) -> str | None:
        return None if event.key.endswith(":nobody") else event.key

    def load(self, fields: Mapping[str, Any]) -> Clicks:
        return Clicks(fields.get("clicks", 0), fields.get("number", 0), fields.get("blob", ""))

    def dump(self, state: Clicks) -> dict[str, Any]:
        return {"clicks": state.clicks, "number": state.number, "blob": state.blob}

    def decide(self, state: Clicks, fact: Fact) -> Decision[Clicks]:
        event = fact.event
        assert isinstance(event, MenuClicked)
        if event.menu_key == self.poison:
            raise ZeroDivisionError("fans' words must not show up")
        if event.menu_key == REJECT:
            raise PermanentError(DeadLetterReason.REJECTED, "asked for")
        clicks = state.clicks + 1
        blob = state.blob + event.menu_key[5:] if event.menu_key.startswith("blob:") else state.blob
        if clicks % 3:
            return Decision(Clicks(clicks, state.number, blob))
        assigned = TagAssigned(
            occurred_at=event.occurred_at,
            platform=event.platform,
            account=event.account,
            fan=event.fan,
            tag=f"clicks-{clicks}",
            rule_version="1",
            because="event",
            cause=fact.id,
            tags=(f"clicks-{clicks}",),
            number=state.number + 1,
        )
        return Decision(Clicks(clicks, state.number + 1, blob), (assigned,))

    async def before(self, facts: Sequence[Fact]) -> None:
        self.before_calls.append(len(facts))
        if self.raise_in_before:
            raise self.raise_in_before.pop(0)

    async def after(self, facts: Sequence[Fact]) -> None:
        if self.raise_in_after:
            raise self.raise_in_after.pop(0)
        self.after_ids += [fact.id for fact in facts]


def click(fan: str = "a", at: int = 1_700_000_000_000, key: str = "menu") -> MenuClicked:
    return MenuClicked(
        occurred_at=at,
        platform="wechat",
        account="gh_1",
        fan=fan,
        authenticated_by="wechat_safe",
        menu_key=key,
    )
