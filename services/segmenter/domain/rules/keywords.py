"""Rule kind `keywords`: the fan wrote one of these words.

Text and words are compared folded (`shared.text.fold`), so full-width letters, traditional
characters and what nobody sees between them match; the first 4,096 characters of a text are looked
at. Chinese has no spaces, so a word may stand anywhere; but a word that begins or ends with a Latin
letter or digit must not continue as one ("vip" is not in "viper"). Which words matched, and when,
is remembered; the message is not. So after an edit, words that stayed are still known, and a word
that is new in the file counts from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal, Self

from ahocorasick_rs import AhoCorasick
from pydantic import Field, model_validator

from services.segmenter.domain.fan import NEVER, Fan, FanId
from services.segmenter.domain.rules.base import VERSION_CHARS, Rule, RuleSpec
from shared.events import Event, MessageReceived, stable_id
from shared.text import fold

MAX_WORDS_REMEMBERED = 16
_SUBJECT = stable_id("keywords")[: VERSION_CHARS // 2]
_LATIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")

Keyword = Annotated[str, Field(min_length=1, max_length=64)]


class KeywordsSpec(RuleSpec):
    """A message has `any_of` these words."""

    kind: Literal["keywords"]
    any_of: Annotated[list[Keyword], Field(min_length=1, max_length=1_000)]

    @model_validator(mode="after")
    def _words_are_words(self) -> Self:
        if not all(fold(word).strip() for word in self.any_of):
            raise ValueError("any_of: a word can't be blank")
        return self

    def compile(self) -> Rule:
        """The rule itself."""
        return KeywordsRule(self)


class KeywordsRule:
    """A compiled `keywords` rule. Memory: (word, when last written) by word."""

    __slots__ = (
        "_for",
        "_known",
        "_matcher",
        "_old_key",
        "_words",
        "events",
        "memory_key",
        "tag",
        "version",
    )

    def __init__(self, spec: KeywordsSpec) -> None:
        self.tag = spec.tag
        self.version = spec.version
        self.events: frozenset[type[Event]] = frozenset({MessageReceived})
        # The words are not part of it: after a change, those that stayed are still remembered.
        self.memory_key = _SUBJECT + stable_id("tag", spec.tag)[: VERSION_CHARS // 2]
        self._old_key = stable_id("keywords", spec.tag)[:VERSION_CHARS]
        self._for = spec.for_ms
        self._words = sorted({fold(word).strip() for word in spec.any_of})
        self._known = frozenset(self._words)
        self._matcher = AhoCorasick(self._words)

    def observe(self, fan: Fan, event: Event) -> bool:
        """Remember which words the message has."""
        if type(event) is not MessageReceived or not event.text:
            return False
        text = _folded(event.text)
        found = {
            self._words[index]
            for index, start, end in self._matcher.find_matches_as_indexes(text, overlapping=True)
            if _is_whole(text, start, end)
        }
        if not found:
            return False
        seen = dict(fan.memory.get(self.memory_key, ()))
        for word in found:
            seen[word] = max(seen.get(word, 0), event.occurred_at)
        self._remember(fan, seen)
        return True

    def until(self, fan: Fan) -> int:
        """`for` after the newest word that the rule still names; without `for`: never."""
        seen = fan.memory.get(self.memory_key, ())
        latest = max((at for word, at in seen if word in self._known), default=None)
        if latest is None:
            return 0
        return NEVER if self._for is None else latest + self._for

    def adopt(self, fan: Fan, who: FanId, now: int) -> int:
        """Go on with what was remembered in an older form, or by other rules of the same words."""
        del who, now
        if self.memory_key in fan.memory:
            return 0
        kept = [memory for key, memory in fan.memory.items() if key.startswith(_SUBJECT)]
        kept += [memory for key, (_, memory) in fan.retired.items() if key.startswith(_SUBJECT)]
        kept.append(fan.memory.get(self._old_key, ()))
        seen: dict[str, int] = {}
        for word, at in ((fold(word), at) for memory in kept for word, at in memory):
            if word in self._known:
                seen[word] = max(seen.get(word, 0), at)
        if seen:
            self._remember(fan, seen)
        return 0

    def remembered(self, fan: Fan, now: int) -> dict[str, int | str | None]:
        """The newest word of the rule that was written, and when."""
        seen = [(at, word) for word, at in fan.memory.get(self.memory_key, ())]
        at, word = max(((at, word) for at, word in seen if word in self._known), default=(now, ""))
        return {"word": word, "last_at": at} if word else {}

    def _remember(self, fan: Fan, seen: Mapping[str, int]) -> None:
        newest = sorted(seen.items(), key=lambda item: (-item[1], item[0]))
        fan.remember(self.memory_key, tuple(newest[:MAX_WORDS_REMEMBERED]))


_folded = lru_cache(maxsize=1)(fold)
"""A book's keyword rules look at the same message one after the other."""


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether the match is not a piece of a longer Latin word or number."""
    cut_before = start > 0 and text[start] in _LATIN and text[start - 1] in _LATIN
    cut_after = end < len(text) and text[end - 1] in _LATIN and text[end] in _LATIN
    return not (cut_before or cut_after)
