from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.walk import (
    MOST_KNOWN,
    MOST_RESTARTS,
    MOST_STALE,
    Step,
    Walk,
    finish_walk,
    take_page,
)

PAGE = 10

Total = Callable[[int, int], int]
"""What the platform says of the length, by the list's true length and the page's size."""
TOTALS: list[Total] = [
    lambda length, _page: length,
    lambda _length, page: page,
    lambda length, _page: length + 7,
    lambda length, _page: length * 3 + 1,
    lambda _length, _page: 0,
]


@dataclass
class Article:
    """A list of comments, newest first, that changes while it is read."""

    ids: list[str] = field(default_factory=list)
    written: int = 0

    def write(self, count: int) -> None:
        for _ in range(count):
            self.written += 1
            self.ids.insert(0, f"c{self.written}")

    def delete(self, place: int) -> None:
        if self.ids:
            del self.ids[place % len(self.ids)]

    def page(self, begin: int) -> list[str]:
        return self.ids[begin : begin + PAGE]

    def take(self, walk: Walk, total: Total = TOTALS[0]) -> Step:
        page = self.page(walk.begin)
        said = total(len(self.ids), len(page))
        return take_page(walk, page, listed=len(page), asked=PAGE, total=said)


def walk_through(
    article: Article,
    known: tuple[str, ...],
    changes: list[tuple[int, list[int]]],
    total: Total = TOTALS[0],
) -> tuple[tuple[str, ...], list[str], bool]:
    """Walk once; before each page after the first, write and delete as `changes` say."""
    walk = Walk(frozenset(known))
    published: list[str] = []
    for number in range(10_000):
        if number and changes:
            written, deleted = changes.pop(0)
            article.write(written)
            for place in deleted:
                article.delete(place)
        step = article.take(walk, total)
        published += step.fresh
        walk = step.walk
        if step.done or step.gave_up:
            return finish_walk(walk, known), published, step.done
    raise AssertionError("the walk does not end")


@given(st.integers(0, 120), st.integers(0, 120), st.sampled_from(TOTALS))
def test_each_comment_is_found_once_over_two_walks_whatever_total_says(
    before: int, after: int, total: Total
) -> None:
    article = Article()
    article.write(before)
    known, first, done = walk_through(article, (), [], total)
    assert done
    article.write(after)
    _, second, done = walk_through(article, known, [], total)
    assert done
    assert sorted(first + second) == sorted(article.ids)


@settings(max_examples=200)
@given(
    st.integers(0, 100),
    st.integers(0, 100),
    st.lists(st.tuples(st.integers(0, 15), st.lists(st.integers(0, 200), max_size=15)), max_size=8),
    st.sampled_from(TOTALS),
)
def test_what_was_there_throughout_is_found_whatever_comes_and_goes_meanwhile(
    known_count: int, new_count: int, changes: list[tuple[int, list[int]]], total: Total
) -> None:
    article = Article()
    article.write(known_count)
    known, _, _ = walk_through(article, (), [])
    article.write(new_count)
    there_before = set(article.ids)
    _, published, done = walk_through(article, known, list(changes), total)
    if done:
        assert (there_before & set(article.ids)) - set(known) <= set(published)
    assert len(published) == len(set(published))


def test_a_walk_stops_at_a_page_of_known_ids() -> None:
    article = Article()
    article.write(1000)
    known = tuple(article.ids)
    article.write(3)
    walk, begins = Walk(frozenset(known)), []
    done = False
    while not done:
        begins.append(walk.begin)
        step = article.take(walk)
        walk, done = step.walk, step.done
    assert begins == [0, 5]


def test_a_broken_walk_leaves_no_gap_behind_its_newest_page() -> None:
    """The mistake: after a crash, a first page that looks known hides what lies behind it."""
    article = Article()
    article.write(35)
    step = article.take(Walk(frozenset()))
    assert len(step.fresh) == PAGE
    known_after_the_crash: tuple[str, ...] = ()  # nothing was finished, so nothing is known
    _, published, done = walk_through(article, known_after_the_crash, [])
    assert done
    assert set(published) == set(article.ids)


def test_a_page_that_shares_nothing_with_the_one_before_begins_the_walk_again() -> None:
    article = Article()
    article.write(60)
    first = article.take(Walk(frozenset())).walk
    del article.ids[:20]
    step = article.take(first)
    assert (step.walk.begin, step.walk.restarts, step.done) == (0, 1, False)
    assert set(step.walk.seen) >= set(first.seen)


def test_a_list_that_shrinks_to_before_the_next_page_is_read_again() -> None:
    """The mistake: an empty page looks like the end, and what moved up before it is never seen."""
    article = Article()
    article.write(60)
    walk = Walk(frozenset())
    for _ in range(6):
        walk = article.take(walk).walk
    del article.ids[:31]  # now the list ends where the next page would begin
    step = article.take(walk)
    assert (step.walk.begin, step.walk.restarts, step.done) == (0, 1, False)


def test_a_list_that_never_keeps_still_is_given_up() -> None:
    walk = Walk(frozenset(), page=frozenset({"x"}))
    steps = []
    for number in range(MOST_RESTARTS + 1):
        steps.append(take_page(walk, [f"y{number}"], listed=1, asked=1, total=1000))
        walk = Walk(walk.known, page=frozenset({"x"}), restarts=steps[-1].walk.restarts)
    assert [step.gave_up for step in steps] == [False] * MOST_RESTARTS + [True]


def test_the_newest_ids_are_kept() -> None:
    walk = Walk(frozenset(), seen=tuple(f"n{number}" for number in range(10)))
    kept = finish_walk(walk, [f"o{number}" for number in range(MOST_KNOWN)])
    assert len(kept) == MOST_KNOWN
    assert kept[:11] == (*walk.seen, "o0")


def test_a_full_page_is_not_the_end_though_its_size_is_called_the_total() -> None:
    article = Article()
    article.write(PAGE + 1)
    step = article.take(Walk(frozenset()), lambda _length, page: page)
    assert (step.done, step.walk.begin) == (False, PAGE - 5)
    step = article.take(step.walk, lambda _length, page: page)
    assert (step.done, step.fresh) == (True, ("c1",))


@pytest.mark.parametrize("count", [0, 1, 2, 5, 6, PAGE - 1])
def test_a_short_page_ends_the_list_though_more_are_promised(count: int) -> None:
    article = Article()
    article.write(count)
    walk, pages, done = Walk(frozenset()), 0, False
    while not done and pages < 10:
        step = article.take(walk, lambda _length, _page: 1000)
        walk, done, pages = step.walk, step.done, pages + 1
    assert (done, len(walk.seen), pages <= 2) == (True, count, True)


def test_pages_that_hide_some_of_their_items_are_not_taken_for_the_end() -> None:
    """A page that leaves out deleted comments is short; that more are promised is then true."""
    article = Article()
    article.write(40)
    hidden = {"c38", "c20", "c7"}
    walk, done = Walk(frozenset()), False
    while not done:
        page = [one for one in article.page(walk.begin) if one not in hidden]
        step = take_page(walk, page, listed=len(page), asked=PAGE, total=40)
        walk, done = step.walk, step.done
    assert set(walk.seen) == set(article.ids) - hidden


def test_a_platform_that_gives_the_same_page_for_ever_is_given_up() -> None:
    same = [f"c{number}" for number in range(PAGE)]
    walk, steps = Walk(frozenset()), list[Step]()
    while len(steps) < 100 and not (steps and (steps[-1].gave_up or steps[-1].done)):
        steps.append(take_page(walk, same, listed=PAGE, asked=PAGE, total=1000))
        walk = steps[-1].walk
    assert steps[-1].gave_up
    assert len(steps) == MOST_STALE + 2


def test_a_long_list_that_is_read_again_from_its_head_is_not_given_up() -> None:
    article = Article()
    article.write(400)
    walk = Walk(frozenset())
    for _ in range(30):
        walk = article.take(walk).walk
    del article.ids[100:200]  # what was read last is gone: the next page shares nothing with it
    restarted, done = 0, False
    while not done:
        step = article.take(walk)
        walk, done = step.walk, step.done
        restarted = max(restarted, walk.restarts)
        assert not step.gave_up
    assert restarted == 1
    assert set(walk.seen) >= set(article.ids)
