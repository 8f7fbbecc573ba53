"""Finds every term of every table in a whole batch, in one pass.

One automaton serves severity, kind and aspect, so a longer table costs nothing at run time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import ahocorasick_rs

from services.sentiment.domain.tables.aspect import ASPECT_TERMS
from services.sentiment.domain.tables.kind import KIND_TERMS
from services.sentiment.domain.tables.severity import HAZARD_TERMS
from services.sentiment.domain.tone.text import normalise

Family = Literal["hazard", "kind", "aspect"]


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a table; `level` is 0 but for hazards."""

    text: str
    family: Family
    value: str
    level: int


class Found(NamedTuple):
    """A term at [start, end) of its text."""

    family: Family
    value: str
    level: int
    start: int
    end: int


class TermFinder:
    """The compiled tables."""

    __slots__ = ("_automaton", "_terms")

    def __init__(self) -> None:
        by_text: dict[str, list[Term]] = {}
        for term in _all_terms():
            by_text.setdefault(term.text, []).append(term)
        self._terms = list(by_text.values())
        self._automaton = ahocorasick_rs.AhoCorasick(list(by_text))

    def find(self, joined: str, starts: Sequence[int]) -> dict[int, list[Found]]:
        """The terms of each text that has any, by the text's place in the batch."""
        found: dict[int, list[Found]] = {}
        for pattern, start, end in self._automaton.find_matches_as_indexes(
            joined, overlapping=True
        ):
            owner = bisect_right(starts, start) - 1
            first = starts[owner] + 1
            hits = found.setdefault(owner, [])
            for term in self._terms[pattern]:
                hits.append(Found(term.family, term.value, term.level, start - first, end - first))
        return found


def _all_terms() -> Iterator[Term]:
    for hazard, levels in HAZARD_TERMS.items():
        for level, words in levels.items():
            yield from _terms("hazard", hazard, level, words)
    for kind, words in KIND_TERMS.items():
        yield from _terms("kind", kind, 0, words)
    for aspect, words in ASPECT_TERMS.items():
        yield from _terms("aspect", aspect, 0, words)


def _terms(family: Family, value: str, level: int, words: str) -> Iterable[Term]:
    return (Term(normalise(word), family, value, level) for word in words.split())
