"""How long a binding lives, to the second, and what may be bound at all."""

from __future__ import annotations

from hashlib import sha1

from services.ingest.domain.nonces import Binding, NonceTable

NOW = 1_764_000_000.0


def bind(table: NonceTable, nonce: str, body: bytes, at: float) -> Binding:
    """Bind the signature of one timestamp and this nonce, `at` seconds after the first."""
    signature = sha1(f"1764000000{nonce}".encode(), usedforsecurity=False).hexdigest()
    return table.bind(signature, body, now=NOW + at)


def test_a_binding_lives_for_the_last_second_in_which_its_timestamp_may_count() -> None:
    """Signed 300 s ahead, it counts until 600 s after: also where a generation just turned."""
    for bound_at in (0.0, 199.0, 200.0, 201.0, 400.0):
        table = NonceTable()
        bind(table, "first", b"", 0.0)
        assert bind(table, "n", b"x", bound_at) is Binding.NEW
        assert bind(table, "n", b"y", bound_at + 600.0) is Binding.OTHER_BODY
        assert bind(table, "n", b"x", bound_at + 600.0) is Binding.SAME_BODY


def test_a_full_table_has_room_again_when_its_oldest_generation_is_stale() -> None:
    table = NonceTable(most=1)
    assert bind(table, "n", b"", 0.0) is Binding.NEW
    assert bind(table, "m", b"", 799.0) is Binding.FULL
    table = NonceTable(most=1)
    assert bind(table, "n", b"", 0.0) is Binding.NEW
    assert bind(table, "m", b"", 800.0) is Binding.NEW
    assert bind(table, "n", b"", 800.0) is Binding.FULL


def test_a_table_takes_exactly_as_many_bindings_as_it_may() -> None:
    table = NonceTable(most=3)
    found = [bind(table, f"n{number}", b"", number * 150.0) for number in range(5)]
    assert found == [Binding.NEW] * 3 + [Binding.FULL] * 2
