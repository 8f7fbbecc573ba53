from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.walk import MOST_KNOWN, MOST_RESTARTS, Walk, finish_walk, take_page

PAGE = 10


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


def walk_through(
    article: Article, known: tuple[str, ...], changes: list[tuple[int, list[int]]]
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
        step = take_page(walk, article.page(walk.begin), len(article.ids))
        published += step.fresh
        walk = step.walk
        if step.done or step.gave_up:
            return finish_walk(walk, known), published, step.done
    raise AssertionError("the walk does not end")


@given(st.integers(0, 120), st.integers(0, 120))
def test_each_comment_is_found_once_over_two_walks(before: int, after: int) -> None:
    article = Article()
    article.write(before)
    known, first, done = walk_through(article, (), [])
    assert done
    article.write(after)
    _, second, _ = walk_through(article, known, [])
    assert sorted(first + second) == sorted(article.ids)


@settings(max_examples=200)
@given(
    st.integers(0, 100),
    st.integers(0, 100),
    st.lists(st.tuples(st.integers(0, 15), st.lists(st.integers(0, 200), max_size=15)), max_size=8),
)
def test_what_was_there_throughout_is_found_whatever_comes_and_goes_meanwhile(
    known_count: int, new_count: int, changes: list[tuple[int, list[int]]]
) -> None:
    article = Article()
    article.write(known_count)
    known, _, _ = walk_through(article, (), [])
    article.write(new_count)
    there_before = set(article.ids)
    _, published, done = walk_through(article, known, list(changes))
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
        step = take_page(walk, article.page(walk.begin), len(article.ids))
        walk, done = step.walk, step.done
    assert begins == [0, 5]


def test_a_broken_walk_leaves_no_gap_behind_its_newest_page() -> None:
    """The mistake: after a crash, a first page that looks known hides what lies behind it."""
    article = Article()
    article.write(35)
    step = take_page(Walk(frozenset()), article.page(0), 35)
    assert len(step.fresh) == PAGE
    known_after_the_crash: tuple[str, ...] = ()  # nothing was finished, so nothing is known
    _, published, done = walk_through(article, known_after_the_crash, [])
    assert done
    assert set(published) == set(article.ids)


def test_a_page_that_shares_nothing_with_the_one_before_begins_the_walk_again() -> None:
    article = Article()
    article.write(60)
    first = take_page(Walk(frozenset()), article.page(0), 60).walk
    del article.ids[:20]
    step = take_page(first, article.page(first.begin), 40)
    assert (step.walk.begin, step.walk.restarts, step.done) == (0, 1, False)
    assert set(step.walk.seen) >= set(first.seen)


def test_a_list_that_shrinks_to_before_the_next_page_is_read_again() -> None:
    """The mistake: an empty page looks like the end, and what moved up before it is never seen."""
    article = Article()
    article.write(60)
    walk = Walk(frozenset())
    for _ in range(6):
        walk = take_page(walk, article.page(walk.begin), len(article.ids)).walk
    del article.ids[:31]  # now the list ends where the next page would begin
    step = take_page(walk, article.page(walk.begin), len(article.ids))
    assert (step.walk.begin, step.walk.restarts, step.done) == (0, 1, False)


def test_a_list_that_never_keeps_still_is_given_up() -> None:
    walk = Walk(frozenset(), page=frozenset({"x"}))
    steps = []
    for number in range(MOST_RESTARTS + 1):
        steps.append(take_page(walk, [f"y{number}"], 1000))
        walk = Walk(walk.known, page=frozenset({"x"}), restarts=steps[-1].walk.restarts)
    assert [step.gave_up for step in steps] == [False] * MOST_RESTARTS + [True]


def test_the_newest_ids_are_kept() -> None:
    walk = Walk(frozenset(), seen=tuple(f"n{number}" for number in range(10)))
    kept = finish_walk(walk, [f"o{number}" for number in range(MOST_KNOWN)])
    assert len(kept) == MOST_KNOWN
    assert kept[:11] == (*walk.seen, "o0")
