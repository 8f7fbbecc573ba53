from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.nonces import Binding, NonceTable

NOW = 1_764_000_000.0


def signature(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def test_a_signature_is_bound_to_its_first_body() -> None:
    table = NonceTable()
    assert table.bind(signature("s"), b"x", now=NOW) is Binding.NEW
    assert table.bind(signature("s"), b"x", now=NOW) is Binding.SAME_BODY
    assert table.bind(signature("s"), b"y", now=NOW) is Binding.OTHER_BODY
    assert table.bind(signature("t"), b"y", now=NOW) is Binding.NEW


@given(
    st.lists(st.floats(0, 250), max_size=12),
    st.floats(0, 599.9),
)
def test_a_binding_lives_as_long_as_its_timestamp_may_count(gaps: list[float], age: float) -> None:
    """The timestamp may be 300 s ahead and counts for 300 s: 600 s from the binding."""
    table, now = NonceTable(), NOW
    for number, gap in enumerate(gaps):  # traffic that turns the generations
        now += gap
        table.bind(signature(f"before{number}"), b"", now=now)
    bound_at = now
    table.bind(signature("n"), b"x", now=bound_at)
    for number, gap in enumerate(gaps):
        if now + gap > bound_at + age:
            break
        now += gap
        table.bind(signature(f"after{number}"), b"", now=now)
    assert table.bind(signature("n"), b"y", now=bound_at + age) is Binding.OTHER_BODY


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=20))
def test_a_full_table_puts_off_new_signatures_until_old_ones_are_stale(gaps: list[float]) -> None:
    table, now = NonceTable(most=3), NOW
    for number in range(3):
        assert table.bind(signature(f"n{number}"), b"", now=now) is Binding.NEW
    assert table.bind(signature("n3"), b"", now=now + 599) is Binding.FULL
    assert table.bind(signature("n0"), b"", now=now + 599) is Binding.SAME_BODY
    assert table.bind(signature("n3"), b"", now=now + 801) is Binding.NEW
    for number, gap in enumerate(gaps):
        now += gap
        table.bind(signature(f"later{number}"), b"", now=now)
        assert len(table._current) + sum(len(found) for _, found in table._earlier) <= 3
