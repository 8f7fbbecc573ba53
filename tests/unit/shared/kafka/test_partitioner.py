from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner, murmur2
from hypothesis import given
from hypothesis import strategies as st

from shared.kafka import partitioner


@given(st.binary(max_size=100))
def test_a_key_has_the_hash_that_kafkas_own_clients_give_it(key: bytes) -> None:
    assert partitioner.murmur2(key) == murmur2(key) & 0xFFFFFFFF


@given(st.binary(max_size=100), st.integers(1, 64))
def test_a_key_meets_its_others_in_the_partition_of_the_default_partitioner(
    key: bytes, count: int
) -> None:
    every = list(range(count))
    assert partitioner.choose_partition(key, every, every) == DefaultPartitioner()(
        key, every, every
    )


@pytest.mark.parametrize(("available", "allowed"), [([2], {2}), ([], {0, 1, 2})])
def test_a_record_without_a_key_goes_where_somebody_listens(
    available: list[int], allowed: set[int]
) -> None:
    assert partitioner.choose_partition(None, [0, 1, 2], available) in allowed
