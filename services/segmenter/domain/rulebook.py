"""All rules together: which of them an event concerns, and the digest that names this set."""

from __future__ import annotations

from collections.abc import Sequence

from services.segmenter.domain.rules import Rule, RuleSpec
from shared.events import Event, stable_id

LAYOUT = "memory 2"
"""How rules remember. Another one has every fan examined, and each rule adopt what was kept."""


class RuleBook:
    """An immutable set of compiled rules, one a tag.

    Args:
        specs: the lines of the rule file; each names another tag.
    """

    __slots__ = ("_by_event", "_by_tag", "digest", "memory_keys", "specs")

    def __init__(self, specs: Sequence[RuleSpec]) -> None:
        self.specs = tuple(specs)
        self._by_tag: dict[str, Rule] = {spec.tag: spec.compile() for spec in specs}
        if len(self._by_tag) != len(self.specs):
            raise ValueError("two rules assign the same tag")
        self._by_event: dict[type[Event], tuple[Rule, ...]] = {}
        for rule in self._by_tag.values():
            for event in rule.events:
                self._by_event[event] = (*self._by_event.get(event, ()), rule)
        versions = sorted(rule.version for rule in self._by_tag.values())
        self.digest = stable_id("rules", LAYOUT, *versions)
        """The same for the same rules in any order, whatever their descriptions say."""
        self.memory_keys = frozenset(
            rule.memory_key for rule in self._by_tag.values() if rule.memory_key is not None
        )

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, in the file's order."""
        return tuple(self._by_tag.values())

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags, in the file's order."""
        return tuple(self._by_tag)

    def concerning(self, event: type[Event]) -> tuple[Rule, ...]:
        """The rules that look at this type of event, in the file's order."""
        return self._by_event.get(event, ())

    def get(self, tag: str) -> Rule | None:
        """The rule that assigns the tag."""
        return self._by_tag.get(tag)
